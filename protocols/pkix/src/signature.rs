//! Signature algorithms.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::der;
use crate::oid::Oid;

/// The signature algorithms that are accepted and made.
///
/// SHA-1, MD5 and RSA-PSS are not among them; their identifiers map to nothing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub enum SignatureAlgorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RsaPkcs1Sha512,
    /// ECDSA with SHA-256, on any supported curve.
    EcdsaSha256,
    /// ECDSA with SHA-384, on any supported curve.
    EcdsaSha384,
    /// ECDSA with SHA-512, on any supported curve.
    EcdsaSha512,
    /// Ed25519 (RFC 8410).
    Ed25519,
}

impl SignatureAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 7] = [
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
    ];

    /// The identifier of the algorithm.
    pub const fn oid(self) -> Oid {
        match self {
            Self::RsaPkcs1Sha256 => Oid::SHA256_WITH_RSA,
            Self::RsaPkcs1Sha384 => Oid::SHA384_WITH_RSA,
            Self::RsaPkcs1Sha512 => Oid::SHA512_WITH_RSA,
            Self::EcdsaSha256 => Oid::ECDSA_WITH_SHA256,
            Self::EcdsaSha384 => Oid::ECDSA_WITH_SHA384,
            Self::EcdsaSha512 => Oid::ECDSA_WITH_SHA512,
            Self::Ed25519 => Oid::ED25519,
        }
    }

    /// The AlgorithmIdentifier element: parameters NULL for RSA (RFC 4055 section 5), absent otherwise (RFC 5758,
    /// RFC 8410).
    pub fn algorithm_identifier_der(self) -> Vec<u8> {
        let oid = self.oid().to_der();
        match self {
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512 => {
                der::sequence(&[oid, der::null()])
            }
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 | Self::Ed25519 => {
                der::sequence(&[oid])
            }
        }
    }

    /// The algorithm of an AlgorithmIdentifier element; nothing if it is not accepted.
    ///
    /// RSA parameters may be NULL or absent, all others must be absent.
    pub fn from_algorithm_identifier(element: &[u8]) -> Option<Self> {
        let content = short(der::tag::SEQUENCE, element)
            .filter(|(_, rest)| rest.is_empty())?
            .0;
        let (oid, parameters) = short(der::tag::OID, content)?;
        let is_named = |algorithm: &Self| algorithm.oid().der_content() == oid;
        let algorithm = Self::ALL.into_iter().find(is_named)?;
        let may_be_null = matches!(
            algorithm,
            Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512
        );
        let accepted = parameters.is_empty() || (may_be_null && parameters == NULL);
        accepted.then_some(algorithm)
    }
}

const NULL: [u8; 2] = [der::tag::NULL, 0];

/// The content of an element with this tag and less than 128 octets, and what follows it. No AlgorithmIdentifier that is accepted
/// is longer.
fn short(tag: u8, element: &[u8]) -> Option<(&[u8], &[u8])> {
    match element {
        [found, length @ ..=0x7f, rest @ ..] if *found == tag => rest.split_at_checked(usize::from(*length)),
        _ => None,
    }
}

/// A signature does not verify under the key, or the key cannot be used with the algorithm.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("signature does not verify")]
pub struct BadSignature;
