//! What can be wrong with key encryption keys and keysets.

use portreeve_ra::Purpose;

/// A key encryption key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KekError {
    /// The file cannot be read or written.
    #[error("key encryption key file {path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner and its group can read the file, or others than the owner can change it.
    #[error(
        "key encryption key file {path} has mode {mode:04o}: make it readable by its owner only (chmod 0600)"
    )]
    Exposed {
        /// Which file.
        path: String,
        /// Its permission bits.
        mode: u32,
    },
    /// The environment variable is not set.
    #[error("environment variable {0} with the key encryption key is not set")]
    NotSet(String),
    /// The text or the octets are not a key.
    #[error("{0} does not hold a key: 32 octets as hexadecimal or base64 text (in a file also raw)")]
    NotAKey(String),
}

/// A keyset cannot be read, opened or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeysetError {
    /// The key encryption key itself cannot be had.
    #[error(transparent)]
    Kek(#[from] KekError),
    /// The bytes are not a keyset.
    #[error("not a keyset: {0}")]
    Format(String),
    /// The keyset was written by a newer program.
    #[error("keyset has version {0}, this program reads version 1")]
    Version(u32),
    /// Another shared key encryption key was used.
    #[error(
        "the keyset was wrapped with the shared key encryption key {expected}, the one given is {given}: \
         give this node the key that the other nodes have"
    )]
    WrongSharedKek {
        /// Check value of the one that was used.
        expected: String,
        /// Check value of the one that was given.
        given: String,
    },
    /// Another key encryption key was used for this purpose.
    #[error(
        "purpose {purpose} was wrapped with the key encryption key {expected}, the one given for it is {given}: \
         give this node the key of that purpose, or do not let it play a role that needs it"
    )]
    WrongKek {
        /// The purpose.
        purpose: Purpose,
        /// Check value of the one that was used.
        expected: String,
        /// Check value of the one that was given.
        given: String,
    },
    /// The keyset was changed by someone who does not have the key encryption keys.
    #[error("the keyset is not what was written: its MAC does not verify; restore it from a backup")]
    Tampered,
    /// A ring has as many keys as it may have.
    #[error("purpose {0} has too many keys")]
    TooManyKeys(Purpose),
    /// The cryptographic library failed.
    #[error("cryptographic operation failed")]
    Crypto,
}
