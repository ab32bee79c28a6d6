//! How a key made by the server reaches its owner (RFC 7030 sections 4.4.1 and 4.4.2).

use portreeve_pkix::der::Reader;
use portreeve_pkix::{Capability, CertificationRequest, Oid};

use super::EstError;
use crate::cms::{Algorithm, ContentCipher, KeyDerivation, KeyTransport, KeyWrap, OaepHash};

/// Key wraps, as the content ciphers below, that clients name and that are not made here: AES-192 and triple DES.
const OTHER_WRAPS: [&str; 2] = ["2.16.840.1.101.3.4.1.25", "1.2.840.113549.1.9.16.3.6"];
/// AES-192 in CBC and GCM mode, triple DES, DES, RC2.
const OTHER_CIPHERS: [&str; 5] = [
    "2.16.840.1.101.3.4.1.22",
    "2.16.840.1.101.3.4.1.26",
    "1.2.840.113549.3.7",
    "1.3.14.3.2.7",
    "1.2.840.113549.3.2",
];

/// What protects the key besides TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyProtection {
    /// Nothing: it travels as PKCS #8.
    None,
    /// A secret key that both know, by this identifier (DecryptKeyIdentifier).
    SharedKey {
        /// How the request calls it.
        identifier: Vec<u8>,
    },
    /// A public key of the requester, by this identifier (AsymmetricDecryptKeyIdentifier).
    PublicKey {
        /// How the request calls it: a subject key identifier.
        identifier: Vec<u8>,
    },
}

impl KeyProtection {
    /// What a request asks for. Naming both is refused: which one is meant would be a guess.
    pub fn asked_by(request: &CertificationRequest) -> Result<Self, EstError> {
        let shared = request.decrypt_key_identifier().map(<[u8]>::to_vec);
        let public = request.asymmetric_decrypt_key_identifier().map(<[u8]>::to_vec);
        match (shared, public) {
            (None, None) => Ok(Self::None),
            (Some(identifier), None) => Ok(Self::SharedKey { identifier }),
            (None, Some(identifier)) => Ok(Self::PublicKey { identifier }),
            (Some(_), Some(_)) => Err(EstError::TwoProtections),
        }
    }
}

/// The algorithms a requester can decrypt with (its SMIMECapabilities), or what is taken when it does not say.
///
/// RFC 7030 section 4.4.1 demands the attribute together with an identifier of a key; clients that leave it out, or name no
/// algorithm for some purpose, get AES-256, OAEP with SHA-256 and ECDH with SHA-256. One that names only algorithms that are
/// not used here is refused.
#[derive(Copy, Clone, Debug)]
pub struct Preferences<'a>(&'a [Capability]);

impl<'a> Preferences<'a> {
    /// Those of a request.
    pub fn of(request: &'a CertificationRequest) -> Self {
        Self(request.smime_capabilities().unwrap_or_default())
    }

    /// How to encrypt the content: CBC where the requester can, which is what RFC 7030 speaks of; GCM where it names
    /// nothing else.
    pub fn content_cipher(self) -> Result<ContentCipher, EstError> {
        let known = || self.0.iter().filter_map(|c| ContentCipher::from_oid(&c.oid));
        let chosen = known()
            .find(|cipher| !cipher.is_authenticated())
            .or_else(|| known().next());
        self.or_default(chosen, ContentCipher::Aes256Cbc, ("the content", &OTHER_CIPHERS))
    }

    /// How to encrypt to an RSA key.
    pub fn key_transport(self) -> Result<KeyTransport, EstError> {
        let is_transport = |c: &&Capability| c.oid == Oid::RSA_ENCRYPTION || c.oid == Oid::RSA_OAEP;
        let named: Vec<&Capability> = self.0.iter().filter(is_transport).collect();
        let Some(first) = named.first() else {
            return Ok(KeyTransport::Oaep(OaepHash::Sha256));
        };
        let chosen = named.iter().find_map(|capability| {
            let parameters = capability.parameters.as_deref();
            let parameters = parameters.map(|octets| Reader::new(octets).any()).transpose();
            let algorithm = Algorithm {
                oid: capability.oid.clone(),
                parameters: parameters.ok()?,
            };
            KeyTransport::read(&algorithm).ok()
        });
        chosen.ok_or_else(|| EstError::NoCommonAlgorithm {
            purpose: "key transport",
            first: first.oid.clone(),
        })
    }

    /// How to agree on a key with an elliptic-curve key. Most wanted is a scheme that names its key wrap.
    pub fn key_agreement(self) -> Result<(KeyDerivation, KeyWrap), EstError> {
        let whole = self.0.iter().find_map(|capability| {
            let derivation = KeyDerivation::from_oid(&capability.oid)?;
            let wrap = capability.parameters.as_deref().and_then(|octets| {
                let oid = Reader::new(octets)
                    .sequence("key wrap")
                    .and_then(|mut f| f.oid("key wrap"));
                oid.ok().and_then(|oid| KeyWrap::from_oid(&oid))
            })?;
            Some((derivation, wrap))
        });
        if let Some(whole) = whole {
            return Ok(whole);
        }
        let derivation = self.0.iter().find_map(|c| KeyDerivation::from_oid(&c.oid));
        let wrap = self.0.iter().find_map(|c| KeyWrap::from_oid(&c.oid));
        let wrap = self.or_default(wrap, KeyWrap::Aes256, ("key wrap", &OTHER_WRAPS))?;
        Ok((derivation.unwrap_or(KeyDerivation::Sha256), wrap))
    }

    /// Whether a shared key that wraps like this can be used: the size of the key decides, the requester may object.
    pub fn allows_wrap(self, wrap: KeyWrap) -> Result<(), EstError> {
        let others = OTHER_WRAPS.map(str::to_owned);
        let is_wrap =
            |c: &&Capability| KeyWrap::from_oid(&c.oid).is_some() || others.contains(&c.oid.to_string());
        let mut named = self.0.iter().filter(is_wrap).peekable();
        let Some(first) = named.peek().map(|c| c.oid.clone()) else {
            return Ok(());
        };
        if named.any(|capability| capability.oid == wrap.oid()) {
            Ok(())
        } else {
            Err(EstError::NoCommonAlgorithm {
                purpose: "key wrap",
                first,
            })
        }
    }

    /// What was chosen; the default when the requester names no algorithm of this kind at all.
    fn or_default<T>(
        self,
        chosen: Option<T>,
        default: T,
        (purpose, others): (&'static str, &[&str]),
    ) -> Result<T, EstError> {
        if let Some(chosen) = chosen {
            return Ok(chosen);
        }
        let named = self
            .0
            .iter()
            .find(|c| others.contains(&c.oid.to_string().as_str()));
        match named {
            None => Ok(default),
            Some(capability) => Err(EstError::NoCommonAlgorithm {
                purpose,
                first: capability.oid.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
