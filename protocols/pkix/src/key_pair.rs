//! Key pairs that are made here for somebody else (RFC 7030 section 4.4), and by clients of ours.
//!
//! The private half is wiped when it is dropped, is never printed, and leaves only through [`KeyPair::pkcs8`]. Making an
//! RSA key takes up to seconds of processor time: call it where blocking is allowed, on a bounded pool.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature as lc;
use aws_lc_rs::signature::KeyPair as _;

use crate::error::DecodeError;
use crate::key::{KeyAlgorithm, PublicKey};
use crate::secret::Secret;
use crate::signature::SignatureAlgorithm;

/// Why there is no key, or it did not sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyPairError {
    /// Keys of this kind are not made here.
    #[error("keys of type {0} are not made here")]
    Unsupported(KeyAlgorithm),
    /// The cryptographic library refused.
    #[error("cryptographic library refuses the key")]
    Library,
    /// The request that was to be made is none.
    #[error("request cannot be made: {0}")]
    Request(DecodeError),
}

impl From<Unspecified> for KeyPairError {
    fn from(_: Unspecified) -> Self {
        Self::Library
    }
}

impl From<KeyRejected> for KeyPairError {
    fn from(_: KeyRejected) -> Self {
        Self::Library
    }
}

/// A private key with its public half.
pub struct KeyPair {
    pkcs8: Secret,
    public_key: PublicKey,
    pair: Pair,
}

enum Pair {
    Ecdsa(lc::EcdsaKeyPair),
    Rsa(lc::RsaKeyPair),
    Ed25519(lc::Ed25519KeyPair),
}

impl KeyPair {
    /// Makes a key: P-256, P-384, P-521, Ed25519, or RSA of 2048, 3072 or 4096 bits.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyPairError> {
        let pkcs8 = match algorithm {
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => {
                let pair = lc::EcdsaKeyPair::generate(curve(algorithm)?)?;
                Secret::new(pair.to_pkcs8v1()?.as_ref().to_vec())
            }
            KeyAlgorithm::Ed25519 => {
                let pair = lc::Ed25519KeyPair::generate()?;
                Secret::new(pair.to_pkcs8v1()?.as_ref().to_vec())
            }
            KeyAlgorithm::Rsa { bits } => {
                let size = match bits {
                    2048 => KeySize::Rsa2048,
                    3072 => KeySize::Rsa3072,
                    4096 => KeySize::Rsa4096,
                    _ => return Err(KeyPairError::Unsupported(algorithm)),
                };
                let pair = lc::RsaKeyPair::generate(size)?;
                let der: Pkcs8V1Der<'_> = pair.as_der()?;
                Secret::new(der.as_ref().to_vec())
            }
            KeyAlgorithm::Unsupported => return Err(KeyPairError::Unsupported(algorithm)),
        };
        Self::from_pkcs8(algorithm, pkcs8)
    }

    /// Reads a private key of this kind from its PKCS #8 form (RFC 5208).
    pub fn from_pkcs8(algorithm: KeyAlgorithm, pkcs8: Secret) -> Result<Self, KeyPairError> {
        let octets = pkcs8.expose();
        let (pair, public_key) = match algorithm {
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => {
                let pair = lc::EcdsaKeyPair::from_pkcs8(curve(algorithm)?, octets)?;
                let public_key = PublicKey::from_ec_point(algorithm, pair.public_key().as_ref());
                (Pair::Ecdsa(pair), public_key)
            }
            KeyAlgorithm::Ed25519 => {
                let pair = lc::Ed25519KeyPair::from_pkcs8(octets)?;
                let public_key = PublicKey::from_ed25519(pair.public_key().as_ref());
                (Pair::Ed25519(pair), public_key)
            }
            KeyAlgorithm::Rsa { .. } => {
                let pair = lc::RsaKeyPair::from_pkcs8(octets)?;
                let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> = pair.public_key().as_der()?;
                let public_key = PublicKey::from_der(public.as_ref());
                (Pair::Rsa(pair), public_key)
            }
            KeyAlgorithm::Unsupported => return Err(KeyPairError::Unsupported(algorithm)),
        };
        let public_key = public_key.map_err(|_| KeyPairError::Library)?;
        if public_key.algorithm() != algorithm {
            return Err(KeyPairError::Unsupported(public_key.algorithm()));
        }
        Ok(Self {
            pkcs8,
            public_key,
            pair,
        })
    }

    /// The public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The private half as PrivateKeyInfo (RFC 5208): hand it over, never keep it.
    pub const fn pkcs8(&self) -> &Secret {
        &self.pkcs8
    }

    /// How it signs: with the hash that belongs to its size.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        match self.public_key.algorithm() {
            KeyAlgorithm::EcP384 => SignatureAlgorithm::EcdsaSha384,
            KeyAlgorithm::EcP521 => SignatureAlgorithm::EcdsaSha512,
            KeyAlgorithm::Ed25519 => SignatureAlgorithm::Ed25519,
            KeyAlgorithm::Rsa { .. } => SignatureAlgorithm::RsaPkcs1Sha256,
            KeyAlgorithm::EcP256 | KeyAlgorithm::Unsupported => SignatureAlgorithm::EcdsaSha256,
        }
    }

    /// Signs the message with [`KeyPair::signature_algorithm`]; ECDSA signatures are DER.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyPairError> {
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(
                    &lc::RSA_PKCS1_SHA256,
                    &SystemRandom::new(),
                    message,
                    &mut signature,
                )?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for KeyPair {
    /// The public half only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({:?})", self.public_key)
    }
}

fn curve(algorithm: KeyAlgorithm) -> Result<&'static lc::EcdsaSigningAlgorithm, KeyPairError> {
    match algorithm {
        KeyAlgorithm::EcP256 => Ok(&lc::ECDSA_P256_SHA256_ASN1_SIGNING),
        KeyAlgorithm::EcP384 => Ok(&lc::ECDSA_P384_SHA384_ASN1_SIGNING),
        KeyAlgorithm::EcP521 => Ok(&lc::ECDSA_P521_SHA512_ASN1_SIGNING),
        KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 | KeyAlgorithm::Unsupported => {
            Err(KeyPairError::Unsupported(algorithm))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sign_and_read_again() {
        let rows = [
            KeyAlgorithm::EcP256,
            KeyAlgorithm::EcP384,
            KeyAlgorithm::EcP521,
            KeyAlgorithm::Ed25519,
            KeyAlgorithm::Rsa { bits: 2048 },
        ];
        for algorithm in rows {
            let pair = KeyPair::generate(algorithm).expect("made");
            assert_eq!(pair.public_key().algorithm(), algorithm);
            let again = KeyPair::from_pkcs8(algorithm, pair.pkcs8().clone()).expect("read");
            let signature = again.sign(b"message").expect("signed");
            let verified = pair
                .public_key()
                .verify(pair.signature_algorithm(), b"message", &signature);
            assert_eq!(verified, Ok(()), "{algorithm}");
            assert!(!format!("{pair:?}").contains(&hex::encode(&pair.pkcs8().expose()[..16])));
        }
    }

    #[test]
    fn other_keys_are_not_made() {
        for algorithm in [
            KeyAlgorithm::Rsa { bits: 1024 },
            KeyAlgorithm::Rsa { bits: 8192 },
            KeyAlgorithm::Unsupported,
        ] {
            let made = KeyPair::generate(algorithm).map(|_| ());
            assert_eq!(made, Err(KeyPairError::Unsupported(algorithm)));
        }
        let pair = KeyPair::generate(KeyAlgorithm::EcP256).expect("made");
        let read = KeyPair::from_pkcs8(KeyAlgorithm::EcP384, pair.pkcs8().clone()).map(|_| ());
        assert_eq!(read, Err(KeyPairError::Library));
    }
}
