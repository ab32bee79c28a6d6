//! Message authentication codes with a shared secret: HMAC (RFC 2104) with SHA-2.

use aws_lc_rs::hmac;

use crate::secret::Secret;

/// A MAC algorithm.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
}

/// The MAC is not that of this message under this secret.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("MAC does not verify")]
pub struct BadMac;

impl MacAlgorithm {
    /// The MAC of a message.
    pub fn compute(self, secret: &Secret, message: &[u8]) -> Vec<u8> {
        hmac::sign(&self.key(secret), message).as_ref().to_vec()
    }

    /// Checks a MAC, of its full length, in constant time.
    pub fn verify(self, secret: &Secret, message: &[u8], tag: &[u8]) -> Result<(), BadMac> {
        hmac::verify(&self.key(secret), message, tag).map_err(|_| BadMac)
    }

    fn key(self, secret: &Secret) -> hmac::Key {
        let algorithm = match self {
            Self::HmacSha256 => hmac::HMAC_SHA256,
            Self::HmacSha384 => hmac::HMAC_SHA384,
            Self::HmacSha512 => hmac::HMAC_SHA512,
        };
        hmac::Key::new(algorithm, secret.expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 section 4.3 (test case 2).
    #[test]
    fn test_vectors() {
        let secret = Secret::new(b"Jefe".to_vec());
        let message = b"what do ya want for nothing?";
        let rows = [
            (
                MacAlgorithm::HmacSha256,
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                MacAlgorithm::HmacSha384,
                "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649",
            ),
            (
                MacAlgorithm::HmacSha512,
                "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fd\
                 caeab1a34d4a6b4b636e070a38bce737",
            ),
        ];
        for (algorithm, expected) in rows {
            let tag = algorithm.compute(&secret, message);
            let text: String = tag.iter().map(|octet| format!("{octet:02x}")).collect();
            assert_eq!(text, expected, "{algorithm:?}");
            assert_eq!(algorithm.verify(&secret, message, &tag), Ok(()));
            assert_eq!(algorithm.verify(&secret, b"something else", &tag), Err(BadMac));
            assert_eq!(
                algorithm.verify(&secret, message, &tag[..16]),
                Err(BadMac),
                "cut off"
            );
            assert_eq!(
                algorithm.verify(&Secret::new(b"jefe".to_vec()), message, &tag),
                Err(BadMac)
            );
        }
    }
}
