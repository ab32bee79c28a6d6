//! Why a message was refused, or not made.

use portreeve_pkix::{DecodeError, Oid};

/// Why a message was refused, or not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CmsError {
    /// The encoding is wrong.
    #[error("malformed CMS message: {0}")]
    Malformed(#[from] DecodeError),
    /// Another kind of content than the one asked for.
    #[error("content of type {0} is not what is expected here")]
    ContentType(Oid),
    /// An algorithm that is not used here.
    #[error("algorithm {0} is not supported")]
    Algorithm(Oid),
    /// The key cannot be used as it was asked for.
    #[error("key cannot be used: {0}")]
    Key(&'static str),
    /// The signature does not verify, or does not cover the content.
    #[error("signature does not verify")]
    BadSignature,
    /// It does not decrypt. Says on purpose not why.
    #[error("message does not decrypt")]
    Decryption,
    /// The cryptographic library refused to encrypt.
    #[error("cryptographic library refuses")]
    Library,
}
