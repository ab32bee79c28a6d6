//! Which keys are certified.

use std::fmt;
use std::str::FromStr;

use portreeve_pkix::KeyAlgorithm;
use serde::{Deserialize, Deserializer, de::Error};

/// Which keys are certified. Known weaknesses are refused whatever stands here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRules {
    /// Algorithms and sizes.
    pub allowed: Vec<KeyRange>,
}

impl KeyRules {
    /// Whether this algorithm and size is allowed.
    pub fn allows(&self, algorithm: KeyAlgorithm) -> bool {
        self.allowed.iter().any(|range| range.contains(algorithm))
    }
}

/// One algorithm, or RSA with a range of sizes: `"P-256"`, `"Ed25519"`, `"RSA-2048"`, `"RSA-2048..4096"`.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum KeyRange {
    /// Exactly this algorithm.
    One(KeyAlgorithm),
    /// RSA with a modulus of so many bits, both bounds included.
    Rsa {
        /// Fewest bits.
        bits_min: u32,
        /// Most bits.
        bits_max: u32,
    },
}

impl KeyRange {
    /// Whether the algorithm is in the range.
    pub fn contains(self, algorithm: KeyAlgorithm) -> bool {
        match (self, algorithm) {
            (Self::Rsa { bits_min, bits_max }, KeyAlgorithm::Rsa { bits }) => {
                (bits_min..=bits_max).contains(&bits)
            }
            (Self::One(one), other) => one == other,
            (Self::Rsa { .. }, _) => false,
        }
    }
}

/// A text that is not a [`KeyRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not one of P-256, P-384, P-521, Ed25519, RSA-BITS, RSA-BITS..BITS (2048 to 8192)")]
pub struct BadKeyRange(String);

impl FromStr for KeyRange {
    type Err = BadKeyRange;

    fn from_str(text: &str) -> Result<Self, BadKeyRange> {
        let bad = || BadKeyRange(text.to_owned());
        let Some(sizes) = text.strip_prefix("RSA-") else {
            return text.parse().map(Self::One).map_err(|_| bad());
        };
        let (low, high) = sizes.split_once("..").unwrap_or((sizes, sizes));
        let size = |digits: &str| digits.parse().ok().filter(|bits| (2048..=8192).contains(bits));
        match (size(low), size(high)) {
            (Some(bits_min), Some(bits_max)) if bits_min <= bits_max => Ok(Self::Rsa { bits_min, bits_max }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(algorithm) => algorithm.fmt(f),
            Self::Rsa { bits_min, bits_max } if bits_min == bits_max => write!(f, "RSA-{bits_min}"),
            Self::Rsa { bits_min, bits_max } => write!(f, "RSA-{bits_min}..{bits_max}"),
        }
    }
}

impl<'de> Deserialize<'de> for KeyRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_shows() {
        for text in ["P-256", "P-384", "P-521", "Ed25519", "RSA-3072", "RSA-2048..4096"] {
            assert_eq!(text.parse::<KeyRange>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "p-256",
            "RSA",
            "RSA-1024",
            "RSA-1024..4096",
            "RSA-4096..2048",
            "RSA-2048..16384",
            "DSA",
        ] {
            assert!(text.parse::<KeyRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn bounds_are_included() {
        let range: KeyRange = "RSA-2048..4096".parse().unwrap();
        for (bits, expected) in [
            (2047, false),
            (2048, true),
            (3072, true),
            (4096, true),
            (4097, false),
        ] {
            assert_eq!(range.contains(KeyAlgorithm::Rsa { bits }), expected, "{bits}");
        }
        assert!(!range.contains(KeyAlgorithm::EcP256));
        assert!(!KeyRange::One(KeyAlgorithm::EcP256).contains(KeyAlgorithm::EcP384));
    }
}
