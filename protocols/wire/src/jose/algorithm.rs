//! Signature algorithms by their JOSE names.

use std::fmt;

use portreeve_pkix::{KeyAlgorithm, MacAlgorithm};

use super::error::JoseError;

/// Most characters of a foreign algorithm name that are repeated in an error.
const NAME_CHARS_MAX: usize = 32;

/// The algorithms ACME may use here (RFC 7518 section 3, RFC 8037 section 3.1).
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// ECDSA on P-521 with SHA-512.
    Es512,
    /// Ed25519.
    EdDsa,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// HMAC with SHA-256: only for external account binding (RFC 8555 section 7.3.4), never for requests.
    Hs256,
    /// HMAC with SHA-384: likewise.
    Hs384,
    /// HMAC with SHA-512: likewise.
    Hs512,
}

impl Algorithm {
    /// The algorithms a request may be signed with.
    pub const SIGNATURES: [Self; 5] = [Self::Es256, Self::Es384, Self::Es512, Self::EdDsa, Self::Rs256];

    /// The algorithms an external account binding may be authenticated with.
    pub const MACS: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// The MAC algorithm; `None` for one of signatures.
    pub const fn mac(self) -> Option<MacAlgorithm> {
        match self {
            Self::Hs256 => Some(MacAlgorithm::HmacSha256),
            Self::Hs384 => Some(MacAlgorithm::HmacSha384),
            Self::Hs512 => Some(MacAlgorithm::HmacSha512),
            Self::Es256 | Self::Es384 | Self::Es512 | Self::EdDsa | Self::Rs256 => None,
        }
    }

    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }

    /// The names of the algorithms a request may be signed with, for the `algorithms` member of a
    /// `badSignatureAlgorithm` problem (RFC 8555 section 6.2).
    pub fn names() -> [&'static str; 5] {
        Self::SIGNATURES.map(Self::name)
    }

    /// The algorithm of this exact name.
    pub fn from_name(name: &str) -> Result<Self, JoseError> {
        let mut known = Self::SIGNATURES.into_iter().chain(Self::MACS);
        known
            .find(|algorithm| algorithm.name() == name)
            .ok_or_else(|| JoseError::UnsupportedAlgorithm(name.chars().take(NAME_CHARS_MAX).collect()))
    }

    /// Whether signatures of this algorithm are made with such a key.
    pub(crate) fn fits(self, key: KeyAlgorithm) -> bool {
        match self {
            Self::Es256 => key == KeyAlgorithm::EcP256,
            Self::Es384 => key == KeyAlgorithm::EcP384,
            Self::Es512 => key == KeyAlgorithm::EcP521,
            Self::EdDsa => key == KeyAlgorithm::Ed25519,
            Self::Rs256 => matches!(key, KeyAlgorithm::Rsa { .. }),
            Self::Hs256 | Self::Hs384 | Self::Hs512 => false,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
