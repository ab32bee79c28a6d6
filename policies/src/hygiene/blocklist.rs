//! Keys that are known to others, by the SHA-256 of their SubjectPublicKeyInfo.

use std::collections::HashSet;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use portreeve_pkix::PublicKey;

const EMBEDDED: &str = include_str!("blocklist.txt");
/// Room for some two million keys.
const FILE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// A set of keys that are refused.
///
/// The text form has one fingerprint of 64 hexadecimal digits in a line; blank lines and lines that begin with `#`
/// are skipped, and so is what follows the fingerprint after a blank.
#[derive(Clone, Default)]
pub struct Blocklist {
    fingerprints: HashSet<[u8; 32]>,
}

/// Why a list cannot be used. A list is used as a whole or not at all.
#[derive(Debug, thiserror::Error)]
pub enum BlocklistError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than is accepted.
    #[error("{0}: larger than {FILE_BYTES_MAX} bytes")]
    TooLarge(PathBuf),
    /// A line is no fingerprint.
    #[error("line {0}: not the SHA-256 of a public key in hexadecimal")]
    Line(usize),
}

impl Blocklist {
    /// No key at all.
    pub fn empty() -> Self {
        Self::default()
    }

    /// The keys that come with the gateway: published examples and keys that need no private half.
    pub fn embedded() -> Self {
        // A test reads the embedded text; it cannot fail here.
        Self::empty().with_text(EMBEDDED).unwrap_or_default()
    }

    /// The list with the keys of a text besides.
    pub fn with_text(mut self, text: &str) -> Result<Self, BlocklistError> {
        for (index, line) in text.lines().enumerate() {
            let Some(word) = line
                .split_whitespace()
                .next()
                .filter(|word| !word.starts_with('#'))
            else {
                continue;
            };
            let mut fingerprint = [0; 32];
            hex::decode_to_slice(word, &mut fingerprint).map_err(|_| BlocklistError::Line(index + 1))?;
            self.fingerprints.insert(fingerprint);
        }
        Ok(self)
    }

    /// The list with the keys of a file besides.
    pub fn with_file(self, path: &Path) -> Result<Self, BlocklistError> {
        let unreadable = |source| BlocklistError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
            return Err(BlocklistError::TooLarge(path.to_owned()));
        }
        self.with_text(&text)
    }

    /// Whether the key is on the list.
    pub fn contains(&self, key: &PublicKey) -> bool {
        self.fingerprints.contains(&key.fingerprint())
    }

    /// How many keys are on the list.
    pub fn len(&self) -> usize {
        self.fingerprints.len()
    }

    /// No key is on the list.
    pub fn is_empty(&self) -> bool {
        self.fingerprints.is_empty()
    }
}

impl fmt::Debug for Blocklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blocklist({} keys)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_pkix::KeyAlgorithm;

    #[test]
    fn the_embedded_list_reads_whole() {
        let lines = EMBEDDED
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count();
        assert_eq!(Blocklist::empty().with_text(EMBEDDED).unwrap().len(), lines);
        assert_eq!(Blocklist::embedded().len(), 25);
    }

    /// The fingerprints of the list are those of the keys that its comments name.
    #[test]
    fn the_embedded_list_holds_what_it_says() {
        let point = |curve, x: &str, y: &str| {
            PublicKey::from_ec_point(curve, &hex::decode(format!("04{x}{y}")).unwrap()).unwrap()
        };
        let ed25519 = |hex_key: &str| PublicKey::from_ed25519(&hex::decode(hex_key).unwrap()).unwrap();
        let generator_x = "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296";
        let rows = [
            (
                "P-256 private key 1",
                point(
                    KeyAlgorithm::EcP256,
                    generator_x,
                    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
                ),
            ),
            (
                "P-256 private key n-1",
                point(
                    KeyAlgorithm::EcP256,
                    generator_x,
                    "b01cbd1c01e58065711814b583f061e9d431cca994cea1313449bf97c840ae0a",
                ),
            ),
            (
                "RFC 7515 A.3",
                point(
                    KeyAlgorithm::EcP256,
                    "7fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445",
                    "c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad",
                ),
            ),
            (
                "P-384 private key 1",
                point(
                    KeyAlgorithm::EcP384,
                    "aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7",
                    "3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f",
                ),
            ),
            (
                "RFC 9500 testECCP256",
                point(
                    KeyAlgorithm::EcP256,
                    "422548f88fb782ffb5eca3744452c72a1e558fbd6f73be5e48e93232cc45c5b1",
                    "6c4cd10c4cb8d5b8a17139e94882c8992572993425f41419ab7e90a42a494272",
                ),
            ),
            (
                "RFC 8037 A",
                ed25519("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
            ),
            (
                "RFC 8410 10.1",
                ed25519("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"),
            ),
            (
                "identity",
                ed25519("0100000000000000000000000000000000000000000000000000000000000000"),
            ),
            (
                "order 2",
                ed25519("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
            ),
            (
                "order 8",
                ed25519("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
            ),
        ];
        let list = Blocklist::embedded();
        for (name, key) in rows {
            assert!(list.contains(&key), "{name}");
        }
        let other = ed25519("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f7075100");
        assert!(!list.contains(&other));
    }

    #[test]
    fn files_are_used_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("blocked");
        let rows = [
            (
                "comment and remark",
                format!("# keys\n\n{} stolen laptop\n", "ab".repeat(32)),
                Ok(1),
            ),
            ("upper case", "AB".repeat(32), Ok(1)),
            (
                "short",
                format!("{}\n{}", "ab".repeat(32), "ab".repeat(31)),
                Err("line 2"),
            ),
            ("no digits", "x".repeat(64), Err("line 1")),
        ];
        for (name, text, expected) in rows {
            std::fs::write(&path, text).unwrap();
            match (Blocklist::empty().with_file(&path), expected) {
                (Ok(list), Ok(count)) => assert_eq!(list.len(), count, "{name}"),
                (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{name}: {error}"),
                (result, _) => panic!("{name}: {result:?}"),
            }
        }
        assert!(
            Blocklist::empty()
                .with_file(&directory.path().join("none"))
                .is_err()
        );
    }
}
