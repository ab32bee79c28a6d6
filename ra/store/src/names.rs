//! Names as they are stored for searching.

use std::collections::BTreeMap;

use portreeve_pkix::sha256;
use portreeve_ra::ports::SearchedNames;

/// Octets of the names of a certificate in which parts are found, at most; exact names are all found.
pub(crate) const CERTIFICATE_MAX: usize = 4_096;

/// Octets of the names of a request that are found, at most.
pub(crate) const REQUEST_MAX: usize = 1_024;

/// Octets of a name that is its own key; a longer one would not fit into an index.
const KEY_MAX: usize = 255;

/// Names on lines of their own, each with a line end before and behind it; nothing when there are none. A name that would
/// not fit is left out, and all behind it.
pub(crate) fn joined(names: &[String], octets_max: usize) -> String {
    let mut text = String::new();
    for name in names {
        let name = plain(name);
        if text.len() + name.len() + 2 > octets_max {
            break;
        }
        if text.is_empty() {
            text.push('\n');
        }
        text.push_str(&name);
        text.push('\n');
    }
    text
}

/// Each different name as its key, with what it is: 1 a common name, 2 an alternative name, 3 both.
pub(crate) fn exact(names: &SearchedNames) -> BTreeMap<String, i64> {
    let mut kinds = BTreeMap::new();
    for (several, kind) in [(&names.common, COMMON), (&names.alternative, ALTERNATIVE)] {
        for name in several {
            *kinds.entry(key(name)).or_insert(0) |= kind;
        }
    }
    kinds
}

/// A common name, in `kinds`.
pub(crate) const COMMON: i64 = 1;

/// An alternative name, in `kinds`.
pub(crate) const ALTERNATIVE: i64 = 2;

/// What a name is found by exactly.
pub(crate) fn key(name: &str) -> String {
    if name.len() <= KEY_MAX {
        return plain(name);
    }
    let digits = sha256(name.as_bytes())
        .iter()
        .fold(String::new(), |mut digits, octet| {
            digits.push_str(&format!("{octet:02x}"));
            digits
        });
    format!("sha256:{digits}")
}

/// Without control characters: PostgreSQL's text has no octet zero, and a line end parts names.
fn plain(name: &str) -> String {
    name.replace(|c: char| c.is_control(), "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_on_lines() {
        let rows: [(&str, &[&str], &str); 5] = [
            ("none", &[], ""),
            ("one", &["a"], "\na\n"),
            ("two", &["a", "b"], "\na\nb\n"),
            ("no room for the second", &["abc", "defg", "h"], "\nabc\n"),
            ("no other lines", &["a\nb\0"], "\na\u{fffd}b\u{fffd}\n"),
        ];
        for (name, names, expected) in rows {
            assert_eq!(joined(&texts(names), 10), expected, "{name}");
        }
    }

    #[test]
    fn every_name_has_one_key() {
        let long = "x".repeat(256);
        let names = SearchedNames {
            common: texts(&["a", "b"]),
            alternative: texts(&["b", "c", &long]),
        };
        let found = exact(&names);
        let kinds: Vec<i64> = ["a", "b", "c"].iter().map(|name| found[*name]).collect();
        assert_eq!(kinds, [1, 3, 2]);
        assert_eq!(found[&key(&long)], 2);
        assert_eq!(key(&long).len(), 71);
        assert_ne!(key(&long), key(&"x".repeat(257)));
    }
}
