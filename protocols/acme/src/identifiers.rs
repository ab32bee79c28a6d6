//! The identifiers of a new order (RFC 8555 section 7.4), read into names.

use std::net::IpAddr;

use portreeve_pkix::{DnsName, DnsNameError};
use serde::Deserialize;

use crate::error::AcmeError;
use crate::problem::{ProblemType, Subproblem};

/// How much of a refused value is repeated.
const SHOWN_MAX: usize = 253;

/// An identifier as the client wrote it.
#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

/// Reads the names: sorted, each once. All bad ones are reported together.
pub(crate) fn read(asked: &[Asked], identifiers_max: usize) -> Result<Vec<DnsName>, AcmeError> {
    if asked.is_empty() {
        return Err(AcmeError::Malformed("an order needs at least one identifier"));
    }
    if asked.len() > identifiers_max {
        return Err(AcmeError::Malformed("the order has too many identifiers"));
    }
    if let Some(other) = asked.iter().find(|identifier| identifier.kind != "dns") {
        let (kind, value) = (shown(&other.kind), shown(&other.value));
        return Err(AcmeError::IdentifierUnsupported { kind, value });
    }
    let mut names = Vec::with_capacity(asked.len());
    let mut refused: Vec<Subproblem> = Vec::new();
    for identifier in asked {
        match DnsName::parse(&identifier.value) {
            Ok(name) => names.push(name),
            Err(error) => refused.push(refusal(&identifier.value, error)),
        }
    }
    if !refused.is_empty() {
        return Err(AcmeError::Identifiers(refused));
    }
    names.sort();
    names.dedup();
    Ok(names)
}

/// A name that no profile would allow.
pub(crate) fn rejected(name: String, reason: String) -> Subproblem {
    Subproblem {
        kind: ProblemType::RejectedIdentifier,
        detail: reason,
        identifier: ("dns".to_owned(), name),
    }
}

fn refusal(value: &str, error: DnsNameError) -> Subproblem {
    let is_address = error == DnsNameError::IpAddress || value.parse::<IpAddr>().is_ok();
    let kind = match error {
        DnsNameError::ReservedLdh => ProblemType::RejectedIdentifier,
        _ => ProblemType::Malformed,
    };
    let detail = if is_address {
        "an IP address is not a DNS name, and its client must not send it as one".to_owned()
    } else {
        error.to_string()
    };
    Subproblem {
        kind,
        detail,
        identifier: ("dns".to_owned(), shown(value)),
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::site::tests::site;

    fn asked(values: &[&str]) -> Vec<Asked> {
        values
            .iter()
            .map(|value| Asked {
                kind: "dns".into(),
                value: (*value).into(),
            })
            .collect()
    }

    /// Status and type of the problem, or `None` when the names are accepted.
    fn verdict(asked: &[Asked]) -> Option<(StatusCode, ProblemType, usize)> {
        let problem = read(asked, 100).err()?.problem(&site());
        Some((
            problem.status(),
            problem.failure.kind,
            problem.failure.subproblems.len(),
        ))
    }

    #[test]
    fn names_are_sorted_and_each_is_there_once() {
        let names = read(&asked(&["b.test", "*.A.test", "a.test", "B.TEST"]), 100).unwrap();
        let texts: Vec<&str> = names.iter().map(DnsName::as_str).collect();
        assert_eq!(texts, ["*.a.test", "a.test", "b.test"]);
    }

    #[test]
    fn one_bad_name() {
        use ProblemType::{Malformed, RejectedIdentifier};
        let label = format!("{}.test", "a".repeat(64));
        let long = format!("{0}.{0}.{0}.{0}.test", "a".repeat(62));
        let rows = [
            ("IPv4 as a name", "127.0.0.1", Malformed),
            ("short IPv4", "127.1", Malformed),
            ("IPv6 as a name", "2001:db8::1", Malformed),
            ("zone id", "fe80::1%eth0", Malformed),
            ("label over 63", &label, Malformed),
            ("name over 253", &long, Malformed),
            ("trailing dot", "a.test.", Malformed),
            ("underscore", "_a.test", Malformed),
            ("U-label", "b\u{fc}cher.test", Malformed),
            ("broken punycode", "xn--9999999999.test", Malformed),
            ("inner wildcard", "a.*.test", Malformed),
            ("empty", "", Malformed),
            ("reserved label", "ab--cd.test", RejectedIdentifier),
        ];
        for (name, value, kind) in rows {
            assert_eq!(
                verdict(&asked(&[value])),
                Some((StatusCode::BAD_REQUEST, kind, 1)),
                "{name}"
            );
            assert_eq!(
                verdict(&asked(&["ok.test", value])),
                Some((StatusCode::BAD_REQUEST, kind, 1)),
                "{name}"
            );
        }
        assert_eq!(verdict(&asked(&["ok.test"])), None);
    }

    #[test]
    fn several_bad_names_are_a_rejected_order_with_a_subproblem_each() {
        let verdict = verdict(&asked(&["_a.test", "ok.test", "ab--cd.test", "127.0.0.1"]));
        assert_eq!(
            verdict,
            Some((StatusCode::BAD_REQUEST, ProblemType::RejectedIdentifier, 3))
        );
    }

    #[test]
    fn numbers_and_types() {
        let of = |kind: &str| {
            vec![Asked {
                kind: kind.into(),
                value: "127.0.0.1".into(),
            }]
        };
        let many: Vec<String> = (0..101).map(|number| format!("n{number}.test")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let rows = [
            ("none", asked(&[]), ProblemType::Malformed),
            ("101", asked(&many), ProblemType::Malformed),
            ("unknown type", of("uri"), ProblemType::UnsupportedIdentifier),
            (
                "IP identifiers are not built yet",
                of("ip"),
                ProblemType::UnsupportedIdentifier,
            ),
        ];
        for (name, asked, kind) in rows {
            let found = verdict(&asked).map(|(status, kind, _)| (status, kind));
            assert_eq!(found, Some((StatusCode::BAD_REQUEST, kind)), "{name}");
        }
        assert_eq!(verdict(&asked(&many[..100])), None);
    }
}
