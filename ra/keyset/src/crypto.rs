//! The few cryptographic operations of this crate.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use portreeve_pkix::Secret;
use zeroize::Zeroizing;

/// Octets of every secret and derived key.
pub(crate) const KEY_LENGTH: usize = 32;
/// Octets that GCM appends.
pub(crate) const TAG_LENGTH: usize = 16;

pub(crate) type Key = Zeroizing<[u8; KEY_LENGTH]>;

/// HKDF-Extract of a uniformly random secret; keys for single uses are expanded from it.
pub(crate) struct Root(hkdf::Prk);

impl Root {
    pub(crate) fn new(secret: &[u8; KEY_LENGTH]) -> Self {
        Self(hkdf::Salt::new(hkdf::HKDF_SHA256, b"portreeve keyset 1").extract(secret))
    }

    /// HKDF-Expand. The first part names the use and never contains a NUL, which ends it in the info input.
    pub(crate) fn derive(&self, usage: &str, detail: &[u8]) -> Result<Key, Unspecified> {
        let mut key = Zeroizing::new([0; KEY_LENGTH]);
        self.0
            .expand(&[usage.as_bytes(), &[0], detail], hkdf::HKDF_SHA256)?
            .fill(key.as_mut_slice())?;
        Ok(key)
    }
}

/// AES-256-GCM; the key is used for this nonce once.
pub(crate) fn encrypt(
    key: &Key,
    nonce: [u8; NONCE_LEN],
    associated: &[u8],
    plain: &[u8],
) -> Result<Vec<u8>, Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice())?);
    let mut buffer = Vec::with_capacity(plain.len().saturating_add(TAG_LENGTH));
    buffer.extend_from_slice(plain);
    key.seal_in_place_append_tag(
        Nonce::assume_unique_for_key(nonce),
        Aad::from(associated),
        &mut buffer,
    )?;
    Ok(buffer)
}

/// The reverse of [`encrypt`].
pub(crate) fn decrypt(
    key: &Key,
    nonce: [u8; NONCE_LEN],
    associated: &[u8],
    sealed: &[u8],
) -> Result<Secret, Unspecified> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key.as_slice())?);
    let mut buffer = Zeroizing::new(sealed.to_vec());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let plain = key.open_in_place(nonce, Aad::from(associated), buffer.as_mut_slice())?;
    Ok(Secret::new(plain.to_vec()))
}

pub(crate) fn hmac_sha256(key: &Key, input: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), input);
    let mut out = [0; 32];
    out.iter_mut()
        .zip(tag.as_ref())
        .for_each(|(to, from)| *to = *from);
    out
}

pub(crate) fn hmac_matches(key: &Key, input: &[u8], tag: &[u8]) -> bool {
    hmac::verify(&hmac::Key::new(hmac::HMAC_SHA256, key.as_slice()), input, tag).is_ok()
}
