//! Certification requests (PKCS #10, RFC 2986).

mod attributes;
mod build;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::der::{Limits, tag};
use crate::digest::sha256;
use crate::dn::DistinguishedName;
use crate::error::{DecodeError, Flaw};
use crate::extension::Extension;
use crate::key::PublicKey;
use crate::names::GeneralName;
use crate::oid::Oid;
use crate::signature::{BadSignature, SignatureAlgorithm};
use crate::signed::{self, Signed};

use attributes::Attributes;
pub use attributes::{CAPABILITIES_MAX, Capability, ChangeSubjectName, KEY_REFERENCE_LENGTH_MAX};
pub use build::RequestAttribute;

/// Largest accepted request.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Most alternative names of a request.
pub const REQUEST_NAMES_MAX: usize = 200;
/// Most attributes of a request.
pub const REQUEST_ATTRIBUTES_MAX: usize = 32;

const LIMITS: Limits = Limits {
    bytes: REQUEST_BYTES_MAX,
    depth: 32,
    elements: 4096,
};

/// A PKCS #10 request as received. Cheap to clone.
///
/// Parsing shows nothing about possession of the key: see [`CertificationRequest::verify_possession`].
#[derive(Clone)]
pub struct CertificationRequest(Arc<Parsed>);

#[derive(Clone)]
struct Parsed {
    der: Vec<u8>,
    info: Range<usize>,
    subject: DistinguishedName,
    public_key: PublicKey,
    attributes: Attributes,
    algorithm: Option<SignatureAlgorithm>,
    algorithm_oid: Oid,
    signature: Range<usize>,
}

/// Why a request does not show possession of its key.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PossessionError {
    /// The signature algorithm is not accepted: SHA-1, MD5, RSA-PSS or unknown.
    #[error("signature algorithm is not accepted")]
    WeakAlgorithm,
    /// The signature does not verify under the key of the request.
    #[error("signature does not verify")]
    BadSignature,
}

impl CertificationRequest {
    /// Reads a request without trailing bytes.
    ///
    /// Refused are more than 64 KiB, 32 attributes, 200 alternative names or 32 levels, an extension or an attribute that
    /// is read here occurring twice, and alternative names that are malformed.
    pub fn from_der(input: &[u8]) -> Result<Self, DecodeError> {
        let signed = Signed::read(input, LIMITS, "certification request")?;
        let mut fields = signed.tbs.reader();
        let version = fields.expect(tag::INTEGER, "version")?;
        if version.content != [0] {
            return Err(version.refuse(Flaw::Invalid("version")));
        }
        let subject = DistinguishedName::from_tlv(&fields.expect(tag::SEQUENCE, "subject")?)?;
        let key = fields.expect(tag::SEQUENCE, "public key")?;
        let public_key = PublicKey::from_der(key.whole).map_err(|error| error.shifted(key.offset))?;
        let attributes = match fields.optional(tag::context_constructed(0))? {
            Some(list) => Attributes::read(list.reader())?,
            None => Attributes::default(),
        };
        fields.finish("certification request")?;
        Ok(Self(Arc::new(Parsed {
            der: input.to_vec(),
            info: signed::range(&signed.tbs),
            subject,
            public_key,
            attributes,
            algorithm: SignatureAlgorithm::from_algorithm_identifier(signed.algorithm.whole),
            algorithm_oid: signed.algorithm_oid,
            signature: signed.signature,
        })))
    }

    /// The request as received.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// SHA-256 of the request as received.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.der())
    }

    /// The requested subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// The key to be certified.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The requested alternative names in order, repeated ones once.
    pub fn names(&self) -> &[GeneralName] {
        &self.0.attributes.names
    }

    /// The requested extensions, the alternative names among them.
    pub fn extensions(&self) -> &[Extension] {
        &self.0.attributes.extensions
    }

    /// The challenge password (RFC 2985 section 5.4.1). A secret: never log it.
    pub fn challenge_password(&self) -> Option<&str> {
        self.0.attributes.challenge_password.as_deref()
    }

    /// The same request, seen as one for the names that its ChangeSubjectName asks for. What was received and signed stays
    /// what it is.
    #[must_use]
    pub fn renamed(&self) -> Self {
        let Some(changed) = self.change_subject_name().cloned() else {
            return self.clone();
        };
        let mut parsed = Parsed::clone(&self.0);
        if let Some(subject) = changed.subject {
            parsed.subject = subject;
        }
        if let Some(names) = changed.names {
            parsed.attributes.rename(names);
        }
        Self(Arc::new(parsed))
    }

    /// Another name that is asked for when a certificate is renewed (RFC 6402 section 2.8).
    pub fn change_subject_name(&self) -> Option<&ChangeSubjectName> {
        self.0.attributes.change_subject_name.as_ref()
    }

    /// The identifier of a shared secret key under which a key made by the server is to be encrypted (RFC 4108 section
    /// 2.2.5, RFC 7030 section 4.4.1.1).
    pub fn decrypt_key_identifier(&self) -> Option<&[u8]> {
        self.0.attributes.decrypt_key_identifier.as_deref()
    }

    /// The identifier of a public key to which a key made by the server is to be encrypted (RFC 7030 section 4.4.1.2).
    pub fn asymmetric_decrypt_key_identifier(&self) -> Option<&[u8]> {
        self.0.attributes.asymmetric_decrypt_key_identifier.as_deref()
    }

    /// The algorithms the requester can decrypt with, most wanted first (RFC 8551 section 2.5.2); nothing when the
    /// attribute is absent.
    pub fn smime_capabilities(&self) -> Option<&[Capability]> {
        self.0.attributes.smime_capabilities.as_deref()
    }

    /// The identifier of the signature algorithm, accepted or not.
    pub fn signature_algorithm_oid(&self) -> &Oid {
        &self.0.algorithm_oid
    }

    /// The signature algorithm, if it is accepted.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.0.algorithm
    }

    /// Checks that the request was signed with the key it contains, over the bytes received.
    pub fn verify_possession(&self) -> Result<(), PossessionError> {
        let algorithm = self.0.algorithm.ok_or(PossessionError::WeakAlgorithm)?;
        let info = self.0.der.get(self.0.info.clone()).unwrap_or_default();
        let signature = self.0.der.get(self.0.signature.clone()).unwrap_or_default();
        let verified = self.0.public_key.verify(algorithm, info, signature);
        verified.map_err(|BadSignature| PossessionError::BadSignature)
    }
}

impl PartialEq for CertificationRequest {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for CertificationRequest {}

impl fmt::Debug for CertificationRequest {
    /// Leaves out the challenge password, which is part of the encoding.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificationRequest")
            .field("subject", &self.subject().to_string())
            .field("public_key", self.public_key())
            .field("names", &self.names())
            .finish_non_exhaustive()
    }
}
