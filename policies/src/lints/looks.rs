//! What several lints look at.

use portreeve_pkix::Oid;
use portreeve_ra::{Endpoint, NameAuthority};

use crate::profile::{
    AttributeRule, CommonNameRule, DnsScope, NameRules, Pattern, Profile, Purpose, RequestedAttribute,
    UnlistedAttributes,
};

/// Smart card logon, Kerberos client and Kerberos server.
pub(super) const LOGON: [&str; 3] = ["1.3.6.1.4.1.311.20.2.2", "1.3.6.1.5.2.3.4", "1.3.6.1.5.2.3.5"];

/// Values of which a pattern that means something does not match all.
const ANYBODY: [&str; 5] = [
    "Domain Admins",
    "root",
    "www.example.com",
    "a@b.example",
    "x, y; z",
];
/// Such URIs.
const ANYTHING: [&str; 3] = ["https://www.example.com/", "spiffe://example/admin", "urn:uuid:1"];

/// Every purpose the profile can give.
pub(super) fn purposes(profile: &Profile) -> impl Iterator<Item = &Purpose> {
    let rules = &profile.extended_key_usage;
    rules.fixed.iter().chain(&rules.allowed).chain(&rules.default)
}

/// Whether the profile can give this purpose.
pub(super) fn gives(profile: &Profile, purpose: &Oid) -> bool {
    purposes(profile).any(|one| one.0 == *purpose)
}

/// Those purposes of the profile that are among these.
pub(super) fn given(profile: &Profile, among: &[&str]) -> Vec<String> {
    let written = |purpose: &Purpose| purpose.0.to_string();
    purposes(profile)
        .map(written)
        .filter(|oid| among.contains(&oid.as_str()))
        .collect()
}

/// Whether a certificate can have no purpose at all, which means any.
pub(super) fn may_have_none(profile: &Profile) -> bool {
    let rules = &profile.extended_key_usage;
    rules.fixed.is_empty() && rules.default.is_empty()
}

/// A purpose with which the holder signs in somewhere.
pub(super) fn signs_in(profile: &Profile) -> bool {
    gives(profile, &Oid::EKU_CLIENT_AUTH) || !given(profile, &LOGON).is_empty() || may_have_none(profile)
}

/// Whether nobody but the requester has a say in names at this endpoint.
pub(super) fn unproven(endpoint: &Endpoint) -> bool {
    endpoint.names == NameAuthority::Profile && unapproved(endpoint)
}

/// Whether nobody looks at requests at this endpoint.
pub(super) fn unapproved(endpoint: &Endpoint) -> bool {
    endpoint.approval.is_none()
}

/// The parts of the subject that a requester chooses freely.
pub(super) fn free_subject(profile: &Profile) -> Vec<&'static str> {
    let rules = &profile.subject;
    let common_name = rules
        .attributes
        .iter()
        .find(|rule| rule.kind.0 == Oid::COMMON_NAME);
    let mut free = Vec::new();
    if rules.common_name.rule == CommonNameRule::Free && common_name.is_none_or(leaves_free) {
        free.push("any common name");
    }
    if rules.unlisted == UnlistedAttributes::Keep {
        free.push("any attribute without a rule");
    }
    free
}

fn leaves_free(rule: &AttributeRule) -> bool {
    let patterned = rule
        .pattern
        .as_ref()
        .is_some_and(|pattern| !is_wide(pattern, &ANYBODY));
    rule.requested == RequestedAttribute::Keep && rule.fixed.is_none() && rule.allowed.is_none() && !patterned
}

fn is_wide(pattern: &Pattern, samples: &[&str]) -> bool {
    samples.iter().all(|sample| pattern.matches(sample))
}

/// The forms of name of which any is allowed.
pub(super) fn unbounded(rules: &NameRules) -> Vec<&'static str> {
    let any = |scopes: &[DnsScope]| scopes.contains(&DnsScope::Any);
    let forms = [
        ("DNS names", rules.dns.as_ref().is_some_and(|dns| any(&dns.allow))),
        (
            "IP addresses",
            rules
                .ip
                .as_ref()
                .is_some_and(|ip| ip.allow.iter().any(|net| net.prefix_len() == 0)),
        ),
        (
            "e-mail addresses",
            rules.email.as_ref().is_some_and(|email| any(&email.allow)),
        ),
        (
            "URIs",
            rules
                .uri
                .as_ref()
                .is_some_and(|uri| uri.allow.iter().any(|pattern| is_wide(pattern, &ANYTHING))),
        ),
    ];
    forms
        .iter()
        .filter(|(_, any)| *any)
        .map(|(form, _)| *form)
        .collect()
}

/// The forms of name that are allowed.
pub(super) fn forms(rules: &NameRules) -> Vec<&'static str> {
    let forms = [
        ("DNS names", rules.dns.is_some()),
        ("IP addresses", rules.ip.is_some()),
        ("e-mail addresses", rules.email.is_some()),
        ("URIs", rules.uri.is_some()),
    ];
    forms
        .iter()
        .filter(|(_, allowed)| *allowed)
        .map(|(form, _)| *form)
        .collect()
}
