//! Secret bytes.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes: wiped when dropped, never printed, compared in constant time.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over the bytes; they are wiped with the secret.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes themselves. Do not copy them into anything that is logged, stored or kept.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl PartialEq for Secret {
    /// Takes time that depends on the lengths only.
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_and_hides() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(secret, Secret::from(b"hunter2".to_vec()));
        assert_ne!(secret, Secret::from(b"hunter3".to_vec()));
        assert_ne!(secret, Secret::from(b"hunter".to_vec()));
        assert_eq!(format!("{secret:?}"), "Secret");
        assert_eq!(secret.expose(), b"hunter2");
    }
}
