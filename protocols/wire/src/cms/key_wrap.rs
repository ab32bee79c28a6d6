//! How the key of a content reaches its recipient.

use aws_lc_rs::digest;
use aws_lc_rs::key_wrap::{AES_128, AES_256, AesKek, KeyWrap as _};
use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OAEP_SHA384_MGF1SHA384, OAEP_SHA512_MGF1SHA512, OaepAlgorithm,
};
use portreeve_pkix::der::{self, tag};
use portreeve_pkix::{Flaw, Oid, Secret};
use std::str::FromStr;

use super::{Algorithm, CmsError, algorithm};

/// Longest key that is wrapped, in octets.
const WRAPPED_LENGTH_MAX: usize = 64;
/// What AES key wrap adds (RFC 3394 section 2.2.1).
const WRAP_OVERHEAD: usize = 8;

/// AES key wrap (RFC 3394), by the size of the key that wraps.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyWrap {
    /// With a key of 128 bits.
    Aes128,
    /// With a key of 256 bits.
    Aes256,
}

impl KeyWrap {
    /// Its identifier.
    pub const fn oid(self) -> Oid {
        match self {
            Self::Aes128 => Oid::AES128_WRAP,
            Self::Aes256 => Oid::AES256_WRAP,
        }
    }

    /// The algorithm with this identifier.
    pub fn from_oid(oid: &Oid) -> Option<Self> {
        [Self::Aes128, Self::Aes256]
            .into_iter()
            .find(|wrap| wrap.oid() == *oid)
    }

    /// Octets of the key that wraps.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    /// The algorithm that a wrapping key of so many octets is for.
    pub fn for_key_length(octets: usize) -> Option<Self> {
        [Self::Aes128, Self::Aes256]
            .into_iter()
            .find(|wrap| wrap.key_length() == octets)
    }

    fn key(self, kek: &[u8]) -> Result<AesKek, CmsError> {
        let cipher = match self {
            Self::Aes128 => &AES_128,
            Self::Aes256 => &AES_256,
        };
        AesKek::new(cipher, kek).map_err(|_| CmsError::Key("wrong length for AES key wrap"))
    }

    pub(super) fn wrap(self, kek: &[u8], key: &Secret) -> Result<Vec<u8>, CmsError> {
        let mut out = vec![0; key.expose().len() + WRAP_OVERHEAD];
        let wrapped = self.key(kek)?.wrap(key.expose(), &mut out);
        Ok(wrapped.map_err(|_| CmsError::Library)?.to_vec())
    }

    pub(super) fn unwrap(self, kek: &[u8], wrapped: &[u8]) -> Result<Secret, CmsError> {
        if wrapped.len() > WRAPPED_LENGTH_MAX + WRAP_OVERHEAD {
            return Err(CmsError::Decryption);
        }
        let mut out = zeroize::Zeroizing::new(vec![0; wrapped.len()]);
        let kek = self.key(kek).map_err(|_| CmsError::Decryption)?;
        let key = kek.unwrap(wrapped, &mut out).map_err(|_| CmsError::Decryption)?;
        Ok(Secret::new(key.to_vec()))
    }

    pub(super) fn algorithm_der(self) -> Vec<u8> {
        algorithm(&self.oid(), None)
    }
}

/// The hash of RSAES-OAEP and of its mask generation.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OaepHash {
    /// SHA-1, which is what absent parameters mean. Not a weakness in OAEP.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl OaepHash {
    const ALL: [Self; 4] = [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    fn oid(self) -> Option<Oid> {
        match self {
            Self::Sha1 => Oid::from_str("1.3.14.3.2.26").ok(),
            Self::Sha256 => Some(Oid::SHA256),
            Self::Sha384 => Some(Oid::SHA384),
            Self::Sha512 => Some(Oid::SHA512),
        }
    }

    fn from_oid(oid: &Oid) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|hash| hash.oid().as_ref() == Some(oid))
    }

    pub(super) fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
            Self::Sha384 => &OAEP_SHA384_MGF1SHA384,
            Self::Sha512 => &OAEP_SHA512_MGF1SHA512,
        }
    }

    /// RSAES-OAEP-params (RFC 8017 appendix A.2.1), defaults left out.
    fn parameters(self) -> Vec<u8> {
        let Some(oid) = self.oid().filter(|_| self != Self::Sha1) else {
            return der::sequence::<Vec<u8>>(&[]);
        };
        let hash = algorithm(&oid, Some(der::null()));
        let mask = algorithm(&Oid::MGF1, Some(hash.clone()));
        der::sequence(&[
            der::constructed(tag::context_constructed(0), &[hash]),
            der::constructed(tag::context_constructed(1), &[mask]),
        ])
    }

    /// Reads RSAES-OAEP-params. Both hashes must be the same one, and the label empty.
    fn read(parameters: &der::Tlv<'_>) -> Result<Self, CmsError> {
        let unsupported = || CmsError::Algorithm(Oid::RSA_OAEP);
        if parameters.tag != tag::SEQUENCE {
            return Err(parameters.refuse(Flaw::Expected("OAEP parameters")).into());
        }
        let mut fields = parameters.reader();
        let mut hashes = [Self::Sha1, Self::Sha1];
        for (number, slot) in [0_u8, 1].into_iter().zip(&mut hashes) {
            let Some(explicit) = fields.optional(tag::context_constructed(number))? else {
                continue;
            };
            let mut named = Algorithm::read(&mut explicit.reader(), "OAEP hash")?;
            if number == 1 {
                let hash = named.parameters.filter(|_| named.oid == Oid::MGF1);
                named = Algorithm::of(&hash.ok_or_else(unsupported)?)?;
            }
            *slot = Self::from_oid(&named.oid).ok_or_else(unsupported)?;
        }
        match (hashes, fields.is_empty()) {
            ([hash, mask], true) if hash == mask => Ok(hash),
            _ => Err(unsupported()),
        }
    }
}

/// Transport of a key under an RSA key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyTransport {
    /// RSAES-PKCS1-v1_5 (RFC 8017 section 7.2).
    Pkcs1,
    /// RSAES-OAEP (RFC 8017 section 7.1).
    Oaep(OaepHash),
}

impl KeyTransport {
    pub(super) fn algorithm_der(self) -> Vec<u8> {
        match self {
            Self::Pkcs1 => algorithm(&Oid::RSA_ENCRYPTION, Some(der::null())),
            Self::Oaep(hash) => algorithm(&Oid::RSA_OAEP, Some(hash.parameters())),
        }
    }

    /// The transport that an identifier and its parameters name. Parameters that are absent mean SHA-1.
    pub(crate) fn read(named: &Algorithm<'_>) -> Result<Self, CmsError> {
        if named.oid == Oid::RSA_ENCRYPTION && named.is_plain() {
            return Ok(Self::Pkcs1);
        }
        if named.oid != Oid::RSA_OAEP {
            return Err(CmsError::Algorithm(named.oid.clone()));
        }
        match named.parameters {
            None => Ok(Self::Oaep(OaepHash::Sha1)),
            Some(parameters) => OaepHash::read(&parameters).map(Self::Oaep),
        }
    }
}

/// The hash of the X9.63 key derivation after an ECDH agreement (RFC 5753 section 7.2).
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyDerivation {
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
}

impl KeyDerivation {
    /// The identifier of the whole scheme.
    pub const fn oid(self) -> Oid {
        match self {
            Self::Sha256 => Oid::ECDH_SHA256_KDF,
            Self::Sha384 => Oid::ECDH_SHA384_KDF,
        }
    }

    /// The scheme with this identifier.
    pub fn from_oid(oid: &Oid) -> Option<Self> {
        [Self::Sha256, Self::Sha384]
            .into_iter()
            .find(|kdf| kdf.oid() == *oid)
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        }
    }

    /// The key that wraps, from what was agreed on (SEC 1 section 3.6.1, RFC 5753 section 7.2).
    pub(super) fn derive(self, agreed: &[u8], wrap: KeyWrap, user_material: Option<&[u8]>) -> Secret {
        let length = wrap.key_length();
        let bits = (length as u32 * 8).to_be_bytes();
        let explicit = |number, octets: &[u8]| {
            der::constructed(tag::context_constructed(number), &[der::octet_string(octets)])
        };
        let mut shared_info = vec![wrap.algorithm_der()];
        shared_info.extend(user_material.map(|octets| explicit(0, octets)));
        shared_info.push(explicit(2, &bits));
        let shared_info = der::sequence(&shared_info);
        let mut key = Vec::with_capacity(length + 64);
        let mut counter = 1_u32;
        while key.len() < length {
            let mut context = digest::Context::new(self.digest());
            context.update(agreed);
            context.update(&counter.to_be_bytes());
            context.update(&shared_info);
            key.extend_from_slice(context.finish().as_ref());
            counter += 1;
        }
        key.truncate(length);
        Secret::new(key)
    }

    pub(super) fn algorithm_der(self, wrap: KeyWrap) -> Vec<u8> {
        algorithm(&self.oid(), Some(wrap.algorithm_der()))
    }
}
