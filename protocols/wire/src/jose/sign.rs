//! Making a JWS: for clients of other CAs and for the programs that test this one.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use portreeve_pkix::{DecodeError, KeyAlgorithm, PublicKey};
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::base64url;
use super::error::JoseError;
use super::jwk::Jwk;

/// Why a key could not be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// The algorithm has no key pairs.
    #[error("{0} has no key pairs")]
    Symmetric(Algorithm),
    /// The cryptographic library refused.
    #[error("key generation or signing failed")]
    Failed,
    /// The public half of a generated key was not readable.
    #[error("unreadable public key: {0}")]
    PublicKey(#[from] DecodeError),
}

/// A private key for one JOSE algorithm. Lives in memory only.
pub struct SigningKey {
    algorithm: Algorithm,
    pair: Pair,
    public_key: PublicKey,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl SigningKey {
    /// A new key; RSA keys have 2048 bits.
    pub fn generate(algorithm: Algorithm) -> Result<Self, SigningError> {
        let ecdsa = |curve: KeyAlgorithm, signing: &'static EcdsaSigningAlgorithm| {
            let pair = EcdsaKeyPair::generate(signing).map_err(|_| SigningError::Failed)?;
            let public_key = PublicKey::from_ec_point(curve, pair.public_key().as_ref())?;
            Ok::<_, SigningError>((Pair::Ecdsa(pair), public_key))
        };
        let (pair, public_key) = match algorithm {
            Algorithm::Es256 => ecdsa(KeyAlgorithm::EcP256, &ECDSA_P256_SHA256_FIXED_SIGNING)?,
            Algorithm::Es384 => ecdsa(KeyAlgorithm::EcP384, &ECDSA_P384_SHA384_FIXED_SIGNING)?,
            Algorithm::Es512 => ecdsa(KeyAlgorithm::EcP521, &ECDSA_P521_SHA512_FIXED_SIGNING)?,
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(|_| SigningError::Failed)?;
                let public_key = PublicKey::from_ed25519(pair.public_key().as_ref())?;
                (Pair::Ed25519(pair), public_key)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| SigningError::Failed)?;
                let spki = pair.public_key().as_der().map_err(|_| SigningError::Failed)?;
                let public_key = PublicKey::from_der(spki.as_ref())?;
                (Pair::Rsa(Box::new(pair)), public_key)
            }
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => {
                return Err(SigningError::Symmetric(algorithm));
            }
        };
        Ok(Self {
            algorithm,
            pair,
            public_key,
        })
    }

    /// What it signs with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The public half.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The public half as JSON.
    pub fn jwk(&self) -> Result<Jwk, JoseError> {
        Jwk::from_public_key(&self.public_key)
    }

    /// The JOSE signature over the message.
    pub fn sign_message(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| SigningError::Failed)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| SigningError::Failed)?;
                Ok(signature)
            }
        }
    }

    /// A JWS in the flattened JSON form over this protected header and payload; see [`sign`].
    pub fn sign(&self, protected: &Value, payload: &[u8]) -> Result<Vec<u8>, SigningError> {
        sign(self, protected, payload)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.algorithm)
    }
}

/// Signs: the header goes out as given, so it must name the algorithm itself; an empty payload makes a POST-as-GET.
pub fn sign(key: &SigningKey, protected: &Value, payload: &[u8]) -> Result<Vec<u8>, SigningError> {
    let protected = base64url::encode(protected.to_string().as_bytes());
    let payload = base64url::encode(payload);
    let signature = key.sign_message([protected.as_str(), ".", &payload].concat().as_bytes())?;
    let signature = base64url::encode(&signature);
    let body = json!({"protected": protected, "payload": payload, "signature": signature});
    Ok(body.to_string().into_bytes())
}
