use portreeve_pkix::dn::COMMON_NAME_CHARS_MAX;
use portreeve_pkix::{Attribute, DnsName, Oid};
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::AttributeType;

/// Upper bounds in characters of RFC 5280 appendix A.1.
const BOUNDS: [(Oid, usize); 9] = [
    (Oid::COMMON_NAME, COMMON_NAME_CHARS_MAX),
    (Oid::ORGANIZATION, 64),
    (Oid::ORGANIZATIONAL_UNIT, 64),
    (Oid::TITLE, 64),
    (Oid::SERIAL_NUMBER, 64),
    (Oid::DN_QUALIFIER, 64),
    (Oid::LOCALITY, 128),
    (Oid::STATE, 128),
    (Oid::EMAIL_ADDRESS, 255),
];

pub(super) fn judge(_: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    for attribute in draft.subject.attributes() {
        if let Some(reason) = objection(attribute) {
            let kind = AttributeType(attribute.oid.clone());
            reasons.refuse(Refusal::Subject(format!("{kind} {reason}")));
        }
    }
}

fn objection(attribute: &Attribute) -> Option<String> {
    let value = &attribute.value;
    let bound = BOUNDS.into_iter().find(|(oid, _)| *oid == attribute.oid);
    if let Some((_, chars_max)) = bound.filter(|(_, chars_max)| value.chars().count() > *chars_max) {
        return Some(format!("is longer than {chars_max} characters"));
    }
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    let reason = match &attribute.oid {
        oid if *oid == Oid::COUNTRY
            && (value.len() != 2 || !value.bytes().all(|b| b.is_ascii_alphabetic())) =>
        {
            "is not a country code of two letters"
        }
        oid if (*oid == Oid::SERIAL_NUMBER || *oid == Oid::DN_QUALIFIER) && !value.bytes().all(printable) => {
            "holds characters other than those of a PrintableString"
        }
        oid if *oid == Oid::EMAIL_ADDRESS && !(value.is_ascii() && value.contains('@')) => {
            "is not an e-mail address"
        }
        oid if *oid == Oid::DOMAIN_COMPONENT && !is_label(value) => "is not one label of a domain name",
        _ => return None,
    };
    Some(reason.to_owned())
}

fn is_label(value: &str) -> bool {
    !value.contains('.') && DnsName::parse(&format!("{value}.invalid")).is_ok_and(|name| !name.is_wildcard())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let rows = [
            ("CN of 64", Oid::COMMON_NAME, "a".repeat(64), true),
            ("CN of 65", Oid::COMMON_NAME, "a".repeat(65), false),
            (
                "64 characters of two octets",
                Oid::ORGANIZATION,
                "\u{e4}".repeat(64),
                true,
            ),
            ("O of 65", Oid::ORGANIZATION, "a".repeat(65), false),
            ("ST of 128", Oid::STATE, "a".repeat(128), true),
            ("ST of 129", Oid::STATE, "a".repeat(129), false),
            ("country", Oid::COUNTRY, "DE".into(), true),
            ("country in words", Oid::COUNTRY, "Germany".into(), false),
            ("country in digits", Oid::COUNTRY, "49".into(), false),
            ("serial number", Oid::SERIAL_NUMBER, "A-1 (x)".into(), true),
            (
                "serial number with underscore",
                Oid::SERIAL_NUMBER,
                "A_1".into(),
                false,
            ),
            ("e-mail", Oid::EMAIL_ADDRESS, "a@example.com".into(), true),
            ("no e-mail", Oid::EMAIL_ADDRESS, "example.com".into(), false),
            ("domain component", Oid::DOMAIN_COMPONENT, "example".into(), true),
            (
                "two domain components",
                Oid::DOMAIN_COMPONENT,
                "example.com".into(),
                false,
            ),
            ("star", Oid::DOMAIN_COMPONENT, "*".into(), false),
            ("other attribute", Oid::STREET, "a".repeat(250), true),
        ];
        for (name, oid, value, expected) in rows {
            assert_eq!(objection(&Attribute { oid, value }).is_none(), expected, "{name}");
        }
    }
}
