//! Regular expressions that must match a whole value.

use std::fmt;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, de::Error};

/// Compiled size in bytes: a profile must not be able to fill memory.
const COMPILED_SIZE_MAX: usize = 256 * 1024;

/// A regular expression (syntax of the crate `regex`: linear time) that matches a value as a whole or not at all.
#[derive(Clone)]
pub struct Pattern {
    source: String,
    whole: Regex,
}

impl Pattern {
    /// Compiles the expression.
    pub fn new(source: &str) -> Result<Self, regex::Error> {
        // On its own first: `a)|(b` is only valid inside the group, and would escape the anchors there.
        compile(source)?;
        let whole = compile(&format!("^(?:{source})$"))?;
        Ok(Self {
            source: source.to_owned(),
            whole,
        })
    }

    /// Whether the whole value matches.
    pub fn matches(&self, value: &str) -> bool {
        self.whole.is_match(value)
    }
}

fn compile(source: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(source).size_limit(COMPILED_SIZE_MAX).build()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.source)
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_whole_values_only() {
        let rows = [
            ("[a-z]+", "abc", true),
            ("[a-z]+", "abc1", false),
            ("[a-z]+", "abc\n", false),
            ("a|b", "ab", false),
            ("a|b", "b", true),
            ("(?m)a", "a\nb", false),
            ("(?i)abc", "ABC", true),
            ("", "", true),
        ];
        for (source, value, expected) in rows {
            assert_eq!(
                Pattern::new(source).unwrap().matches(value),
                expected,
                "{source} on {value:?}"
            );
        }
    }

    #[test]
    fn refuses_what_would_escape_or_explode() {
        for source in ["a)|(b", "(", "(?x)a # ", "\\p{L}{1000}{1000}"] {
            assert!(Pattern::new(source).is_err(), "{source}");
        }
    }
}
