//! Durations as people write them: `"20s"`, `"500ms"`, `"1m"`, or a number of seconds.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a duration such as \"20s\", \"500ms\", \"1m\" or a number of seconds"
)]
enum Written {
    Seconds(u64),
    Text(String),
}

/// Reads a duration.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    match Written::deserialize(deserializer)? {
        Written::Seconds(seconds) => Ok(Duration::from_secs(seconds)),
        Written::Text(text) => parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "\"{text}\" is not a duration such as \"20s\" or \"500ms\""
            ))
        }),
    }
}

/// Writes a duration in the largest unit that is exact.
pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    if duration.subsec_millis() == 0 {
        serializer.collect_str(&format_args!("{}s", duration.as_secs()))
    } else {
        serializer.collect_str(&format_args!("{}ms", duration.as_millis()))
    }
}

fn parse(text: &str) -> Option<Duration> {
    let unit = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(unit)?;
    let number: u64 = number.parse().ok()?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number.checked_mul(60)?)),
        _ => None,
    }
}
