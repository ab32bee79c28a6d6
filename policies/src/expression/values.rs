//! The values of the variables of expressions.

use std::collections::HashMap;
use std::time::Duration;

use cel::Value;
use portreeve_pkix::{DistinguishedName, GeneralName, KeyAlgorithm, Timestamp};
use portreeve_ra::{NameAuthority, Requester};

use super::{ITEMS_MAX, TEXT_BYTES_MAX};
use crate::engine::{Draft, Question};
use crate::profile::Purpose;

const SECONDS_PER_DAY: u64 = 86_400;

/// The values of all variables, for one request and what has become of it.
pub(crate) struct Variables(Vec<(&'static str, Value)>);

impl Variables {
    /// Takes the values; an error is a text for people: something is larger than expressions are made for.
    pub(crate) fn of(question: &Question<'_>, draft: &Draft) -> Result<Self, String> {
        let request = question.request;
        let asked = record([
            ("subject", subject(request.subject())?),
            ("names", names("request", request.names())?),
            ("key", key(request.public_key().algorithm())),
        ]);
        let purposes = draft.extended_key_usage.iter().cloned().map(Purpose);
        let certified = record([
            ("subject", subject(&draft.subject)?),
            ("names", names("certificate", &draft.names)?),
            ("key_usage", texts("key_usage", draft.key_usage.names())?),
            ("extended_key_usage", texts("extended_key_usage", purposes)?),
        ]);
        Ok(Self(vec![
            ("request", asked),
            ("certificate", certified),
            ("validity_days", days(draft.validity.lifetime)),
            ("requester", requester(&question.facts.requester)),
            ("endpoint", endpoint(question)),
            ("profile", record([("name", question.name.into())])),
            ("now", now(question.facts.now)),
        ]))
    }

    /// Each variable.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        self.0.iter().map(|(name, value)| (*name, value))
    }
}

fn record<const N: usize>(fields: [(&'static str, Value); N]) -> Value {
    HashMap::from(fields).into()
}

/// A list of texts within the limits.
fn texts<T: ToString>(what: &str, items: impl IntoIterator<Item = T>) -> Result<Value, String> {
    let mut found = Vec::new();
    for item in items {
        if found.len() == ITEMS_MAX {
            return Err(format!("{what} has more than {ITEMS_MAX} items"));
        }
        found.push(text(what, item.to_string())?);
    }
    Ok(found.into())
}

fn text(what: &str, text: String) -> Result<Value, String> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(format!("{what} is longer than {TEXT_BYTES_MAX} octets"));
    }
    Ok(text.into())
}

fn subject(subject: &DistinguishedName) -> Result<Value, String> {
    let values = |keyword: &str| {
        let oid = portreeve_pkix::dn::attribute_type(keyword);
        let attributes = subject
            .attributes()
            .filter(|attribute| Some(&attribute.oid) == oid.as_ref())
            .map(|attribute| attribute.value.as_str());
        texts(keyword, attributes)
    };
    Ok(record([
        ("text", text("the subject", subject.to_string())?),
        ("common_names", values("CN")?),
        ("organizations", values("O")?),
        ("organizational_units", values("OU")?),
        ("countries", values("C")?),
        ("serial_numbers", values("serialNumber")?),
    ]))
}

/// Names by form, without the form before them.
fn names(whose: &str, names: &[GeneralName]) -> Result<Value, String> {
    let of = |form: fn(&GeneralName) -> Option<String>| texts(whose, names.iter().filter_map(form));
    let dns = of(|name| match name {
        GeneralName::Dns(name) => Some(name.to_string()),
        _ => None,
    })?;
    let ip = of(|name| match name {
        GeneralName::Ip(address) => Some(address.to_string()),
        _ => None,
    })?;
    let email = of(|name| match name {
        GeneralName::Email(address) => Some(address.clone()),
        _ => None,
    })?;
    let uri = of(|name| match name {
        GeneralName::Uri(uri) => Some(uri.clone()),
        _ => None,
    })?;
    let count = i64::try_from(names.len()).unwrap_or(i64::MAX);
    Ok(record([
        ("dns", dns),
        ("ip", ip),
        ("email", email),
        ("uri", uri),
        ("count", Value::Int(count)),
    ]))
}

/// RSA is one algorithm here; its size stands in `bits`.
fn key(algorithm: KeyAlgorithm) -> Value {
    let (name, bits) = match algorithm {
        KeyAlgorithm::Rsa { bits } => ("RSA", bits),
        KeyAlgorithm::EcP256 => ("P-256", 256),
        KeyAlgorithm::EcP384 => ("P-384", 384),
        KeyAlgorithm::EcP521 => ("P-521", 521),
        KeyAlgorithm::Ed25519 => ("Ed25519", 256),
        KeyAlgorithm::Unsupported => ("unsupported", 0),
    };
    record([("algorithm", name.into()), ("bits", Value::Int(bits.into()))])
}

fn requester(requester: &Requester) -> Value {
    let id = requester.to_string();
    let (kind, id) = id.split_once(':').unwrap_or((id.as_str(), ""));
    record([("kind", kind.into()), ("id", id.into())])
}

fn endpoint(question: &Question<'_>) -> Value {
    let endpoint = &question.facts.endpoint;
    let name = endpoint.name.as_str();
    let protocol = name.split_once('/').map_or(name, |(protocol, _)| protocol);
    record([
        ("name", name.into()),
        ("protocol", protocol.into()),
        (
            "names_proven",
            Value::Bool(endpoint.names == NameAuthority::Proven),
        ),
        ("approved_by_people", Value::Bool(endpoint.approval.is_some())),
    ])
}

/// Days begun count whole: what is refused above 90 days is refused from the first second after them.
fn days(lifetime: Duration) -> Value {
    Value::Int(i64::try_from(lifetime.as_secs().div_ceil(SECONDS_PER_DAY)).unwrap_or(i64::MAX))
}

fn now(now: Timestamp) -> Value {
    let seconds = now.unix_seconds();
    let per_day: i64 = 86_400;
    let of_day = seconds.rem_euclid(per_day);
    // The first of January 1970 was a Thursday; Monday is 1.
    let weekday = seconds.div_euclid(per_day).saturating_add(3).rem_euclid(7) + 1;
    let date = now.to_string();
    record([
        ("unix", Value::Int(seconds)),
        ("date", date.get(..10).unwrap_or_default().into()),
        ("hour", Value::Int(of_day / 3600)),
        ("minute", Value::Int(of_day % 3600 / 60)),
        ("weekday", Value::Int(weekday)),
    ])
}
