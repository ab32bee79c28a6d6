//! What a request should look like to be certified as its profile says.

use portreeve_pkix::{Extension, KeyAlgorithm, KeyUsage, Oid, encode};
use portreeve_ra::{RequestTemplate, TemplateAttribute, TemplateKey, TemplateName};

use crate::profile::{CommonNameRule, KeyRange, Profile};

/// The template of a profile: the attributes that it sets or needs, forms of names, keys, and what it certifies for all of
/// them. What a client may add beyond that it is not told.
pub(crate) fn template(profile: &Profile) -> RequestTemplate {
    RequestTemplate {
        subject: subject(profile),
        names: names(profile),
        keys: profile.key.allowed.iter().copied().map(key).collect(),
        extensions: extensions(profile),
    }
}

fn subject(profile: &Profile) -> Vec<TemplateAttribute> {
    let rules = profile.subject.attributes.iter();
    let mut wanted: Vec<TemplateAttribute> = rules
        .filter(|rule| rule.required || rule.fixed.is_some())
        .map(|rule| TemplateAttribute {
            oid: rule.kind.0.clone(),
            value: rule.fixed.clone(),
        })
        .collect();
    let has_common_name = wanted.iter().any(|attribute| attribute.oid == Oid::COMMON_NAME);
    if profile.subject.common_name.rule == CommonNameRule::Free && !has_common_name {
        wanted.push(TemplateAttribute {
            oid: Oid::COMMON_NAME,
            value: None,
        });
    }
    // As in certificates, the common name stands last.
    wanted.sort_by_key(|attribute| attribute.oid == Oid::COMMON_NAME);
    wanted
}

fn names(profile: &Profile) -> Vec<TemplateName> {
    let rules = &profile.names;
    if rules.count_max == 0 {
        return Vec::new();
    }
    let forms = [
        (TemplateName::Dns, rules.dns.is_some()),
        (TemplateName::Ip, rules.ip.is_some()),
        (TemplateName::Email, rules.email.is_some()),
        (TemplateName::Uri, rules.uri.is_some()),
    ];
    forms
        .into_iter()
        .filter_map(|(form, allowed)| allowed.then_some(form))
        .collect()
}

fn key(range: KeyRange) -> TemplateKey {
    match range {
        KeyRange::One(algorithm) => TemplateKey::One(algorithm),
        KeyRange::Rsa { bits_min, bits_max } => TemplateKey::Rsa { bits_min, bits_max },
    }
}

/// Usages that hold for every key of the profile.
fn extensions(profile: &Profile) -> Vec<Extension> {
    let of_range = |range: &KeyRange| match range {
        KeyRange::One(algorithm) => profile.key_usage.of(*algorithm),
        KeyRange::Rsa { bits_min, .. } => profile.key_usage.of(KeyAlgorithm::Rsa { bits: *bits_min }),
    };
    let mut usages = profile.key.allowed.iter().map(of_range);
    let first = usages.next().unwrap_or_default();
    let usage = if usages.all(|other| other == first) {
        first
    } else {
        profile.key_usage.always
    };
    let rules = &profile.extended_key_usage;
    let purposes: Vec<Oid> = rules
        .fixed
        .iter()
        .chain(&rules.default)
        .map(|purpose| purpose.0.clone())
        .collect();
    let mut extensions = Vec::new();
    if usage != KeyUsage::NONE {
        extensions.push(Extension {
            oid: Oid::KEY_USAGE,
            critical: true,
            value: encode::key_usage(usage),
        });
    }
    if !purposes.is_empty() {
        extensions.push(Extension {
            oid: Oid::EXTENDED_KEY_USAGE,
            critical: false,
            value: encode::extended_key_usage(&purposes),
        });
    }
    extensions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipped::shipped_profile;

    #[test]
    fn templates_of_shipped_profiles() {
        let of = |name| template(&shipped_profile(name).expect(name).expect(name));
        let device = of("device");
        let subject: Vec<_> = device.subject.iter().map(|it| (&it.oid, &it.value)).collect();
        assert_eq!(subject, [(&Oid::COMMON_NAME, &None)]);
        assert_eq!(device.names, [TemplateName::Dns]);
        assert_eq!(device.keys.first(), Some(&TemplateKey::One(KeyAlgorithm::EcP256)));
        let oids: Vec<_> = device.extensions.iter().map(|it| &it.oid).collect();
        assert_eq!(oids, [&Oid::KEY_USAGE, &Oid::EXTENDED_KEY_USAGE]);
        let usage = encode::key_usage(KeyUsage::DIGITAL_SIGNATURE);
        assert_eq!(
            device.extensions.first().map(|it| &it.value),
            Some(&usage),
            "RSA would have more"
        );
        assert_eq!(of("dev").names, [TemplateName::Dns, TemplateName::Ip]);
    }
}
