//! Keys that sign requests and CSRs: good ones, and ones that no server should take.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use num_bigint::BigUint;
use portreeve_pkix::{KeyAlgorithm, PublicKey, sha256};
use portreeve_wire::jose::{Algorithm, Jwk, SigningKey};
use serde_json::Value;

use super::base64url;

/// DigestInfo of SHA-256 up to the digest (RFC 8017 section 9.2).
const SHA256_DIGEST_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20,
];

/// A private key with its JOSE algorithm.
pub trait Signer: Send + Sync {
    /// The JOSE name of what it signs with.
    fn algorithm(&self) -> &'static str;
    /// The public half.
    fn public_key(&self) -> &PublicKey;
    /// The JOSE signature over a message.
    fn sign(&self, message: &[u8]) -> Vec<u8>;

    /// The public half as JSON.
    fn jwk(&self) -> Value {
        Jwk::from_public_key(self.public_key())
            .expect("a key type with a JSON form")
            .to_json()
    }

    /// The thumbprint of RFC 7638.
    fn thumbprint(&self) -> String {
        base64url(
            Jwk::from_public_key(self.public_key())
                .expect("a key type with a JSON form")
                .thumbprint(),
        )
    }
}

/// A new P-256 key.
pub fn new_key() -> SigningKey {
    new_key_of(Algorithm::Es256)
}

/// A new key for this algorithm.
pub fn new_key_of(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm).expect("a key")
}

impl Signer for SigningKey {
    fn algorithm(&self) -> &'static str {
        SigningKey::algorithm(self).name()
    }

    fn public_key(&self) -> &PublicKey {
        SigningKey::public_key(self)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_message(message).expect("a signature")
    }
}

/// An RSA key of any size and any quality, from its numbers. It signs slowly and not in constant time.
pub struct KnownRsaKey {
    modulus: BigUint,
    exponent: BigUint,
    public_key: PublicKey,
}

impl KnownRsaKey {
    /// From modulus, public and private exponent in hexadecimal.
    pub fn new(modulus: &str, public_exponent: &str, private_exponent: &str) -> Self {
        let number = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).expect("hexadecimal");
        let (modulus, public) = (number(modulus), number(public_exponent));
        let public_key = PublicKey::from_rsa(&modulus.to_bytes_be(), &public.to_bytes_be()).expect("RSA");
        Self {
            modulus,
            exponent: number(private_exponent),
            public_key,
        }
    }
}

impl Signer for KnownRsaKey {
    fn algorithm(&self) -> &'static str {
        "RS256"
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let length = usize::try_from(self.modulus.bits().div_ceil(8)).expect("a length");
        let digest_info = [&SHA256_DIGEST_INFO[..], &sha256(message)].concat();
        let mut padded = vec![0xff; length];
        (padded[0], padded[1]) = (0, 1);
        padded[length - digest_info.len() - 1] = 0;
        padded[length - digest_info.len()..].copy_from_slice(&digest_info);
        let signature = BigUint::from_bytes_be(&padded)
            .modpow(&self.exponent, &self.modulus)
            .to_bytes_be();
        [vec![0; length - signature.len()], signature].concat()
    }
}

/// A P-256 key whose private half everybody knows.
pub struct KnownEcKey {
    pair: EcdsaKeyPair,
    public_key: PublicKey,
}

impl KnownEcKey {
    /// From the private scalar and the uncompressed public point in hexadecimal.
    pub fn new(scalar: &str, point: &str) -> Self {
        let (scalar, point) = (
            hex::decode(scalar).expect("hex"),
            hex::decode(point).expect("hex"),
        );
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, &scalar, &point);
        let pair = pair.expect("a key pair");
        let public_key = PublicKey::from_ec_point(KeyAlgorithm::EcP256, pair.public_key().as_ref());
        Self {
            pair,
            public_key: public_key.expect("a point"),
        }
    }
}

impl Signer for KnownEcKey {
    fn algorithm(&self) -> &'static str {
        "ES256"
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair
            .sign(&SystemRandom::new(), message)
            .expect("a signature")
            .as_ref()
            .to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_pkix::SignatureAlgorithm;

    #[test]
    fn signatures_by_known_numbers_verify() {
        // RFC 8017's smallest friend: a key made for this test alone.
        let key = KnownRsaKey::new(
            include_str!("key/modulus.hex").trim(),
            "10001",
            include_str!("key/exponent.hex").trim(),
        );
        let signature = key.sign(b"message");
        key.public_key()
            .verify(SignatureAlgorithm::RsaPkcs1Sha256, b"message", &signature)
            .unwrap();
        assert!(
            key.public_key()
                .verify(SignatureAlgorithm::RsaPkcs1Sha256, b"other", &signature)
                .is_err()
        );
    }
}
