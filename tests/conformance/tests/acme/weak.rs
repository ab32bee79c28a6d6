//! Keys that no server should accept.

use portreeve_conformance::acme::{KnownEcKey, KnownRsaKey};

/// Every weak RSA key, by name.
pub(crate) fn weak_rsa_keys() -> Vec<(&'static str, KnownRsaKey)> {
    let lines = include_str!("fixtures/weak-keys.txt")
        .lines()
        .filter(|line| !line.starts_with('#'));
    let keys = lines.map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        (words[0], KnownRsaKey::new(words[1], words[2], words[3]))
    });
    keys.collect()
}

/// The P-256 key with the private scalar 1: its point is the generator.
pub(crate) fn private_key_one() -> KnownEcKey {
    let generator = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296\
                     4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    KnownEcKey::new(&format!("{}01", "00".repeat(31)), generator)
}
