//! The keys of a profile. Every field is named here, so that a new one does not compile before it has its meaning.

use portreeve_pkix::{KeyUsage, Oid};

use super::Facet;
use super::measure::{Amount, Measure, REFUSE};
use crate::lints::Overrides;
use crate::profile::{
    AttributeRule, CommonNameDefault, CommonNameRule, CommonNameRules, Condition, DnsRules, DnsScope,
    EmailRules, ExtendedKeyUsageRules, ExtensionRules, Handling, IpRules, KeyRules, KeyUsageRules, NameRules,
    Otherwise, OutsideLimits, Profile, PublicationRules, Purpose, Referral, RequestedAttribute,
    RequestedKeyUsage, RequestedTimes, SubjectRules, UnlistedAttributes, UriRules, ValidityRules,
};

pub(super) fn facets(profile: &Profile) -> Vec<Facet> {
    let Profile {
        description,
        subject,
        names,
        key: KeyRules { allowed },
        validity,
        key_usage,
        extended_key_usage,
        basic_constraints,
        policies,
        publication,
        extensions,
        conditions,
        referral,
        lint,
    } = profile;
    let mut facets = vec![
        Facet::new("description", Measure::Note(description.clone())),
        Facet::new("key.allowed", Measure::Keys(allowed.clone())),
        Facet::new("basic_constraints", Measure::limits(*basic_constraints)),
        Facet::new(
            "policies",
            Measure::Set(policies.iter().map(Oid::to_string).collect()),
        ),
    ];
    facets.extend(of_subject(subject));
    facets.extend(of_names(names));
    facets.extend(of_validity(validity));
    facets.extend(of_key_usage(key_usage));
    facets.extend(of_purposes(extended_key_usage));
    facets.extend(of_addresses(publication, extensions));
    facets.extend(conditions.iter().flat_map(of_condition));
    facets.extend(referral.iter().flat_map(of_referral));
    facets.extend(of_overrides(lint));
    facets
}

fn of_subject(rules: &SubjectRules) -> Vec<Facet> {
    let SubjectRules {
        unlisted,
        common_name:
            CommonNameRules {
                rule,
                default,
                into_names,
            },
        attributes,
    } = rules;
    let unlisted = match unlisted {
        UnlistedAttributes::Refuse => REFUSE,
        UnlistedAttributes::Drop => "drop",
        UnlistedAttributes::Keep => "keep",
    };
    // A common name that is dropped no longer refuses anybody.
    let rule = match rule {
        CommonNameRule::Drop => Measure::Handling("drop"),
        CommonNameRule::AmongNames => Measure::rank(1, "among_names"),
        CommonNameRule::Free => Measure::rank(2, "free"),
    };
    let default = match default {
        CommonNameDefault::None => "none",
        CommonNameDefault::FirstDns => "first_dns",
    };
    let order: Vec<String> = attributes.iter().map(|rule| rule.kind.to_string()).collect();
    let mut facets = vec![
        Facet::new("subject.unlisted", Measure::Handling(unlisted)),
        Facet::new("subject.common_name.rule", rule),
        Facet::new("subject.common_name.default", Measure::Exact(default.to_owned())),
        Facet::new(
            "subject.common_name.into_names",
            Measure::Exact(into_names.to_string()),
        ),
        // A rule that comes or goes has more than one meaning, and the order of added attributes is that of the subject.
        Facet::new("subject.attribute", Measure::Exact(order.join(", "))),
    ];
    facets.extend(attributes.iter().flat_map(of_attribute));
    facets
}

fn of_attribute(rule: &AttributeRule) -> Vec<Facet> {
    let AttributeRule {
        kind,
        fixed,
        default,
        required,
        allowed,
        pattern,
        count_max,
        requested,
    } = rule;
    let requested = match requested {
        RequestedAttribute::Refuse => REFUSE,
        RequestedAttribute::Drop => "drop",
        RequestedAttribute::Keep => "keep",
    };
    let path = |key: &str| format!("subject.attribute.{kind}.{key}");
    let fixed = fixed.clone().map(|value| ("fixed", Measure::Exact(value)));
    let default = default.clone().map(|value| ("default", Measure::Exact(value)));
    let allowed = allowed
        .clone()
        .map(|values| ("allowed", Measure::Choices(values)));
    let pattern = pattern
        .as_ref()
        .map(|pattern| ("pattern", Measure::Limit(pattern.to_string())));
    let always = [
        ("requested", Measure::Handling(requested)),
        ("required", Measure::limits(*required)),
        ("count_max", Measure::Level(Amount::from(*count_max))),
    ];
    always
        .into_iter()
        .chain([fixed, default, allowed, pattern].into_iter().flatten())
        .map(|(key, measure)| Facet::new(path(key), measure).within(path("requested")))
        .collect()
}

fn of_names(rules: &NameRules) -> Vec<Facet> {
    let NameRules {
        count_min,
        count_max,
        dns,
        ip,
        email,
        uri,
    } = rules;
    let mut facets = vec![
        Facet::new("names.count_min", Measure::Floor(Amount::from(*count_min))),
        Facet::new("names.count_max", Measure::Level(Amount::from(*count_max))),
    ];
    facets.extend(dns.iter().flat_map(of_dns));
    if let Some(IpRules { allow, deny }) = ip {
        facets.push(Facet::new("names.ip.allow", Measure::Networks(allow.clone())));
        facets.push(
            Facet::new("names.ip.deny", Measure::DeniedNetworks(deny.clone())).within("names.ip.allow"),
        );
    }
    if let Some(EmailRules { allow }) = email {
        facets.push(Facet::new("names.email.allow", Measure::Scopes(allow.clone())));
    }
    if let Some(UriRules { allow }) = uri {
        let patterns = allow.iter().map(ToString::to_string).collect();
        facets.push(Facet::new("names.uri.allow", Measure::Set(patterns)));
    }
    facets
}

fn of_dns(rules: &DnsRules) -> Vec<Facet> {
    const ALLOW: &str = "names.dns.allow";
    let DnsRules {
        allow,
        deny,
        wildcards,
        single_labels,
    } = rules;
    let deny = deny.iter().cloned().map(DnsScope::Under).collect();
    vec![
        Facet::new(ALLOW, Measure::Scopes(allow.clone())),
        Facet::new("names.dns.deny", Measure::DeniedScopes(deny)).within(ALLOW),
        Facet::new("names.dns.wildcards", Measure::gives(*wildcards)).within(ALLOW),
        Facet::new("names.dns.single_labels", Measure::gives(*single_labels)).within(ALLOW),
    ]
}

fn of_validity(rules: &ValidityRules) -> [Facet; 6] {
    let ValidityRules {
        default,
        max,
        min,
        backdate,
        requested,
        outside,
    } = rules;
    // A time that is asked for may be shorter or longer than the default.
    let requested = match requested {
        RequestedTimes::Honour => "honour",
        RequestedTimes::Ignore => "ignore",
    };
    let outside = match outside {
        OutsideLimits::Refuse => Measure::rank(0, "refuse"),
        OutsideLimits::Cap => Measure::rank(1, "cap"),
    };
    [
        Facet::new("validity.default", Measure::Level(Amount::from(*default))),
        Facet::new("validity.max", Measure::Level(Amount::from(*max))),
        Facet::new("validity.min", Measure::Floor(Amount::from(*min))),
        Facet::new("validity.backdate", Measure::Level(Amount::from(*backdate))),
        Facet::new("validity.requested", Measure::Exact(requested.to_owned())),
        Facet::new("validity.outside", outside),
    ]
}

/// Fewer usages give less, but for those that limit another one: without them, and where a request can leave them out, it
/// gives more (RFC 5280 section 4.2.1.3).
fn of_key_usage(rules: &KeyUsageRules) -> Vec<Facet> {
    let KeyUsageRules {
        always,
        rsa,
        ec,
        requested,
    } = rules;
    let usages = |usage: &KeyUsage| Measure::Set(usage.names().map(str::to_owned).collect());
    let (place, requested) = match requested {
        RequestedKeyUsage::Narrow => (0, "narrow"),
        RequestedKeyUsage::Ignore => (1, "ignore"),
    };
    let mut facets = vec![
        Facet::new("key_usage.always", usages(always)),
        Facet::new("key_usage.rsa", usages(rsa)),
        Facet::new("key_usage.ec", usages(ec)),
        Facet::new("key_usage.requested", Measure::rank(place, requested)),
    ];
    let limiting = KeyUsage::ENCIPHER_ONLY | KeyUsage::DECIPHER_ONLY;
    let limits = (*always | *rsa | *ec).intersection(limiting);
    if !limits.is_empty() {
        let limits = format!("{limits}, requests: {requested}");
        facets.push(Facet::new("key_usage.limits", Measure::Exact(limits)));
    }
    facets
}

/// Fewer purposes give less, but none at all gives every purpose.
fn of_purposes(rules: &ExtendedKeyUsageRules) -> [Facet; 5] {
    let ExtendedKeyUsageRules {
        fixed,
        allowed,
        default,
        unlisted,
    } = rules;
    let purposes = |purposes: &[Purpose]| Measure::Set(purposes.iter().map(ToString::to_string).collect());
    let none = fixed.is_empty() && default.is_empty();
    let none = Measure::rank(
        u32::from(none),
        if none { "may be missing" } else { "always there" },
    );
    [
        Facet::new("extended_key_usage", none),
        Facet::new("extended_key_usage.fixed", purposes(fixed)),
        Facet::new("extended_key_usage.allowed", purposes(allowed)),
        Facet::new("extended_key_usage.default", purposes(default)),
        Facet::new("extended_key_usage.unlisted", of_handling(*unlisted)),
    ]
}

fn of_handling(handling: Handling) -> Measure {
    Measure::Handling(match handling {
        Handling::Refuse => REFUSE,
        Handling::Drop => "drop",
    })
}

/// Without the addresses of the CA nobody finds a revocation.
fn of_addresses(publication: &PublicationRules, extensions: &ExtensionRules) -> [Facet; 5] {
    let PublicationRules {
        crl,
        ca_issuers,
        ocsp,
    } = publication;
    let ExtensionRules { unlisted, ca } = extensions;
    [
        Facet::new("publication.crl", Measure::limits(*crl)),
        Facet::new("publication.ca_issuers", Measure::limits(*ca_issuers)),
        Facet::new("publication.ocsp", Measure::limits(*ocsp)),
        Facet::new("extensions.unlisted", of_handling(*unlisted)),
        Facet::new("extensions.ca", of_handling(*ca)),
    ]
}

fn of_condition(condition: &Condition) -> [Facet; 3] {
    let Condition {
        name,
        expression,
        message,
        outcome,
    } = condition;
    let path = |key: &str| format!("condition.{name}.{key}");
    let outcome = match outcome {
        Otherwise::Refuse => Measure::rank(0, "refuse"),
        Otherwise::Refer => Measure::rank(1, "refer"),
    };
    [
        Facet::new(
            path("expression"),
            Measure::Limit(expression.source().trim().to_owned()),
        ),
        Facet::new(path("outcome"), outcome).within(path("expression")),
        Facet::new(path("message"), Measure::Note(message.clone())),
    ]
}

/// It comes with the first condition that refers and goes with the last one, which have their own meaning.
fn of_referral(referral: &Referral) -> [Facet; 2] {
    let Referral { approvals, age_max } = referral;
    let approvals = Facet::new("referral.approvals", Measure::Floor(Amount::from(*approvals)));
    let age_max = Facet::new("referral.age_max", Measure::Level(Amount::from(*age_max)));
    [
        approvals.within("referral.approvals"),
        age_max.within("referral.approvals"),
    ]
}

pub(super) fn of_overrides(overrides: &Overrides) -> impl Iterator<Item = Facet> {
    overrides.iter().map(|(code, reason)| {
        Facet::new(
            format!("lint.override.{code}"),
            Measure::Reason(reason.to_owned()),
        )
    })
}
