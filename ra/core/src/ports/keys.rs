//! Keys: sealing, event signing, and signing with a CA key.

use async_trait::async_trait;
use portreeve_pkix::{PublicKey, Secret, SignatureAlgorithm};

use crate::domain::{EnrollmentId, KeyId, Purpose};

/// A key is missing, or bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// This node does not have the private or secret key of the purpose.
    #[error("no key for purpose {0} on this node")]
    Absent(Purpose),
    /// Sealed bytes do not open, or a signature or MAC does not verify. All such failures look the same.
    #[error("does not verify")]
    Invalid,
}

/// Seals secrets at rest (AES-256-GCM) and makes MACs, by purpose.
pub trait Sealer: Send + Sync {
    /// Encrypts under the purpose's primary key and binds the result to `associated`.
    fn seal(&self, purpose: Purpose, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError>;
    /// Decrypts what `seal` made with the same `associated`, under any key of the purpose.
    fn open(&self, purpose: Purpose, associated: &[u8], sealed: &[u8]) -> Result<Secret, KeyError>;
    /// HMAC-SHA-256 under the purpose's primary key, for one use named by `label`.
    fn mac(&self, purpose: Purpose, label: &str, input: &[u8]) -> Result<[u8; 32], KeyError>;
    /// Checks a MAC in constant time, under any key of the purpose.
    fn check_mac(&self, purpose: Purpose, label: &str, input: &[u8], tag: &[u8]) -> Result<(), KeyError>;
}

/// Signs and verifies records (Ed25519), by purpose. Every node verifies; signing needs the purpose.
pub trait EventSigner: Send + Sync {
    /// Signs under the purpose's primary key.
    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<(KeyId, [u8; 64]), KeyError>;
    /// Whether this signature was made by this key, and the key belongs to the purpose.
    fn verify(
        &self,
        purpose: Purpose,
        key: KeyId,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), KeyError>;
}

/// What a CA key is asked to sign. The signer checks that the bytes are of the kind named.
#[derive(Clone, Debug)]
pub enum ToSign {
    /// A TBSCertificate, once per enrollment.
    Certificate {
        /// The enrollment it belongs to.
        enrollment: EnrollmentId,
        /// The DER.
        tbs: Vec<u8>,
    },
    /// A TBSCertList.
    RevocationList {
        /// The DER.
        tbs: Vec<u8>,
    },
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signer cannot be reached or is overloaded; the same request may be sent again.
    #[error("signer is not available: {0}")]
    Unavailable(String),
    /// The journal knows other bytes under this enrollment.
    #[error("signer has signed other bytes for this enrollment")]
    SecondContent,
    /// The bytes are not of the kind named, or the key may not sign them.
    #[error("signer refuses: {0}")]
    Refused(String),
    /// The signature that came back does not verify under the public key.
    #[error("signature does not verify")]
    Corrupt,
}

/// One CA key.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The algorithm of its signatures.
    fn algorithm(&self) -> SignatureAlgorithm;
    /// Its public half.
    fn public_key(&self) -> &PublicKey;
    /// Signs. The signature over a list is verified before it is returned; that over a certificate is verified by the CA, as
    /// part of the certificate it makes.
    async fn sign(&self, what: ToSign) -> Result<Vec<u8>, SignError>;
}
