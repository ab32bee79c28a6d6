//! What a profile must not be.

use std::net::IpAddr;
use std::time::Duration;

use portreeve_pkix::request::REQUEST_NAMES_MAX;
use portreeve_pkix::{DistinguishedName, KeyAlgorithm, KeyUsage, Oid};

use super::key::KeyRange;
use super::subject::{AttributeRule, RequestedAttribute};
use super::{Profile, Purpose};
use crate::lints::OverrideError;
use portreeve_pkix::duration::Spelled;

const DESCRIPTION_CHARS_MAX: usize = 200;
const POLICIES_MAX: usize = 16;
pub(super) const CONDITIONS_MAX: usize = 16;
const LIFETIME_MAX: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Why a text is not a profile.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProfileError {
    /// Not TOML, an unknown key, a missing one or a value of another kind.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The description is empty or too long.
    #[error("description: must have 1 to {DESCRIPTION_CHARS_MAX} characters in one line")]
    Description,
    /// No key is allowed.
    #[error("key.allowed: must not be empty")]
    NoKey,
    /// Two rules for one attribute.
    #[error("subject.attribute: two rules for {0}")]
    AttributeTwice(String),
    /// A rule for an attribute contradicts itself.
    #[error("subject.attribute {attribute}: {reason}")]
    Attribute {
        /// Which attribute.
        attribute: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// Limits of the number of names that nothing meets, or more than a request may hold.
    #[error("names: count_min to count_max must lie within 0 to {REQUEST_NAMES_MAX}")]
    NameCounts,
    /// Names are required and no form is allowed.
    #[error("names: count_min needs an allowed form of name")]
    NoForm,
    /// A list that allows nothing.
    #[error("names.{0}.allow: must not be empty; leave the section out to refuse the form")]
    NothingAllowed(&'static str),
    /// A wildcard where a plain name is meant.
    #[error("names.dns.deny: \"{0}\" must not be a wildcard")]
    DeniedWildcard(String),
    /// Durations that are not whole seconds, or not in order.
    #[error("validity: {0}")]
    Validity(String),
    /// A key usage that an end entity must not have.
    #[error("key_usage: {0} is for CAs only")]
    CaKeyUsage(&'static str),
    /// A key usage that such a key cannot have.
    #[error("key_usage: {usage} is not possible with {key}")]
    KeyUsage {
        /// The usage.
        usage: &'static str,
        /// The kind of key.
        key: &'static str,
    },
    /// An allowed key would have no usage.
    #[error("key_usage: a {0} key would have no usage")]
    NoKeyUsage(&'static str),
    /// The extended key usage that stands for all.
    #[error("extended_key_usage: {0} would give every right and cannot be certified")]
    Purpose(String),
    /// Too many policies, the same twice, or anyPolicy.
    #[error("policies: at most {POLICIES_MAX}, none twice, and not anyPolicy")]
    Policies,
    /// A condition that is not well made.
    #[error("condition {name}: {reason}")]
    Condition {
        /// Its name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// Too many conditions.
    #[error("condition: at most {CONDITIONS_MAX}")]
    Conditions,
    /// A condition refers to people and nobody is named, or the proposal would stay open too long.
    #[error("referral: {0}")]
    Referral(&'static str),
    /// A reason that is none, or for no lint.
    #[error("{0}")]
    Lint(#[from] OverrideError),
}

/// Checks everything that one key alone does not show.
pub(super) fn check(profile: &Profile) -> Result<(), ProfileError> {
    let description = &profile.description;
    let length = description.chars().count();
    if !(1..=DESCRIPTION_CHARS_MAX).contains(&length) || description.chars().any(char::is_control) {
        return Err(ProfileError::Description);
    }
    if profile.key.allowed.is_empty() {
        return Err(ProfileError::NoKey);
    }
    check_attributes(&profile.subject.attributes)?;
    check_names(profile)?;
    check_validity(profile)?;
    check_key_usage(profile)?;
    check_purposes(profile)?;
    check_policies(&profile.policies)?;
    super::conditions::check(profile)?;
    Ok(profile.lint.check_profile()?)
}

fn check_attributes(rules: &[AttributeRule]) -> Result<(), ProfileError> {
    for (index, rule) in rules.iter().enumerate() {
        if rules.iter().take(index).any(|earlier| earlier.kind == rule.kind) {
            return Err(ProfileError::AttributeTwice(rule.kind.to_string()));
        }
        let refuse = |reason| {
            Err(ProfileError::Attribute {
                attribute: rule.kind.to_string(),
                reason,
            })
        };
        let constrained = rule.allowed.is_some() || rule.pattern.is_some() || rule.default.is_some();
        if rule.fixed.is_some() && constrained {
            return refuse("fixed leaves no room for default, allowed or pattern");
        }
        if rule.allowed.as_ref().is_some_and(Vec::is_empty) {
            return refuse("allowed must not be empty");
        }
        if rule.count_max == 0 {
            return refuse("count_max must be at least 1; requested = \"drop\" or \"refuse\" allows none");
        }
        let own = rule.fixed.as_ref().or(rule.default.as_ref());
        let none_possible = own.is_none() && rule.requested != RequestedAttribute::Keep;
        if rule.required && none_possible {
            return refuse("required, but there can be none");
        }
        if own.is_some_and(|value| !is_value(&rule.kind.0, value)) {
            return refuse("the value is empty, too long, an IP address or holds control characters");
        }
    }
    Ok(())
}

/// Whether the value may be certified: what does not decode again is none.
fn is_value(oid: &Oid, value: &str) -> bool {
    let name = DistinguishedName::empty().with(oid.clone(), value);
    let address = *oid == Oid::COMMON_NAME && value.parse::<IpAddr>().is_ok();
    !address && DistinguishedName::from_der(&name.to_der()).is_ok_and(|decoded| decoded == name)
}

fn check_names(profile: &Profile) -> Result<(), ProfileError> {
    let names = &profile.names;
    if names.count_min > names.count_max || names.count_max > REQUEST_NAMES_MAX {
        return Err(ProfileError::NameCounts);
    }
    let empty = [
        ("dns", names.dns.as_ref().map(|rules| rules.allow.is_empty())),
        ("ip", names.ip.as_ref().map(|rules| rules.allow.is_empty())),
        ("email", names.email.as_ref().map(|rules| rules.allow.is_empty())),
        ("uri", names.uri.as_ref().map(|rules| rules.allow.is_empty())),
    ];
    if let Some((form, _)) = empty.iter().find(|(_, empty)| *empty == Some(true)) {
        return Err(ProfileError::NothingAllowed(form));
    }
    if names.count_min > 0 && empty.iter().all(|(_, empty)| empty.is_none()) {
        return Err(ProfileError::NoForm);
    }
    let mut denied = names.dns.iter().flat_map(|rules| &rules.deny);
    match denied.find(|name| name.is_wildcard()) {
        Some(name) => Err(ProfileError::DeniedWildcard(name.to_string())),
        None => Ok(()),
    }
}

fn check_validity(profile: &Profile) -> Result<(), ProfileError> {
    let rules = &profile.validity;
    let refuse = |reason: String| Err(ProfileError::Validity(reason));
    let all = [rules.min, rules.default, rules.max, rules.backdate];
    if all.iter().any(|duration| duration.subsec_nanos() > 0) {
        return refuse("durations must be whole seconds".to_owned());
    }
    if rules.min.is_zero() || rules.min > rules.default || rules.default > rules.max {
        return refuse("must be 0 < min <= default <= max".to_owned());
    }
    if rules.max > LIFETIME_MAX {
        return refuse(format!("max must not exceed {}", Spelled(LIFETIME_MAX)));
    }
    if rules.backdate >= rules.default {
        return refuse(
            "backdate must be shorter than default, or the certificate would have ended".to_owned(),
        );
    }
    Ok(())
}

fn check_key_usage(profile: &Profile) -> Result<(), ProfileError> {
    let rules = &profile.key_usage;
    let all = rules.always | rules.rsa | rules.ec;
    for (name, usage) in [
        ("keyCertSign", KeyUsage::KEY_CERT_SIGN),
        ("cRLSign", KeyUsage::CRL_SIGN),
    ] {
        if all.contains(usage) {
            return Err(ProfileError::CaKeyUsage(name));
        }
    }
    let encipherment = KeyUsage::KEY_ENCIPHERMENT | KeyUsage::DATA_ENCIPHERMENT;
    let agreement = KeyUsage::KEY_AGREEMENT | KeyUsage::ENCIPHER_ONLY | KeyUsage::DECIPHER_ONLY;
    let kinds = [
        ("RSA", KeyAlgorithm::Rsa { bits: 2048 }, agreement),
        ("elliptic-curve", KeyAlgorithm::EcP256, encipherment),
        ("Ed25519", KeyAlgorithm::Ed25519, encipherment | agreement),
    ];
    for (key, algorithm, impossible) in kinds {
        if !profile
            .key
            .allowed
            .iter()
            .any(|range| is_of_kind(*range, algorithm))
        {
            continue;
        }
        let usage = rules.of(algorithm);
        if usage.is_empty() {
            return Err(ProfileError::NoKeyUsage(key));
        }
        if let Some(usage) = usage.intersection(impossible).names().next() {
            return Err(ProfileError::KeyUsage { usage, key });
        }
    }
    Ok(())
}

fn is_of_kind(range: KeyRange, kind: KeyAlgorithm) -> bool {
    use KeyAlgorithm::{EcP256, EcP384, EcP521, Ed25519, Rsa};
    match (range, kind) {
        (KeyRange::Rsa { .. }, Rsa { .. }) => true,
        (KeyRange::One(EcP256 | EcP384 | EcP521), EcP256) => true,
        (KeyRange::One(one), Ed25519) => one == Ed25519,
        _ => false,
    }
}

fn check_purposes(profile: &Profile) -> Result<(), ProfileError> {
    let rules = &profile.extended_key_usage;
    let any = |purpose: &&Purpose| purpose.0 == Oid::EKU_ANY;
    let mut all = rules.fixed.iter().chain(&rules.default).chain(&rules.allowed);
    match all.find(any) {
        Some(purpose) => Err(ProfileError::Purpose(purpose.to_string())),
        None => Ok(()),
    }
}

fn check_policies(policies: &[Oid]) -> Result<(), ProfileError> {
    let twice = policies
        .iter()
        .enumerate()
        .any(|(index, oid)| policies.iter().take(index).any(|other| other == oid));
    if policies.len() > POLICIES_MAX || twice || policies.contains(&Oid::ANY_POLICY) {
        return Err(ProfileError::Policies);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
