//! A clock moved by hand, and a sealer with fresh keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use portreeve_pkix::{Secret, Timestamp};
use portreeve_ra::Purpose;
use portreeve_ra::ports::{Clock, KeyError, Random, Sealer};

/// A clock that stands still until it is moved.
#[derive(Clone, Debug)]
pub struct HandClock(Arc<AtomicI64>);

impl Default for HandClock {
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000_000)))
    }
}

impl HandClock {
    /// An hour from now.
    pub fn now_plus_hour(&self) -> Timestamp {
        self.now().saturating_add(Duration::from_secs(3_600))
    }

    /// Moves it on.
    pub fn advance(&self, by: Duration) {
        self.0
            .fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.0.load(Ordering::SeqCst))
    }

    async fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// Chance from the cryptographic library.
#[derive(Copy, Clone, Debug, Default)]
pub struct FreshRandom;

impl Random for FreshRandom {
    fn fill(&self, octets: &mut [u8]) {
        aws_lc_rs::rand::fill(octets).unwrap();
    }
}

/// A sealer with one key for every purpose.
pub struct OneKeySealer {
    aead: RandomizedNonceKey,
    mac: hmac::Key,
}

impl Default for OneKeySealer {
    fn default() -> Self {
        let mut key = [0; 32];
        FreshRandom.fill(&mut key);
        Self {
            aead: RandomizedNonceKey::new(&AES_256_GCM, &key).unwrap(),
            mac: hmac::Key::new(hmac::HMAC_SHA256, &key),
        }
    }
}

impl OneKeySealer {
    fn bound(purpose: Purpose, associated: &[u8]) -> Vec<u8> {
        [purpose.as_str().as_bytes(), b"\0", associated].concat()
    }
}

impl Sealer for OneKeySealer {
    fn seal(&self, purpose: Purpose, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut sealed = plain.to_vec();
        let aad = Aad::from(Self::bound(purpose, associated));
        let nonce = self
            .aead
            .seal_in_place_append_tag(aad, &mut sealed)
            .map_err(|_| KeyError::Invalid)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    fn open(&self, purpose: Purpose, associated: &[u8], sealed: &[u8]) -> Result<Secret, KeyError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN).ok_or(KeyError::Invalid)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| KeyError::Invalid)?;
        let mut plain = sealed.to_vec();
        let aad = Aad::from(Self::bound(purpose, associated));
        let length = self
            .aead
            .open_in_place(nonce, aad, &mut plain)
            .map_err(|_| KeyError::Invalid)?
            .len();
        plain.truncate(length);
        Ok(Secret::new(plain))
    }

    fn mac(&self, purpose: Purpose, label: &str, input: &[u8]) -> Result<[u8; 32], KeyError> {
        let message = Self::bound(purpose, &[label.as_bytes(), b"\0", input].concat());
        hmac::sign(&self.mac, &message)
            .as_ref()
            .try_into()
            .map_err(|_| KeyError::Invalid)
    }

    fn check_mac(&self, purpose: Purpose, label: &str, input: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        let message = Self::bound(purpose, &[label.as_bytes(), b"\0", input].concat());
        hmac::verify(&self.mac, &message, tag).map_err(|_| KeyError::Invalid)
    }
}
