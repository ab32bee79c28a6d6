//! Durations as people write them: a whole number and its unit.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

/// Units with their milliseconds, the largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom(format_args!(
            "{text:?} is not a duration such as \"3s\" or \"7d\""
        ))
    })
}

pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let exact = UNITS
        .iter()
        .find(|(_, unit)| millis.is_multiple_of(*unit) && millis >= *unit);
    let (name, unit) = exact.copied().unwrap_or(("ms", 1));
    serializer.collect_str(&format_args!("{}{name}", millis / unit))
}

fn parse(text: &str) -> Option<Duration> {
    let (number, name) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(*unit)
        .map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units() {
        let rows = [
            ("milliseconds", "500ms", Some(500)),
            ("seconds", "3s", Some(3000)),
            ("minutes", "2m", Some(120_000)),
            ("hours", "1h", Some(3_600_000)),
            ("days", "7d", Some(604_800_000)),
            ("nothing", "0s", Some(0)),
            ("no unit", "3", None),
            ("no number", "s", None),
            ("negative", "-3s", None),
            ("fraction", "1.5s", None),
            ("space", "3 s", None),
            ("unknown unit", "3w", None),
            ("too large", "18446744073709551615d", None),
        ];
        for (name, text, millis) in rows {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{name}");
        }
    }
}
