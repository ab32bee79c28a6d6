//! The rules, one file each, in the order in which they are run.
//!
//! Key, then names, then subject, then everything else: the common name depends on the names, key usages on the key.
//! The first rule that refuses decides what the client is told; names that are refused by any rule are told
//! together. What a rule drops or sets is visible to the rules below it.

mod basic_constraints;
mod certificate_policies;
mod conditions;
mod extended_key_usage;
mod key_algorithm;
mod key_blocked;
mod key_hygiene;
mod key_usage;
mod names_common_name;
mod names_count;
mod names_dns;
mod names_email;
mod names_ip;
mod names_other;
mod names_proven;
mod names_registered;
mod names_single_label;
mod names_uri;
mod names_wildcard;
mod other_extensions;
mod publication;
mod subject_attributes;
mod subject_bounds;
mod subject_common_name;
mod subject_ip_address;
mod subject_required;
mod validity;

use portreeve_pkix::GeneralName;

use crate::engine::Rule;
use crate::profile::NameRules;

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:literal => $module:ident,)*) => {
        pub(crate) const RULES: &[Rule] = &[$(Rule { name: $name, judge: $module::judge },)*];

        const MEANINGS: &[(&str, &str)] = &[$(($name, concat!($($doc),+)),)*];
    };
}

rules! {
    /// The key's algorithm and size are among those the profile allows.
    "key.algorithm" => key_algorithm,
    /// The key has none of the known weaknesses.
    "key.hygiene" => key_hygiene,
    /// The key is not on the installation's own list of compromised keys.
    "key.blocked" => key_blocked,
    /// A common name that is a DNS name also counts as a name that is asked for.
    "names.common_name" => names_common_name,
    /// DNS names lie in an allowed part of the DNS and in no denied one.
    "names.dns" => names_dns,
    /// Wildcard names are allowed.
    "names.wildcard" => names_wildcard,
    /// Names of one label are allowed.
    "names.single_label" => names_single_label,
    /// IP addresses lie in an allowed network and in no denied one.
    "names.ip" => names_ip,
    /// E-mail addresses lie in an allowed domain.
    "names.email" => names_email,
    /// URIs match an allowed pattern.
    "names.uri" => names_uri,
    /// No other form of name is certified.
    "names.other" => names_other,
    /// There are neither too few nor too many names.
    "names.count" => names_count,
    /// The registration on whose behalf it is asked may have every name.
    "names.registered" => names_registered,
    /// The requester has proven every name, where the endpoint asks for proof, or its registration is vouched for.
    "names.proven" => names_proven,
    /// Subject attributes are as the profile says: fixed, added, allowed, dropped.
    "subject.attributes" => subject_attributes,
    /// No common name is an IP address.
    "subject.ip_address" => subject_ip_address,
    /// The common name is one of the names, free, or left out.
    "subject.common_name" => subject_common_name,
    /// Attribute values are no longer than RFC 5280 allows.
    "subject.bounds" => subject_bounds,
    /// Required attributes are there; a certificate has a subject or a name.
    "subject.required" => subject_required,
    /// The certificate lives as long as asked for, within the limits.
    "validity" => validity,
    /// The usages of the key.
    "key_usage" => key_usage,
    /// The purposes of the certificate.
    "extended_key_usage" => extended_key_usage,
    /// The certificate is not that of a CA.
    "basic_constraints" => basic_constraints,
    /// The policies of the profile.
    "certificate_policies" => certificate_policies,
    /// The addresses of the CA.
    "publication" => publication,
    /// Other requested extensions are not certified.
    "extensions" => other_extensions,
    /// The conditions of the profile that are written as expressions are true.
    "conditions" => conditions,
}

/// Why these rules do not let a name pass, if they do not: the first reason a client would be told. For edges that
/// say so before a request is made; the request is judged whole all the same.
pub fn name_objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let objections = [
        names_dns::objection,
        names_wildcard::objection,
        names_single_label::objection,
        names_ip::objection,
        names_email::objection,
        names_uri::objection,
        names_other::objection,
    ];
    objections.iter().find_map(|objection| objection(rules, name))
}

/// Every rule with its meaning in one sentence, in the order of judgement.
pub fn rules() -> impl Iterator<Item = (&'static str, &'static str)> {
    MEANINGS.iter().map(|(name, meaning)| (*name, meaning.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;
    use crate::shipped::shipped_profile;
    use portreeve_pkix::DnsName;

    /// The short way says of each name what the rules say.
    #[test]
    fn objections_to_single_names() {
        let profile = |name| -> Profile { shipped_profile(name).expect(name).expect(name) };
        let dns = |text| GeneralName::Dns(DnsName::parse(text).expect("DNS name"));
        let rows = [
            ("tls-server", dns("*.a.example"), None),
            (
                "tls-client",
                dns("*.a.example"),
                Some("wildcards are not allowed"),
            ),
            (
                "tls-client",
                dns("localhost"),
                Some("names of one label are not allowed"),
            ),
            ("device", dns("a.example"), Some("not in an allowed domain")),
            (
                "device",
                GeneralName::Ip([127, 0, 0, 1].into()),
                Some("IP addresses are not allowed"),
            ),
            ("dev", GeneralName::Ip([127, 0, 0, 1].into()), None),
            (
                "dev",
                GeneralName::Email("a@b.example".into()),
                Some("e-mail addresses are not allowed"),
            ),
            (
                "dev",
                GeneralName::Uri("urn:a".into()),
                Some("URIs are not allowed"),
            ),
            (
                "dev",
                GeneralName::Other(vec![0xa0, 0]),
                Some("this form of name is not allowed"),
            ),
        ];
        for (name, general, expected) in rows {
            let objection = name_objection(&profile(name).names, &general);
            assert_eq!(objection.as_deref(), expected, "{name} {general}");
        }
    }
}
