//! The knobs of publication.

use std::time::Duration;

use portreeve_pkix::duration;
use serde::{Deserialize, Serialize};

/// How CRLs are made and served. Durations are written as `"24h"`, `"10m"`, `"30s"`, `"200ms"`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusConfig {
    /// From `thisUpdate` to `nextUpdate`. A new CRL is signed when half of it is over, and after every revocation.
    #[serde(with = "duration")]
    pub next_update: Duration,
    /// How long revocations are gathered before a CRL is signed for them.
    #[serde(with = "duration")]
    pub gather: Duration,
    /// How long caches may keep a CRL, at most.
    #[serde(with = "duration")]
    pub cache_max: Duration,
    /// How often a node looks by itself whether there is something new; hints may be lost.
    #[serde(with = "duration")]
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
