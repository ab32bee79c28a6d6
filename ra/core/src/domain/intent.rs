//! What is about to be signed or sent, recorded before it is.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Certificate, SerialNumber, Timestamp};

use super::ids::{BackendName, EnrollmentId};

/// The part of an intent that its backend understands.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum IntentBody {
    /// A TBSCertificate with its serial, linted; the signer will sign exactly these bytes.
    Tbs {
        /// The serial number in it.
        serial: SerialNumber,
        /// The DER.
        tbs: Vec<u8>,
    },
    /// A request to another CA, with the key that makes sending it twice harmless.
    Upstream {
        /// The bytes to send.
        request: Vec<u8>,
        /// The idempotency key.
        key: Vec<u8>,
    },
}

/// What is about to be signed or sent. Committed before the first signature or byte.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Intent {
    /// Who will sign.
    pub backend: BackendName,
    /// When it was prepared.
    pub prepared_at: Timestamp,
    /// The issuer's name in DER: with the serial it is unique over the installation.
    pub issuer: Vec<u8>,
    /// What exactly.
    pub body: IntentBody,
}

impl Intent {
    /// The serial number, when it is known before the signature.
    pub const fn serial(&self) -> Option<&SerialNumber> {
        match &self.body {
            IntentBody::Tbs { serial, .. } => Some(serial),
            IntentBody::Upstream { .. } => None,
        }
    }
}

/// The result: one certificate, accepted.
#[derive(Clone, Debug)]
pub struct Issuance {
    /// The enrollment it came from.
    pub enrollment: EnrollmentId,
    /// The certificate.
    pub certificate: Certificate,
    /// From its issuer upwards, without the root.
    pub chain: Vec<Certificate>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}
