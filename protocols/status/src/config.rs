//! The knobs of publication.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How CRLs are made and served. Durations are written as `"24h"`, `"10m"`, `"30s"`, `"200ms"`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusConfig {
    /// From `thisUpdate` to `nextUpdate`. A new CRL is signed when half of it is over, and after every revocation.
    #[serde(with = "self::duration")]
    pub next_update: Duration,
    /// How long revocations are gathered before a CRL is signed for them.
    #[serde(with = "self::duration")]
    pub gather: Duration,
    /// How long caches may keep a CRL, at most.
    #[serde(with = "self::duration")]
    pub cache_max: Duration,
    /// How often a node looks by itself whether there is something new; hints may be lost.
    #[serde(with = "self::duration")]
    pub look_every: Duration,
}

impl Default for StatusConfig {
    fn default() -> Self {
        Self {
            next_update: Duration::from_secs(24 * 3600),
            gather: Duration::from_millis(200),
            cache_max: Duration::from_secs(300),
            look_every: Duration::from_secs(60),
        }
    }
}

mod duration {
    use super::{Deserialize, Deserializer, Duration, Serializer};
    use serde::de::Error;

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
        let bad = || D::Error::custom(format_args!("{text:?} is not a duration such as \"24h\""));
        parse(&text).ok_or_else(bad)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_durations() {
        let config: StatusConfig =
            serde_json::from_str(r#"{"next_update": "7d", "gather": "50ms"}"#).unwrap();
        assert_eq!(config.next_update, Duration::from_secs(7 * 24 * 3600));
        assert_eq!(config.gather, Duration::from_millis(50));
        assert_eq!(config.cache_max, StatusConfig::default().cache_max);
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<StatusConfig>(&written).unwrap(), config);
        for bad in [
            r#"{"next_update": "7"}"#,
            r#"{"next_update": 7}"#,
            r#"{"nextUpdate": "7d"}"#,
        ] {
            assert!(serde_json::from_str::<StatusConfig>(bad).is_err(), "{bad}");
        }
    }
}
