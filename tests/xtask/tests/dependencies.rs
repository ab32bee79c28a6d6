//! Licences, registries and banned crates of everything that ends up in the gateway, by the rules of `deny.toml`.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use toml::{Table, Value};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn rules() -> Table {
    std::fs::read_to_string(root().join("deny.toml"))
        .unwrap()
        .parse()
        .unwrap()
}

fn strings(value: &Value) -> Vec<String> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap().to_owned())
        .collect()
}

/// The crates that cargo really builds for the gateway on this platform, and their licence expressions.
///
/// `cargo tree` and not `cargo metadata`: the latter lists crates of features that are off.
fn gateway_tree() -> BTreeMap<String, String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "portreeve",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}|{l}",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let rows = text.lines().filter(|line| !line.is_empty()).map(|line| {
        let (package, licence) = line.split_once('|').unwrap();
        let name = package.split(' ').next().unwrap();
        (name.to_owned(), licence.trim_end_matches(" (*)").to_owned())
    });
    rows.collect()
}

#[test]
fn no_banned_crate_is_built_into_the_gateway() {
    let tree = gateway_tree();
    assert!(tree.contains_key("aws-lc-rs"), "the tree was read");
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().unwrap();
    for ban in banned {
        let name = ban["name"].as_str().unwrap();
        assert!(!tree.contains_key(name), "{name}: {}", ban["reason"]);
    }
    for needed in ["ring", "openssl-sys", "rsa"] {
        assert!(
            banned.iter().any(|ban| ban["name"].as_str() == Some(needed)),
            "{needed} stays banned"
        );
    }
}

#[test]
fn every_crate_of_the_gateway_is_under_an_allowed_licence() {
    let allowed = strings(&rules()["licenses"]["allow"]);
    for (name, licence) in gateway_tree() {
        assert!(licence::permitted(&licence, &allowed), "{name}: {licence}");
    }
}

#[test]
fn every_crate_comes_from_an_allowed_registry() {
    let allowed = strings(&rules()["sources"]["allow-registry"]);
    let lock: Table = std::fs::read_to_string(root().join("Cargo.lock"))
        .unwrap()
        .parse()
        .unwrap();
    for package in lock["package"].as_array().unwrap() {
        let Some(source) = package.get("source").and_then(Value::as_str) else {
            continue;
        };
        let registry = source.strip_prefix("registry+").unwrap_or(source);
        assert!(
            allowed.iter().any(|one| one == registry),
            "{}: {source}",
            package["name"]
        );
    }
}

/// Licence expressions (SPDX): `AND`, `OR`, `WITH`, brackets, and the old `/` for `OR`.
mod licence {
    /// Whether one may use what is under `expression` with the `allowed` licences only.
    pub(super) fn permitted(expression: &str, allowed: &[String]) -> bool {
        let spaced = expression
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace('/', " OR ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        let mut reader = Reader {
            words: &words,
            allowed,
        };
        reader.either() && reader.words.is_empty()
    }

    struct Reader<'a> {
        words: &'a [&'a str],
        allowed: &'a [String],
    }

    impl Reader<'_> {
        fn either(&mut self) -> bool {
            let mut permitted = self.both();
            while self.take("OR") {
                permitted |= self.both();
            }
            permitted
        }

        fn both(&mut self) -> bool {
            let mut permitted = self.one();
            while self.take("AND") {
                permitted &= self.one();
            }
            permitted
        }

        fn one(&mut self) -> bool {
            if self.take("(") {
                let permitted = self.either();
                return self.take(")") && permitted;
            }
            let Some((licence, rest)) = self.words.split_first() else {
                return false;
            };
            self.words = rest;
            let mut name = (*licence).to_owned();
            if self.take("WITH")
                && let Some((exception, rest)) = self.words.split_first()
            {
                name = format!("{name} WITH {exception}");
                self.words = rest;
            }
            self.allowed.contains(&name)
        }

        fn take(&mut self, word: &str) -> bool {
            let found = self.words.first() == Some(&word);
            if found {
                self.words = &self.words[1..];
            }
            found
        }
    }

    #[test]
    fn expressions_are_read() {
        let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
        let rows = [
            ("MIT", true),
            ("GPL-3.0", false),
            ("MIT OR GPL-3.0", true),
            ("MIT AND GPL-3.0", false),
            ("GPL-3.0/MIT", true),
            ("ISC AND (GPL-3.0 OR MIT)", true),
            ("(MIT OR ISC) AND GPL-3.0", false),
            ("GPL-3.0 OR MIT AND ISC", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
            ("", false),
            ("(MIT", false),
        ];
        for (expression, expected) in rows {
            assert_eq!(permitted(expression, &allowed), expected, "{expression}");
        }
    }
}
