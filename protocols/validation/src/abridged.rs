//! Names in sentences.

use std::fmt;

/// The longest name shown whole, in bytes; it leaves room for what is said about it.
const LEN_MAX: usize = 128;
const KEPT_EACH_END: usize = 60;

/// Shows a name, a very long one as its two ends, so that a bounded sentence keeps its point.
pub(crate) struct Abridged<'a>(pub(crate) &'a str);

impl fmt::Display for Abridged<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0;
        let ends = (
            name.get(..KEPT_EACH_END),
            name.get(name.len().saturating_sub(KEPT_EACH_END)..),
        );
        match ends {
            (Some(first), Some(last)) if name.len() > LEN_MAX => write!(f, "{first}...{last}"),
            _ => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_very_long_names_are_abridged() {
        let rows = [
            ("empty", String::new(), String::new()),
            ("short", "a.test".into(), "a.test".into()),
            ("at the limit", "a".repeat(128), "a".repeat(128)),
            (
                "over it",
                format!("{}{}", "a".repeat(65), "b".repeat(64)),
                format!("{}...{}", "a".repeat(60), "b".repeat(60)),
            ),
        ];
        for (row, name, expected) in rows {
            assert_eq!(Abridged(&name).to_string(), expected, "{row}");
        }
    }
}
