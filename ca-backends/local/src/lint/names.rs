//! The subject alternative names.

use portreeve_pkix::der::tag;
use portreeve_pkix::{DnsName, GeneralName, Oid, decode, names::UnusualDnsNames};

use super::{Rule, Subject, unless};

/// More than any certificate of ours has.
const NAMES_MAX: usize = portreeve_pkix::certificate::CERTIFICATE_NAMES_MAX;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "names_or_subject",
        clause: "RFC 5280 4.1.2.6",
        check: names_or_subject,
    },
    Rule {
        name: "names_criticality",
        clause: "RFC 5280 4.2.1.6",
        check: criticality,
    },
    Rule {
        name: "names_as_ordered",
        clause: "nothing left out, nothing twice",
        check: as_ordered,
    },
    Rule {
        name: "names_dns_form",
        clause: "RFC 5280 4.2.1.6: preferred name syntax",
        check: dns_form,
    },
    Rule {
        name: "names_address_form",
        clause: "an address of one host",
        check: address_form,
    },
    Rule {
        name: "names_email_form",
        clause: "RFC 5280 4.2.1.6: a Mailbox",
        check: email_form,
    },
    Rule {
        name: "names_uri_form",
        clause: "RFC 5280 4.2.1.6: absolute, with a host",
        check: uri_form,
    },
];

fn names_or_subject(subject: &Subject<'_>) -> Result<(), String> {
    let named = !subject.certificate.subject().is_empty() || !subject.certificate.names().is_empty();
    unless(named, || "neither a subject nor an alternative name".to_owned())
}

fn criticality(subject: &Subject<'_>) -> Result<(), String> {
    let Some(extension) = subject.extension(&Oid::SUBJECT_ALT_NAME) else {
        return Ok(());
    };
    let wanted = subject.certificate.subject().is_empty();
    unless(extension.critical == wanted, || {
        "critical if and only if the subject is empty".to_owned()
    })
}

/// Counted in the octets, since the decoded view drops repeated names.
fn as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let ordered = &subject.specimen.contents.names;
    let given = subject.certificate.names();
    let encoded = subject
        .extension(&Oid::SUBJECT_ALT_NAME)
        .map_or(0, |extension| extension.value.len());
    let once = if given.is_empty() {
        0
    } else {
        portreeve_pkix::encode::subject_alt_name(given).len()
    };
    unless(given == ordered.as_slice() && encoded == once, || {
        "names are not the ones ordered, each once".to_owned()
    })
}

fn dns_form(subject: &Subject<'_>) -> Result<(), String> {
    let Some(extension) = subject.extension(&Oid::SUBJECT_ALT_NAME) else {
        return Ok(());
    };
    let strict = decode::subject_alt_name(&extension.value, NAMES_MAX, UnusualDnsNames::Refuse);
    strict.map(drop).map_err(|error| error.to_string())
}

fn address_form(subject: &Subject<'_>) -> Result<(), String> {
    let bad = subject.certificate.names().iter().find(|name| match name {
        GeneralName::Ip(address) => address.is_unspecified() || address.is_multicast(),
        GeneralName::Other(element) => element.first() == Some(&tag::context(7)),
        GeneralName::Dns(_) | GeneralName::Email(_) | GeneralName::Uri(_) => false,
    });
    bad.map_or(Ok(()), |name| Err(format!("{name} is not the address of a host")))
}

fn email_form(subject: &Subject<'_>) -> Result<(), String> {
    let bad = subject.certificate.names().iter().find(|name| match name {
        GeneralName::Email(text) => !is_mailbox(text),
        GeneralName::Dns(_) | GeneralName::Ip(_) | GeneralName::Uri(_) | GeneralName::Other(_) => false,
    });
    bad.map_or(Ok(()), |name| Err(format!("{name} is not a mailbox")))
}

fn is_mailbox(text: &str) -> bool {
    match text.split_once('@') {
        Some((local, domain)) => {
            let legal = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&b);
            !local.is_empty()
                && local.bytes().all(legal)
                && !domain.starts_with('*')
                && DnsName::parse(domain).is_ok()
        }
        None => false,
    }
}

fn uri_form(subject: &Subject<'_>) -> Result<(), String> {
    let bad = subject.certificate.names().iter().find(|name| match name {
        GeneralName::Uri(text) => !is_absolute_uri(text),
        GeneralName::Dns(_) | GeneralName::Ip(_) | GeneralName::Email(_) | GeneralName::Other(_) => false,
    });
    bad.map_or(Ok(()), |name| Err(format!("{name} is not an absolute URI")))
}

/// A scheme and something behind it; with `//` also an authority. (URNs and SPIFFE ids are URIs as well.)
fn is_absolute_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else {
        return false;
    };
    let mut letters = scheme.bytes();
    let scheme_is_legal = letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest_is_legal = match rest.strip_prefix("//") {
        Some(authority) => !authority.is_empty() && !authority.starts_with('/'),
        None => !rest.is_empty(),
    };
    scheme_is_legal && rest_is_legal
}
