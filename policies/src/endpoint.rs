//! Endpoints: their text form.

mod clients;

use std::time::Duration;

use portreeve_ra::{
    ApprovalPolicyName, BackendName, Endpoint, EndpointName, ExternalAccounts, NameAuthority, ProfileName,
    RateLimit, RateLimits, TrustAnchorsName,
};
use serde::Deserialize;

use portreeve_pkix::duration;

use crate::lints::{OverrideError, Overrides};

use clients::{
    WrittenKey, WrittenKind, WrittenLines, WrittenLinking, WrittenRegistration, WrittenRenewedNames,
    WrittenSeveral, WrittenWindow,
};

const PROFILES_MAX: usize = 64;
/// Counters are kept that long.
const PERIOD_MAX: Duration = Duration::from_secs(31 * 86_400);
const INLINE_WAIT_MAX: Duration = Duration::from_secs(60);
/// ACME clients poll anyway; those of the other protocols are better off waiting.
const INLINE_WAIT_ACME: Duration = Duration::from_secs(2);
const INLINE_WAIT_OTHERS: Duration = Duration::from_secs(10);

/// Stands for any protocol where a text is read without its name, to be compared.
pub(crate) const ANY_PROTOCOL: &str = "any";

/// Why a text is not an endpoint.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EndpointError {
    /// Not TOML, an unknown key, a missing one or a value of another kind.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The name is not `protocol/name`.
    #[error("\"{0}\" is not of the form protocol/name")]
    Name(String),
    /// No profile, too many, or one twice.
    #[error("profiles: 1 to {PROFILES_MAX}, none twice")]
    Profiles,
    /// Longer than a client keeps a connection.
    #[error("inline_wait: at most {}s", INLINE_WAIT_MAX.as_secs())]
    InlineWait,
    /// Clients would poll without a pause.
    #[error("retry_after: at least 1s, at most a day")]
    RetryAfter,
    /// A limit of zero.
    #[error("rate_limit: requests, period and burst must not be zero, period at most 31d")]
    RateLimit,
    /// External accounts are a thing of ACME.
    #[error("eab: only endpoints of acme have external accounts")]
    ExternalAccounts,
    /// Clients of ACME are accounts.
    #[error("keys for clients that are no accounts have no meaning at an endpoint of acme")]
    Clients,
    /// Too many names, or one twice.
    #[error("{0}: at most 32, none twice")]
    Named(&'static str),
    /// A reason that is none, or for no lint of an offer.
    #[error("{0}")]
    Lint(#[from] OverrideError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    profiles: Vec<ProfileName>,
    backend: BackendName,
    approval: Option<ApprovalPolicyName>,
    #[serde(default)]
    names: WrittenNames,
    #[serde(default, with = "duration::optional")]
    inline_wait: Option<Duration>,
    #[serde(default = "three_seconds", with = "duration")]
    retry_after: Duration,
    #[serde(default)]
    rate_limit: WrittenRateLimits,
    eab: Option<WrittenExternalAccounts>,
    #[serde(default)]
    lint: Overrides,
    authentication: Option<Vec<WrittenKind>>,
    client_trust: Option<Vec<TrustAnchorsName>>,
    client_registration: Option<WrittenRegistration>,
    credentials: Option<WrittenSeveral>,
    linking: Option<WrittenLinking>,
    ra_trust: Option<Vec<TrustAnchorsName>>,
    ra_registrations: Option<Vec<String>>,
    renew_from: Option<Vec<EndpointName>>,
    renew_newest_only: Option<bool>,
    renew_window: Option<WrittenWindow>,
    renew_key: Option<WrittenKey>,
    renew_names: Option<WrittenRenewedNames>,
    renew_first: Option<bool>,
    generated_keys: Option<bool>,
    template: Option<bool>,
    lines: Option<WrittenLines>,
}

#[derive(Copy, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenExternalAccounts {
    Off,
    Optional,
    Required,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRateLimits {
    address: Option<WrittenRateLimit>,
    requester: Option<WrittenRateLimit>,
    registration: Option<WrittenRateLimit>,
    endpoint: Option<WrittenRateLimit>,
}

#[derive(Copy, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenNames {
    #[default]
    Proven,
    Profile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRateLimit {
    requests: u32,
    #[serde(with = "duration")]
    period: Duration,
    burst: Option<u32>,
}

/// Reads the endpoint with this name and version.
///
/// Keys: `profiles`, `backend`, `approval` (the name of an approval policy; absent: nobody is asked), `names` (`"proven"`, the default, or `"profile"`),
/// `inline_wait` (2 s for ACME, else 10 s), `retry_after` (3 s), `rate_limit` with any of `address`, `requester`,
/// `registration` and `endpoint`, each `{ requests, period, burst }` (burst: as many as `requests`), `eab` (`"off"`,
/// `"optional"`, the default, or `"required"`; ACME alone), `lint.override` (see [`crate::lints`]); and where clients are no
/// accounts `authentication` (of `"password"`, `"token"`, `"certificate"`; all), `client_trust` (names of trust anchors; none),
/// `client_registration` (`"serial_number"`, the default, `"common_name"`, `"nobody"`), `credentials` (`"precedence"`, the
/// default, or `"agree"`), `linking` (`"optional"`, the default, or `"required"`), `ra_trust`, `ra_registrations` (none),
/// `renew_from` (endpoints besides this one; none), `renew_newest_only` (false), `renew_window` (`"last_third"`, the default,
/// `"any"`, or a time before the end), `renew_key` (`"any"`, the default, `"new"`, `"same"`), `renew_names` (`"same"`, the
/// default, or `"changed"`), `renew_first` (false), `generated_keys` (false), `template` (true), `lines` (`"one"`, the
/// default, `"wrapped"`, `"by_user_agent"`).
pub fn parse_endpoint(name: &str, version: u32, text: &str) -> Result<Endpoint, EndpointError> {
    parse_endpoint_with_overrides(name, version, text).map(|(endpoint, _)| endpoint)
}

/// Reads the endpoint and the reasons it carries for what a lint of its offers would block.
pub fn parse_endpoint_with_overrides(
    name: &str,
    version: u32,
    text: &str,
) -> Result<(Endpoint, Overrides), EndpointError> {
    let (name, protocol) = endpoint_name(name)?;
    let written: Written = toml::from_str(text)?;
    let (clients, renewal, offer) = written.clients(protocol)?;
    let profiles = written.profiles;
    let twice = profiles
        .iter()
        .enumerate()
        .any(|(index, one)| profiles.iter().take(index).any(|other| other == one));
    if profiles.is_empty() || profiles.len() > PROFILES_MAX || twice {
        return Err(EndpointError::Profiles);
    }
    let usual_wait = if protocol == "acme" {
        INLINE_WAIT_ACME
    } else {
        INLINE_WAIT_OTHERS
    };
    let inline_wait = written.inline_wait.unwrap_or(usual_wait);
    if inline_wait > INLINE_WAIT_MAX {
        return Err(EndpointError::InlineWait);
    }
    if !(Duration::from_secs(1)..=Duration::from_secs(86_400)).contains(&written.retry_after) {
        return Err(EndpointError::RetryAfter);
    }
    written.lint.check_endpoint()?;
    let endpoint = Endpoint {
        name,
        version,
        profiles,
        backend: written.backend,
        approval: written.approval,
        names: match written.names {
            WrittenNames::Proven => NameAuthority::Proven,
            WrittenNames::Profile => NameAuthority::Profile,
        },
        inline_wait,
        retry_after: written.retry_after,
        rate_limit: rate_limits(written.rate_limit)?,
        eab: external_accounts(written.eab, protocol)?,
        clients,
        renewal,
        offer,
    };
    Ok((endpoint, written.lint))
}

fn endpoint_name(text: &str) -> Result<(EndpointName, &str), EndpointError> {
    let bad = || EndpointError::Name(text.to_owned());
    let (protocol, rest) = text.split_once('/').ok_or_else(bad)?;
    if protocol.is_empty() || rest.is_empty() || rest.contains('/') {
        return Err(bad());
    }
    Ok((EndpointName::new(text).map_err(|_| bad())?, protocol))
}

fn external_accounts(
    written: Option<WrittenExternalAccounts>,
    protocol: &str,
) -> Result<ExternalAccounts, EndpointError> {
    match written {
        Some(_) if !matches!(protocol, "acme" | ANY_PROTOCOL) => Err(EndpointError::ExternalAccounts),
        Some(WrittenExternalAccounts::Off) => Ok(ExternalAccounts::Off),
        Some(WrittenExternalAccounts::Required) => Ok(ExternalAccounts::Required),
        Some(WrittenExternalAccounts::Optional) | None => Ok(ExternalAccounts::Optional),
    }
}

fn rate_limits(written: WrittenRateLimits) -> Result<RateLimits, EndpointError> {
    let read = |limit: Option<WrittenRateLimit>| limit.map(rate_limit).transpose();
    Ok(RateLimits {
        address: read(written.address)?,
        requester: read(written.requester)?,
        registration: read(written.registration)?,
        endpoint: read(written.endpoint)?,
    })
}

fn rate_limit(written: WrittenRateLimit) -> Result<RateLimit, EndpointError> {
    let WrittenRateLimit {
        requests,
        period,
        burst,
    } = written;
    let burst = burst.unwrap_or(requests);
    if requests == 0 || period.is_zero() || period > PERIOD_MAX || burst == 0 {
        return Err(EndpointError::RateLimit);
    }
    Ok(RateLimit {
        requests,
        period,
        burst,
    })
}

const fn three_seconds() -> Duration {
    Duration::from_secs(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "profiles = [\"dev\"]\nbackend = \"issuing\"\n";

    #[test]
    fn defaults_refuse_and_depend_on_the_protocol() {
        for (name, wait) in [("acme/default", 2), ("est/default", 10)] {
            let endpoint = parse_endpoint(name, 7, MINIMAL).expect(name);
            assert_eq!(endpoint.inline_wait, Duration::from_secs(wait), "{name}");
            assert_eq!(endpoint.names, NameAuthority::Proven, "{name}");
            assert_eq!(
                (endpoint.approval, endpoint.rate_limit, endpoint.version),
                (None, RateLimits::default(), 7),
                "{name}"
            );
            assert_eq!(endpoint.retry_after, Duration::from_secs(3), "{name}");
        }
    }

    #[test]
    fn reads_every_key() {
        let text = r#"
            profiles = ["dev", "short-lived"]
            backend = "issuing"
            approval = "four-eyes"
            names = "profile"
            inline_wait = "500ms"
            retry_after = "5s"
            eab = "required"
            [rate_limit]
            address = { requests = 600, period = "1m" }
            requester = { requests = 100, period = "1h", burst = 50 }
            registration = { requests = 200, period = "1h" }
            endpoint = { requests = 5000, period = "1h" }
        "#;
        let endpoint = parse_endpoint("acme/four-eyes", 1, text).expect("endpoint");
        assert_eq!(endpoint.name.as_str(), "acme/four-eyes");
        assert_eq!(
            endpoint
                .profiles
                .iter()
                .map(ProfileName::as_str)
                .collect::<Vec<_>>(),
            ["dev", "short-lived"]
        );
        assert_eq!(endpoint.backend.as_str(), "issuing");
        let approval = endpoint.approval.as_ref().map(ApprovalPolicyName::as_str);
        assert_eq!(approval, Some("four-eyes"));
        assert_eq!(endpoint.names, NameAuthority::Profile);
        assert_eq!(endpoint.inline_wait, Duration::from_millis(500));
        assert_eq!(endpoint.retry_after, Duration::from_secs(5));
        let limit = |requests, seconds, burst| {
            Some(RateLimit {
                requests,
                period: Duration::from_secs(seconds),
                burst,
            })
        };
        let limits = RateLimits {
            address: limit(600, 60, 600),
            requester: limit(100, 3600, 50),
            registration: limit(200, 3600, 200),
            endpoint: limit(5000, 3600, 5000),
        };
        assert_eq!(endpoint.rate_limit, limits);
        assert_eq!(endpoint.eab, ExternalAccounts::Required);
    }

    #[test]
    fn refuses() {
        let rows = [
            ("unknown key", "acme/a", "colour = 1", "unknown field"),
            ("name without protocol", "default", "", "protocol/name"),
            ("name without name", "acme/", "", "protocol/name"),
            ("name of three parts", "acme/a/b", "", "protocol/name"),
            (
                "approval that is no name",
                "acme/a",
                "approval = \"two of us\"",
                "approval policy name",
            ),
            (
                "approval that is no policy",
                "acme/a",
                "approval = { approvals = 1 }",
                "approval",
            ),
            ("names", "acme/a", "names = \"any\"", "unknown variant"),
            (
                "reason for a lint of profiles",
                "acme/a",
                "lint.override.validity_long = \"devices without a clock\"",
                "a matter of the profile",
            ),
            (
                "reason that is none",
                "acme/a",
                "lint.override.client_names = \"because\"",
                "10 to 300",
            ),
            ("wait", "acme/a", "inline_wait = \"61s\"", "inline_wait"),
            ("number for a duration", "acme/a", "inline_wait = 2", "string"),
            ("retry", "acme/a", "retry_after = \"0s\"", "retry_after"),
            (
                "no requests",
                "acme/a",
                "rate_limit = { requester = { requests = 0, period = \"1h\" } }",
                "rate_limit",
            ),
            (
                "no period",
                "acme/a",
                "rate_limit = { address = { requests = 1, period = \"0s\" } }",
                "rate_limit",
            ),
            (
                "a period without end",
                "acme/a",
                "rate_limit = { endpoint = { requests = 1, period = \"32d\" } }",
                "rate_limit",
            ),
            (
                "a limit for nobody",
                "acme/a",
                "rate_limit = { requests = 1, period = \"1h\" }",
                "unknown field",
            ),
            (
                "another word for eab",
                "acme/a",
                "eab = \"yes\"",
                "unknown variant",
            ),
            ("external accounts elsewhere", "est/a", "eab = \"off\"", "eab:"),
        ];
        for (name, endpoint, line, reason) in rows {
            let result = parse_endpoint(endpoint, 1, &format!("{MINIMAL}{line}\n"));
            let error = result.expect_err(name).to_string();
            assert!(error.contains(reason), "{name}: {error}");
        }
        for profiles in ["[]", "[\"a\", \"a\"]"] {
            let text = format!("backend = \"b\"\nprofiles = {profiles}");
            assert_eq!(
                parse_endpoint("acme/a", 1, &text),
                Err(EndpointError::Profiles),
                "{profiles}"
            );
        }
    }
}
