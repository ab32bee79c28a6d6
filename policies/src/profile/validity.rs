//! How long a certificate lives.

use std::time::Duration;

use serde::Deserialize;

use portreeve_pkix::duration;

/// How long a certificate lives. All durations are whole seconds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidityRules {
    /// From notBefore to notAfter, when nothing is asked for.
    #[serde(with = "duration")]
    pub default: Duration,
    /// The longest such time.
    #[serde(with = "duration")]
    pub max: Duration,
    /// The shortest time that an end which is asked for must lie ahead.
    #[serde(with = "duration", default = "minute")]
    pub min: Duration,
    /// How far notBefore lies in the past, for clients whose clocks are behind; also how far it may be asked for.
    #[serde(with = "duration", default)]
    pub backdate: Duration,
    /// What is done with times that are asked for.
    #[serde(default)]
    pub requested: RequestedTimes,
    /// What is done with an end outside the limits.
    #[serde(default)]
    pub outside: OutsideLimits,
}

/// What is done with times that are asked for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedTimes {
    /// They are certified inside the limits.
    #[default]
    Honour,
    /// They are left out of account.
    Ignore,
}

/// What is done with an end outside the limits.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideLimits {
    /// The request is refused.
    #[default]
    Refuse,
    /// The nearest time inside the limits is certified.
    Cap,
}

const fn minute() -> Duration {
    Duration::from_secs(60)
}
