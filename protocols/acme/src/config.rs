//! The knobs of the ACME edge.

use std::time::Duration;

use portreeve_pkix::duration;
use serde::{Deserialize, Serialize};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How the ACME edge behaves, on all its endpoints. Durations are written as `"500ms"`, `"3s"`, `"10m"`, `"1h"`, `"7d"`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AcmeConfig {
    /// The public base URL of the whole gateway, without a path. Set from `server.external_url`: every object's URL
    /// begins with it and the `url` of every signed request is compared with it (RFC 8555 section 6.4).
    #[serde(skip)]
    pub external_url: String,
    /// Where the terms of service stand; when set, an account must agree to them (RFC 8555 section 7.3).
    pub terms_of_service: Option<String>,
    /// Where a human reads about the service.
    pub website: Option<String>,
    /// The names that CAA records use for this CA.
    pub caa_identities: Vec<String>,
    /// When clients are told to come back.
    pub retry_after: RetryAfter,
    /// How long an answer to a challenge waits for the validation, so that a fast one needs no polling.
    #[serde(with = "duration")]
    pub challenge_wait: Duration,
    /// After this an attempt at validation is given up.
    #[serde(with = "duration")]
    pub validation_time_max: Duration,
    /// How long a proof of control counts.
    #[serde(with = "duration")]
    pub authorization_lifetime: Duration,
    /// How long an authorization waits to be answered.
    #[serde(with = "duration")]
    pub authorization_pending_lifetime: Duration,
    /// Whether a proof that still counts makes the authorizations of later orders valid at once.
    pub authorization_reuse: bool,
    /// How long an order waits to be finalized.
    #[serde(with = "duration")]
    pub order_lifetime: Duration,
    /// Identifiers in one order, at most.
    pub identifiers_max: usize,
    /// Contacts of one account, at most.
    pub contacts_max: usize,
    /// Accounts that one client address may open at one endpoint within `accounts_period`; an IPv6 address counts with
    /// its whole /64. 0 sets no limit.
    pub accounts_per_address_max: u32,
    /// The time in which accounts are counted.
    #[serde(with = "duration")]
    pub accounts_period: Duration,
    /// Orders of one account that are neither finalized nor ended, at most.
    pub orders_pending_max: u32,
    /// Orders on one page of an account's list.
    pub orders_per_page: u32,
    /// How long finished orders and authorizations can still be read.
    #[serde(with = "duration")]
    pub retention: Duration,
    /// How long a nonce is good.
    #[serde(with = "duration")]
    pub nonce_lifetime: Duration,
}

/// When clients are told to come back, by what they wait for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryAfter {
    /// An order that is pending. One that is processing names its endpoint's own time.
    #[serde(with = "duration")]
    pub order: Duration,
    /// An authorization that is pending.
    #[serde(with = "duration")]
    pub authorization: Duration,
    /// A challenge that is pending or processing.
    #[serde(with = "duration")]
    pub challenge: Duration,
}

impl Default for RetryAfter {
    fn default() -> Self {
        let usual = Duration::from_secs(3);
        Self {
            order: usual,
            authorization: usual,
            challenge: usual,
        }
    }
}

impl Default for AcmeConfig {
    fn default() -> Self {
        Self {
            external_url: String::new(),
            terms_of_service: None,
            website: None,
            caa_identities: Vec::new(),
            retry_after: RetryAfter::default(),
            challenge_wait: Duration::from_millis(500),
            validation_time_max: Duration::from_secs(30),
            authorization_lifetime: DAY * 30,
            authorization_pending_lifetime: DAY * 7,
            authorization_reuse: true,
            order_lifetime: DAY * 7,
            identifiers_max: 100,
            contacts_max: 10,
            accounts_per_address_max: 50,
            accounts_period: Duration::from_secs(3600),
            orders_pending_max: 300,
            orders_per_page: 50,
            retention: DAY * 30,
            nonce_lifetime: Duration::from_secs(3600),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_given_and_keeps_the_rest() {
        let config: AcmeConfig = serde_json::from_value(serde_json::json!({
            "terms_of_service": "https://ra.example/terms",
            "retry_after": {"order": "1s"},
            "authorization_lifetime": "90d",
            "challenge_wait": "250ms",
            "authorization_reuse": false,
        }))
        .unwrap();
        assert_eq!(
            config.terms_of_service.as_deref(),
            Some("https://ra.example/terms")
        );
        assert_eq!(config.retry_after.order, Duration::from_secs(1));
        assert_eq!(config.retry_after.challenge, Duration::from_secs(3));
        assert_eq!(config.authorization_lifetime, DAY * 90);
        assert_eq!(config.challenge_wait, Duration::from_millis(250));
        assert!(!config.authorization_reuse);
        assert_eq!(config.identifiers_max, 100);
    }

    #[test]
    fn unknown_keys_and_bad_values_are_errors() {
        let rows = [
            ("unknown key", serde_json::json!({"nonce_life": "1h"})),
            (
                "unknown key below",
                serde_json::json!({"retry_after": {"orders": "1s"}}),
            ),
            (
                "the public URL is not set here",
                serde_json::json!({"external_url": "https://a.example"}),
            ),
            ("duration without a unit", serde_json::json!({"retention": "30"})),
            ("duration as a number", serde_json::json!({"retention": 30})),
        ];
        for (name, value) in rows {
            assert!(serde_json::from_value::<AcmeConfig>(value).is_err(), "{name}");
        }
    }

    #[test]
    fn the_defaults_survive_writing() {
        let written = serde_json::to_string(&AcmeConfig::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<AcmeConfig>(&written).unwrap(),
            AcmeConfig::default()
        );
    }
}
