//! Contacts of an account (RFC 8555 section 7.3): `mailto` alone, one address each, no header fields (RFC 6068).

use portreeve_pkix::DnsName;

use crate::error::AcmeError;

/// RFC 5321 section 4.5.3.1.
const ADDRESS_MAX: usize = 254;
const LOCAL_PART_MAX: usize = 64;
/// How much of a refused contact is repeated.
const SHOWN_MAX: usize = 80;

/// Checks the contacts a client gives; a list with a bad one is refused whole.
pub(crate) fn check(contacts: &[String], contacts_max: usize) -> Result<(), AcmeError> {
    if contacts.len() > contacts_max {
        return Err(AcmeError::Malformed("too many contacts"));
    }
    contacts.iter().try_for_each(|contact| check_one(contact))
}

fn check_one(contact: &str) -> Result<(), AcmeError> {
    let invalid = |why| {
        Err(AcmeError::ContactInvalid(
            contact.chars().take(SHOWN_MAX).collect(),
            why,
        ))
    };
    if contact.is_empty() {
        return invalid("is empty");
    }
    if !contact.bytes().all(|byte| byte.is_ascii_graphic()) {
        return invalid("contains other characters than printable ASCII");
    }
    let Some((scheme, address)) = contact.split_once(':') else {
        return invalid("is not a URL");
    };
    if !scheme.eq_ignore_ascii_case("mailto") {
        return Err(AcmeError::ContactUnsupported(
            contact.chars().take(SHOWN_MAX).collect(),
        ));
    }
    match fault(address) {
        Some(why) => invalid(why),
        None => Ok(()),
    }
}

/// What is wrong with an address, if something is.
fn fault(address: &str) -> Option<&'static str> {
    if address.contains(['?', '&', '#']) {
        return Some("contains header fields");
    }
    if address.contains([',', ';']) {
        return Some("contains more than one address");
    }
    if address.contains('%') {
        return Some("contains percent-encoding");
    }
    if address.len() > ADDRESS_MAX {
        return Some("is too long");
    }
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Some("has no domain");
    };
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    let bytes = |byte: u8| byte.is_ascii_alphanumeric() || b"!$'*+-/=^_`{|}~.".contains(&byte);
    if local.is_empty() || local.len() > LOCAL_PART_MAX || dots || !local.bytes().all(bytes) {
        return Some("has no proper local part");
    }
    match DnsName::parse(domain) {
        Ok(name) if !name.is_wildcard() => None,
        _ => Some("has no proper domain"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(contact: &str) -> &'static str {
        match check(&[contact.to_owned()], 10) {
            Ok(()) => "accepted",
            Err(AcmeError::ContactInvalid(..)) => "invalidContact",
            Err(AcmeError::ContactUnsupported(_)) => "unsupportedContact",
            Err(_) => "another",
        }
    }

    #[test]
    fn contacts() {
        let long = format!("mailto:{}@example.com", "a".repeat(65));
        let rows = [
            ("an address", "mailto:admin@example.com", "accepted"),
            ("scheme in upper case", "MAILTO:admin@example.com", "accepted"),
            (
                "plus and dots",
                "mailto:first.last+tag@mail.example.com",
                "accepted",
            ),
            ("single label", "mailto:root@localhost", "accepted"),
            ("telephone", "tel:+12025551212", "unsupportedContact"),
            ("web page", "https://example.com/contact", "unsupportedContact"),
            (
                "header fields",
                "mailto:a@example.com?subject=x",
                "invalidContact",
            ),
            ("no address but header fields", "mailto:a?x", "invalidContact"),
            (
                "two addresses",
                "mailto:a@example.com,b@example.com",
                "invalidContact",
            ),
            ("empty", "", "invalidContact"),
            ("nothing after the scheme", "mailto:", "invalidContact"),
            ("no domain", "mailto:admin", "invalidContact"),
            ("no local part", "mailto:@example.com", "invalidContact"),
            ("two dots", "mailto:a..b@example.com", "invalidContact"),
            ("long local part", &long, "invalidContact"),
            ("not ASCII", "mailto:b\u{fc}ro@example.com", "invalidContact"),
            ("domain not ASCII", "mailto:a@b\u{fc}ro.example", "invalidContact"),
            ("address literal", "mailto:a@[192.0.2.1]", "invalidContact"),
            ("domain is an address", "mailto:a@192.0.2.1", "invalidContact"),
            ("wildcard domain", "mailto:a@*.example.com", "invalidContact"),
            ("percent-encoded", "mailto:a%40b@example.com", "invalidContact"),
            ("line break", "mailto:a@example.com\r\nX: y", "invalidContact"),
            ("no scheme", "admin@example.com", "invalidContact"),
        ];
        for (name, contact, expected) in rows {
            assert_eq!(verdict(contact), expected, "{name}");
        }
    }

    #[test]
    fn the_number_is_limited() {
        let contacts = vec!["mailto:a@example.com".to_owned(); 11];
        assert!(check(&contacts[..10], 10).is_ok());
        assert!(matches!(check(&contacts, 10), Err(AcmeError::Malformed(_))));
    }
}
