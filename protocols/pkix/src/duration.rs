//! Durations as people write them: `"30s"`, `"10m"`, `"24h"`, `"90d"`, `"500ms"`, `"1h30m"`.
//!
//! Every TOML text and configuration file uses this form: it stands in the leaf that all crates may depend on. For serde:
//! `#[serde(with = "portreeve_pkix::duration")]`,
//! or [`optional`] for an `Option<Duration>`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a duration such as \"30s\", \"10m\", \"24h\", \"90d\" or \"1h30m\"")]
pub struct BadDuration(pub String);

/// Reads a duration: one or more whole numbers, each with its unit (`d`, `h`, `m`, `s`, `ms`), larger units first.
///
/// A number without unit, a fraction, a repeated unit and anything beyond 2^64 milliseconds are refused.
pub fn parse(text: &str) -> Result<Duration, BadDuration> {
    millis(text)
        .map(Duration::from_millis)
        .ok_or_else(|| BadDuration(text.to_owned()))
}

fn millis(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0_u64;
    let mut units = UNITS.iter();
    loop {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let unit_length = after
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(unit_length)?;
        // The iterator moves on, so that a unit cannot follow itself or a smaller one.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
        if after.is_empty() {
            return Some(total);
        }
        rest = after;
    }
}

/// Shows a duration in the largest unit that is exact, as [`parse`] reads it; finer than milliseconds is cut off.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Spelled(pub Duration);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        let exact = UNITS
            .iter()
            .find(|(_, factor)| millis.is_multiple_of(u128::from(*factor)));
        match exact {
            Some((unit, factor)) => write!(f, "{}{unit}", millis / u128::from(*factor)),
            None => write!(f, "{millis}ms"),
        }
    }
}

/// Reads a duration from its text.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Writes a duration as text.
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Spelled(*duration))
}

/// The same for a duration that may be absent; to be used with `#[serde(default)]`.
pub mod optional {
    use std::time::Duration;

    use serde::{Deserializer, Serializer};

    /// Reads a duration from its text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }

    /// Writes a duration as text, or nothing.
    pub fn serialize<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, serializer),
            None => serializer.serialize_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads() {
        let rows = [
            ("30s", 30_000),
            ("10m", 600_000),
            ("24h", 86_400_000),
            ("90d", 7_776_000_000),
            ("500ms", 500),
            ("0s", 0),
            ("1h30m", 5_400_000),
            ("1d2h3m4s5ms", 93_784_005),
            ("007s", 7_000),
        ];
        for (text, millis) in rows {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses() {
        for text in [
            "",
            "s",
            "5",
            "5 s",
            " 5s",
            "5s ",
            "-5s",
            "+5s",
            "1.5h",
            "5y",
            "5S",
            "5sec",
            "1m1m",
            "1m1h",
            "1s,1ms",
            "99999999999999999999s",
            "300000000000d",
            "five",
            "5\u{661}s",
        ] {
            assert_eq!(parse(text), Err(BadDuration(text.to_owned())));
        }
    }

    #[test]
    fn shows_the_largest_exact_unit() {
        let rows = [
            (0, "0s"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (5_400_000, "90m"),
            (129_600_000, "36h"),
        ];
        for (millis, text) in rows {
            assert_eq!(Spelled(Duration::from_millis(millis)).to_string(), text);
        }
        assert_eq!(Spelled(Duration::from_secs(7_776_000)).to_string(), "90d");
    }

    proptest! {
        #[test]
        fn shown_reads_back(millis: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&Spelled(duration).to_string()), Ok(duration));
        }

        #[test]
        fn never_panics(text in "\\PC{0,30}|[0-9]{1,25}(ms|s|m|h|d)?") {
            let _ = parse(&text);
        }
    }
}
