//! DNS names.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::error::invalid_record;
use crate::text::serde_as_text;

/// Longest name in its text form (RFC 1035 section 2.3.4, without the root label).
const NAME_LENGTH_MAX: usize = 253;
const LABEL_LENGTH_MAX: usize = 63;
const WILDCARD_PREFIX: &str = "*.";

/// A DNS name as certificates carry it: lower-case letters, digits and hyphens, A-labels for anything else.
///
/// May begin with one `*.`, which must be followed by at least one further label (RFC 9525 section 6.3). At most 253
/// octets, 63 per label.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

/// Why a text is not a [`DnsName`].
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsNameError {
    /// The text is empty.
    #[error("empty name")]
    Empty,
    /// More than 253 octets.
    #[error("longer than 253 octets")]
    TooLong,
    /// Two dots in a row or a leading dot.
    #[error("empty label")]
    EmptyLabel,
    /// The name ends with a dot.
    #[error("trailing dot")]
    TrailingDot,
    /// A label of more than 63 octets.
    #[error("label longer than 63 octets")]
    LabelTooLong,
    /// Something other than letters, digits and hyphens; internationalized names must be given as A-labels.
    #[error("character outside of letters, digits and hyphen")]
    BadCharacter,
    /// A label begins or ends with a hyphen.
    #[error("label begins or ends with a hyphen")]
    Hyphen,
    /// `*` elsewhere than as the whole leftmost label, or alone.
    #[error("misplaced wildcard")]
    Wildcard,
    /// A label with hyphens in third and fourth place that is no A-label (RFC 5890 section 2.3.1).
    #[error("reserved label (hyphens in third and fourth place)")]
    ReservedLdh,
    /// A label that begins with `xn--` and does not decode to a valid U-label, or not in its canonical form.
    #[error("invalid A-label")]
    BadALabel,
    /// The text is an IP address, or would be read as one.
    #[error("an IP address, not a DNS name")]
    IpAddress,
}

impl DnsName {
    /// Reads a name; upper case is folded, everything else must be in its final form.
    pub fn parse(text: &str) -> Result<Self, DnsNameError> {
        if text.is_empty() {
            return Err(DnsNameError::Empty);
        }
        if text.len() > NAME_LENGTH_MAX {
            return Err(if text.is_ascii() {
                DnsNameError::TooLong
            } else {
                DnsNameError::BadCharacter
            });
        }
        let name = text.to_ascii_lowercase();
        let base = name.strip_prefix(WILDCARD_PREFIX).unwrap_or(&name);
        check_base(base)?;
        Ok(Self(name))
    }

    /// The name, with `*.` if it is a wildcard.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Begins with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with(WILDCARD_PREFIX)
    }

    /// The name without its `*.`.
    #[must_use]
    pub fn base(&self) -> DnsName {
        Self(self.base_str().to_owned())
    }

    /// Equal to the suffix or below it, label by label; a wildcard counts as its base.
    pub fn is_under(&self, suffix: &DnsName) -> bool {
        match self.base_str().strip_suffix(suffix.base_str()) {
            Some(rest) => rest.is_empty() || rest.ends_with('.'),
            None => false,
        }
    }

    /// How many labels the name has, `*` included.
    pub fn labels_count(&self) -> usize {
        self.0.split('.').count()
    }

    fn base_str(&self) -> &str {
        self.0.strip_prefix(WILDCARD_PREFIX).unwrap_or(&self.0)
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsName({})", self.0)
    }
}

impl AsRef<str> for DnsName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl FromStr for DnsName {
    type Err = DnsNameError;

    fn from_str(text: &str) -> Result<Self, DnsNameError> {
        Self::parse(text)
    }
}

serde_as_text!(DnsName);

impl BorshSerialize for DnsName {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

impl BorshDeserialize for DnsName {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::parse(&String::deserialize_reader(reader)?).map_err(invalid_record)
    }
}

fn check_base(base: &str) -> Result<(), DnsNameError> {
    if base.ends_with('.') {
        return Err(DnsNameError::TrailingDot);
    }
    let mut last = "";
    for label in base.split('.') {
        check_label(label)?;
        last = label;
    }
    // A name whose last label is a number is read as an IPv4 address by many resolvers and URL parsers.
    if is_number(last) {
        Err(DnsNameError::IpAddress)
    } else {
        Ok(())
    }
}

fn check_label(label: &str) -> Result<(), DnsNameError> {
    if label.is_empty() {
        return Err(DnsNameError::EmptyLabel);
    }
    if label.contains('*') {
        return Err(DnsNameError::Wildcard);
    }
    if label.contains(':') && label.chars().all(|c| c.is_ascii_hexdigit() || ":[]".contains(c)) {
        return Err(DnsNameError::IpAddress);
    }
    if !label
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err(DnsNameError::BadCharacter);
    }
    if label.len() > LABEL_LENGTH_MAX {
        return Err(DnsNameError::LabelTooLong);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(DnsNameError::Hyphen);
    }
    if label.get(2..4) != Some("--") {
        return Ok(());
    }
    if !label.starts_with("xn--") {
        return Err(DnsNameError::ReservedLdh);
    }
    check_a_label(label)
}

/// An A-label must decode, be valid under UTS #46 without deviations, and encode to itself.
fn check_a_label(label: &str) -> Result<(), DnsNameError> {
    let encoded = Uts46::new().to_ascii(
        label.as_bytes(),
        AsciiDenyList::STD3,
        Hyphens::Check,
        DnsLength::Verify,
    );
    match encoded {
        Ok(ascii) if ascii == label => Ok(()),
        _ => Err(DnsNameError::BadALabel),
    }
}

/// Decimal, or hexadecimal with `0x`: what URL parsers accept as a part of an IPv4 address.
fn is_number(label: &str) -> bool {
    match label.strip_prefix("0x") {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accepts() {
        let longest_label = "a".repeat(63);
        let longest = format!("{0}.{0}.{0}.{1}", longest_label, "a".repeat(61));
        let rows = [
            ("plain", "example.com", "example.com"),
            ("single label", "localhost", "localhost"),
            ("upper case is folded", "WWW.Example.COM", "www.example.com"),
            ("wildcard", "*.example.com", "*.example.com"),
            ("wildcard over one label", "*.internal", "*.internal"),
            ("digits first", "1and1.example", "1and1.example"),
            (
                "all-digit label inside",
                "4.3.2.1.in-addr.arpa",
                "4.3.2.1.in-addr.arpa",
            ),
            ("hyphens inside", "a-b--c.example", "a-b--c.example"),
            ("A-label", "xn--bcher-kva.example", "xn--bcher-kva.example"),
            (
                "A-label in upper case",
                "XN--BCHER-KVA.example",
                "xn--bcher-kva.example",
            ),
            (
                "right-to-left A-label",
                "xn--4dbrk0ce.example",
                "xn--4dbrk0ce.example",
            ),
            ("longest label", &longest_label, &longest_label),
            ("longest name", &longest, &longest),
        ];
        for (name, text, expected) in rows {
            assert_eq!(
                DnsName::parse(text).map(|dns| dns.0),
                Ok(expected.to_owned()),
                "{name}"
            );
        }
    }

    #[test]
    fn refuses() {
        use DnsNameError::*;
        let too_long_label = "a".repeat(64);
        let too_long = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "a".repeat(62));
        let rows = [
            ("empty", "", Empty),
            ("254 octets", &too_long, TooLong),
            ("64 octet label", &too_long_label, LabelTooLong),
            ("trailing dot", "example.com.", TrailingDot),
            ("root", ".", TrailingDot),
            ("leading dot", ".example.com", EmptyLabel),
            ("two dots", "a..example", EmptyLabel),
            ("underscore", "_acme.example.com", BadCharacter),
            ("space", "a b.example", BadCharacter),
            ("NUL", "a\0.example", BadCharacter),
            ("newline", "example.com\n", BadCharacter),
            ("U-label", "b\u{fc}cher.example", BadCharacter),
            ("full-width dot", "example\u{3002}com", BadCharacter),
            ("Kelvin sign", "\u{212a}.example", BadCharacter),
            ("port", "example.com:443", BadCharacter),
            ("leading hyphen", "-a.example", Hyphen),
            ("trailing hyphen", "a-.example", Hyphen),
            ("bare star", "*", Wildcard),
            ("partial wildcard", "w*.example.com", Wildcard),
            ("inner wildcard", "a.*.example.com", Wildcard),
            ("two wildcards", "*.*.example.com", Wildcard),
            ("wildcard of nothing", "*.", EmptyLabel),
            ("reserved label", "ab--cd.example", ReservedLdh),
            (
                "reserved label under a wildcard",
                "*.zz--top.example",
                ReservedLdh,
            ),
            ("A-label without content", "xn--.example", Hyphen),
            ("broken punycode", "xn--99999999999999.example", BadALabel),
            ("A-label of plain ASCII", "xn--abc-.example", Hyphen),
            (
                "A-label that decodes to upper case",
                "xn--bcher-2pa.example",
                BadALabel,
            ),
            ("IPv4", "127.0.0.1", IpAddress),
            ("short IPv4", "127.1", IpAddress),
            ("IPv4 as one number", "2130706433", IpAddress),
            ("IPv4 in hexadecimal", "0x7f000001", IpAddress),
            ("last label 0x", "example.0x", IpAddress),
            ("wildcard over IPv4", "*.0.0.1", IpAddress),
            ("IPv6", "::1", IpAddress),
            ("IPv6 in brackets", "[fe80::1]", IpAddress),
        ];
        for (name, text, expected) in rows {
            assert_eq!(DnsName::parse(text), Err(expected), "{name}");
        }
    }

    #[test]
    fn relations() {
        let parse = |text: &str| DnsName::parse(text).expect("valid name");
        let rows = [
            ("equal", "example.com", "example.com", true),
            ("below", "a.b.example.com", "example.com", true),
            ("wildcard below", "*.b.example.com", "example.com", true),
            ("wildcard of the suffix", "*.example.com", "example.com", true),
            ("same ending, other label", "badexample.com", "example.com", false),
            ("above", "com", "example.com", false),
            ("elsewhere", "example.org", "example.com", false),
        ];
        for (name, below, suffix, expected) in rows {
            assert_eq!(parse(below).is_under(&parse(suffix)), expected, "{name}");
        }
        assert!(parse("*.example.com").is_wildcard());
        assert_eq!(parse("*.example.com").base(), parse("example.com"));
        assert_eq!(parse("*.example.com").labels_count(), 3);
        assert_eq!(parse("localhost").labels_count(), 1);
    }

    #[test]
    fn stored_names_are_checked_again() {
        let stored = borsh::to_vec(&"Not A Name".to_owned()).expect("serializable");
        assert!(DnsName::try_from_slice(&stored).is_err());
    }

    proptest! {
        #[test]
        fn parse_is_idempotent_and_stores(text in "(\\*\\.)?[a-zA-Z0-9-]{1,20}(\\.[a-z0-9-]{1,10}){0,4}|\\PC{0,40}") {
            if let Ok(name) = DnsName::parse(&text) {
                prop_assert_eq!(DnsName::parse(name.as_str()), Ok(name.clone()));
                let stored = borsh::to_vec(&name).expect("serializable");
                prop_assert_eq!(DnsName::try_from_slice(&stored).expect("stored name"), name.clone());
                prop_assert!(name.as_str().is_ascii() && !name.as_str().contains("_"));
                prop_assert!(name.as_str().parse::<std::net::IpAddr>().is_err());
            }
        }
    }
}
