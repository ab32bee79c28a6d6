//! Names of a renewed certificate: whether they are the same.

use std::collections::BTreeSet;

use crate::der::{Reader, tag};
use crate::dn::DistinguishedName;
use crate::names::GeneralName;

/// A directoryName: `[4]` around a Name.
const DIRECTORY_NAME: u8 = tag::context_constructed(4);

/// Whether two subjects are the same name, as RFC 5280 section 7.1 compares them: whatever string types carry them.
pub fn same_subject(one: &DistinguishedName, other: &DistinguishedName) -> bool {
    one.normalised() == other.normalised()
}

/// Whether two lists have the same alternative names, in whatever order (RFC 5280 sections 7.2 to 7.5): the case of DNS names,
/// of the host of an e-mail address, and of scheme and host of a URI does not count.
pub fn same_names(one: &[GeneralName], other: &[GeneralName]) -> bool {
    let normalised = |names: &[GeneralName]| names.iter().map(comparable).collect::<BTreeSet<_>>();
    normalised(one) == normalised(other)
}

fn comparable(name: &GeneralName) -> GeneralName {
    match name {
        // DNS names are kept in lower case.
        GeneralName::Dns(_) | GeneralName::Ip(_) => name.clone(),
        GeneralName::Email(text) => GeneralName::Email(match text.rsplit_once('@') {
            Some((local, host)) => format!("{local}@{}", host.to_ascii_lowercase()),
            None => text.to_ascii_lowercase(),
        }),
        GeneralName::Uri(text) => GeneralName::Uri(comparable_uri(text)),
        GeneralName::Other(whole) => GeneralName::Other(comparable_directory_name(whole)),
    }
}

fn comparable_uri(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once(':') else {
        return text.to_owned();
    };
    let scheme = scheme.to_ascii_lowercase();
    let Some(rest) = rest.strip_prefix("//") else {
        return format!("{scheme}:{rest}");
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (format!("{user}@"), host),
        None => (String::new(), authority),
    };
    format!("{scheme}://{user}{}{path}", host.to_ascii_lowercase())
}

/// A directory name is compared as a name; every other form as it is.
fn comparable_directory_name(whole: &[u8]) -> Vec<u8> {
    let name = || {
        let mut outer = Reader::new(whole);
        let element = outer.expect(DIRECTORY_NAME, "directory name").ok()?;
        outer.finish("directory name").ok()?;
        DistinguishedName::from_der(element.content).ok()
    };
    name().map_or_else(
        || whole.to_vec(),
        |name| [&[DIRECTORY_NAME], name.normalised().to_der().as_slice()].concat(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der;
    use crate::dns::DnsName;
    use crate::oid::Oid;

    fn dns(text: &str) -> GeneralName {
        GeneralName::Dns(DnsName::parse(text).unwrap())
    }

    fn directory(name: &DistinguishedName) -> GeneralName {
        GeneralName::Other(der::tlv(DIRECTORY_NAME, &name.to_der()))
    }

    #[test]
    fn the_same_alternative_names() {
        let mail = |text: &str| GeneralName::Email(text.into());
        let uri = |text: &str| GeneralName::Uri(text.into());
        let cn = |text: &str| directory(&DistinguishedName::common_name(text));
        let rows = [
            ("none", vec![], vec![], true),
            (
                "another order",
                vec![dns("a.example"), dns("b.example")],
                vec![dns("b.example"), dns("a.example")],
                true,
            ),
            (
                "another case",
                vec![dns("A.example")],
                vec![dns("a.EXAMPLE")],
                true,
            ),
            (
                "one more",
                vec![dns("a.example")],
                vec![dns("a.example"), dns("b.example")],
                false,
            ),
            (
                "one less",
                vec![dns("a.example"), dns("b.example")],
                vec![dns("a.example")],
                false,
            ),
            ("another", vec![dns("a.example")], vec![dns("b.example")], false),
            (
                "hosts of addresses",
                vec![mail("Jo@A.example")],
                vec![mail("Jo@a.example")],
                true,
            ),
            (
                "people of addresses",
                vec![mail("Jo@a.example")],
                vec![mail("jo@a.example")],
                false,
            ),
            (
                "hosts of URIs",
                vec![uri("HTTP://u@A.example/P")],
                vec![uri("http://u@a.example/P")],
                true,
            ),
            (
                "paths of URIs",
                vec![uri("http://a.example/P")],
                vec![uri("http://a.example/p")],
                false,
            ),
            ("URNs", vec![uri("URN:a:B")], vec![uri("urn:a:B")], true),
            ("directory names", vec![cn("Press  7")], vec![cn("press 7")], true),
            (
                "other directory names",
                vec![cn("press 7")],
                vec![cn("press 8")],
                false,
            ),
            (
                "an address and a name",
                vec![GeneralName::Ip([127, 0, 0, 1].into())],
                vec![dns("a.example")],
                false,
            ),
        ];
        for (name, one, other, expected) in rows {
            assert_eq!(same_names(&one, &other), expected, "{name}");
            assert_eq!(same_names(&other, &one), expected, "{name}, the other way round");
        }
    }

    #[test]
    fn the_same_subject_whatever_its_string_types() {
        let attribute = |string_tag, text: &str| {
            let value = der::sequence(&[Oid::ORGANIZATION.to_der(), der::tlv(string_tag, text.as_bytes())]);
            der::set_of(vec![value])
        };
        let name = |string_tag, text| {
            DistinguishedName::from_der(&der::sequence(&[attribute(string_tag, text)])).unwrap()
        };
        let utf8 = name(tag::UTF8_STRING, "Example  Ltd");
        assert!(same_subject(&utf8, &name(tag::PRINTABLE_STRING, "example ltd")));
        assert!(same_subject(&utf8, &name(tag::TELETEX_STRING, "Example Ltd ")));
        assert!(!same_subject(&utf8, &name(tag::UTF8_STRING, "Example Inc")));
        let longer = utf8.clone().with(Oid::COMMON_NAME, "a");
        assert!(!same_subject(&utf8, &longer));
    }
}
