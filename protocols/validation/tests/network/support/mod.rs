//! Scripted servers on free loopback ports, and what a test says to the validator.
#![allow(unreachable_pub)]

pub mod dns;
pub mod web;

use std::time::Duration;

use portreeve_acme::validator::{Attempt, ChallengeKind, Evidence, ValidationFailure, Validator};
use portreeve_pkix::DnsName;
use portreeve_validation::{NetworkValidator, ValidationConfig};

use dns::Dns;
use web::{Script, Web};

pub const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
pub const KEY_AUTHORIZATION: &str =
    "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";

/// The only address most tests let through.
pub const LOOPBACK: [&str; 1] = ["127.0.0.1/32"];

/// Time limits no test should reach unless it means to.
pub const AMPLE: Duration = Duration::from_secs(60);
/// A limit that tests of limits wait for.
pub const BRIEF: Duration = Duration::from_millis(300);

/// A configuration that asks `dns` and may talk to `allow`.
pub fn config(dns: &Dns, http_port: u16, allow: &[&str]) -> ValidationConfig {
    ValidationConfig {
        http_port,
        dns_resolver: vec![dns.address()],
        allow_networks: allow.iter().map(|network| network.parse().unwrap()).collect(),
        dns_timeout: AMPLE,
        connect_timeout: AMPLE,
        attempt_timeout: AMPLE,
        ..ValidationConfig::default()
    }
}

pub fn attempt(kind: ChallengeKind, name: &str) -> Attempt {
    Attempt {
        kind,
        name: DnsName::parse(name).unwrap(),
        token: TOKEN.into(),
        key_authorization: KEY_AUTHORIZATION.into(),
    }
}

pub fn validator(config: ValidationConfig) -> NetworkValidator {
    NetworkValidator::new(config).unwrap()
}

/// One attempt for a.test at 127.0.0.1, where every request gets `script`.
pub async fn single(script: Script) -> Result<Evidence, String> {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    let web = Web::start(move |_| script.clone()).await;
    let validator = validator(config(&dns, web.port(), &LOOPBACK));
    outcome(&validator, ChallengeKind::Http01, "a.test").await
}

/// One attempt, its failure as `type: sentence`; every sentence is bounded and shows no challenge.
pub async fn outcome(
    validator: &NetworkValidator,
    kind: ChallengeKind,
    name: &str,
) -> Result<Evidence, String> {
    validator
        .validate(&attempt(kind, name))
        .await
        .map_err(|failure| sentence(&failure))
}

fn sentence(failure: &ValidationFailure) -> String {
    let text = format!("{}: {}", failure.problem_type(), failure.detail());
    assert!(failure.detail().len() <= 256, "{text}");
    assert!(!text.contains(TOKEN), "{text}");
    text
}

/// Compares a row's outcome with `valid`, or with the parts its failure has to contain.
pub fn expect(row: &str, outcome: &Result<Evidence, String>, expected: &[&str]) {
    match outcome {
        Err(text) if expected != ["valid"] => {
            for part in expected {
                assert!(text.contains(part), "{row}: {part:?} is not in {text:?}");
            }
        }
        _ => assert!(outcome.is_ok() && expected == ["valid"], "{row}: {outcome:?}"),
    }
}
