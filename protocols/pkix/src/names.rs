//! Identifiers and general names.

use std::fmt;
use std::net::IpAddr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Serialize};

use crate::der::{self, Tlv, tag};
use crate::dns::DnsName;
use crate::error::{DecodeError, Flaw};

/// Longest e-mail address (RFC 5321 section 4.5.3.1).
const EMAIL_LENGTH_MAX: usize = 320;
const URI_LENGTH_MAX: usize = 2048;
const OTHER_LENGTH_MAX: usize = 4096;

/// A name whose control can be validated: what ACME calls an identifier.
///
/// Serialized as `{"type": "dns" | "ip", "value": "..."}`, the form of RFC 8555 and RFC 8738.
#[derive(
    Clone,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
#[serde(tag = "type", content = "value", rename_all = "lowercase")]
pub enum Identifier {
    /// A DNS name, possibly a wildcard.
    Dns(DnsName),
    /// An IP address.
    Ip(IpAddr),
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

impl From<DnsName> for Identifier {
    fn from(name: DnsName) -> Self {
        Self::Dns(name)
    }
}

impl From<IpAddr> for Identifier {
    fn from(address: IpAddr) -> Self {
        Self::Ip(address)
    }
}

/// A name as the subject alternative name extension carries it (RFC 5280 section 4.2.1.6).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum GeneralName {
    /// dNSName.
    Dns(DnsName),
    /// iPAddress, of one host.
    Ip(IpAddr),
    /// rfc822Name, as received.
    Email(String),
    /// uniformResourceIdentifier, as received.
    Uri(String),
    /// Any other form: the whole element.
    Other(Vec<u8>),
}

/// What to do with a dNSName that is not a [`DnsName`].
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum UnusualDnsNames {
    /// Refuse the whole structure: for requests.
    Refuse,
    /// Keep the element as [`GeneralName::Other`]: for certificates that others have issued.
    KeepAsOther,
}

impl GeneralName {
    /// The identifier this name stands for, if its control can be validated.
    pub fn identifier(&self) -> Option<Identifier> {
        match self {
            Self::Dns(name) => Some(Identifier::Dns(name.clone())),
            Self::Ip(address) => Some(Identifier::Ip(*address)),
            Self::Email(_) | Self::Uri(_) | Self::Other(_) => None,
        }
    }

    /// The GeneralName element.
    pub fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Email(text) => der::tlv(tag::context(1), text.as_bytes()),
            Self::Dns(name) => der::tlv(tag::context(2), name.as_str().as_bytes()),
            Self::Uri(text) => der::tlv(tag::context(6), text.as_bytes()),
            Self::Ip(IpAddr::V4(address)) => der::tlv(tag::context(7), &address.octets()),
            Self::Ip(IpAddr::V6(address)) => der::tlv(tag::context(7), &address.octets()),
            Self::Other(whole) => whole.clone(),
        }
    }

    /// Reads one GeneralName element.
    pub fn from_tlv(element: &Tlv<'_>, unusual: UnusualDnsNames) -> Result<Self, DecodeError> {
        const EMAIL: u8 = tag::context(1);
        const DNS: u8 = tag::context(2);
        const URI: u8 = tag::context(6);
        const IP: u8 = tag::context(7);
        match element.tag {
            EMAIL => Ok(Self::Email(visible_text(
                element,
                EMAIL_LENGTH_MAX,
                "e-mail address",
            )?)),
            URI => Ok(Self::Uri(visible_text(element, URI_LENGTH_MAX, "URI")?)),
            DNS => dns_name(element, unusual),
            IP => ip_address(element.content)
                .map(Self::Ip)
                .ok_or_else(|| element.refuse(Flaw::Invalid("IP address"))),
            _ => other(element),
        }
    }
}

impl From<Identifier> for GeneralName {
    fn from(identifier: Identifier) -> Self {
        match identifier {
            Identifier::Dns(name) => Self::Dns(name),
            Identifier::Ip(address) => Self::Ip(address),
        }
    }
}

impl fmt::Display for GeneralName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(address) => address.fmt(f),
            Self::Email(text) => write!(f, "email:{text}"),
            Self::Uri(text) => write!(f, "uri:{text}"),
            Self::Other(whole) => write!(f, "other:{}", hex::encode(whole)),
        }
    }
}

fn dns_name(element: &Tlv<'_>, unusual: UnusualDnsNames) -> Result<GeneralName, DecodeError> {
    let text = std::str::from_utf8(element.content)
        .map_err(|_| element.refuse(Flaw::DnsName(crate::dns::DnsNameError::BadCharacter)));
    match (
        text.and_then(|text| DnsName::parse(text).map_err(|e| element.refuse(e.into()))),
        unusual,
    ) {
        (Ok(name), _) => Ok(GeneralName::Dns(name)),
        (Err(_), UnusualDnsNames::KeepAsOther) => other(element),
        (Err(error), UnusualDnsNames::Refuse) => Err(error),
    }
}

fn ip_address(content: &[u8]) -> Option<IpAddr> {
    match content.len() {
        4 => <[u8; 4]>::try_from(content).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(content).ok().map(IpAddr::from),
        _ => None,
    }
}

fn visible_text(element: &Tlv<'_>, length_max: usize, what: &'static str) -> Result<String, DecodeError> {
    if element.content.len() > length_max {
        return Err(element.refuse(Flaw::TooLarge(what)));
    }
    let visible = !element.content.is_empty() && element.content.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(element.content) {
        Ok(text) if visible => Ok(text.to_owned()),
        _ => Err(element.refuse(Flaw::Invalid(what))),
    }
}

fn other(element: &Tlv<'_>) -> Result<GeneralName, DecodeError> {
    if element.tag & 0xc0 != 0x80 {
        return Err(element.refuse(Flaw::Expected("general name")));
    }
    if element.whole.len() > OTHER_LENGTH_MAX {
        return Err(element.refuse(Flaw::TooLarge("general name")));
    }
    Ok(GeneralName::Other(element.whole.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::Reader;

    fn read(bytes: &[u8], unusual: UnusualDnsNames) -> Result<GeneralName, DecodeError> {
        GeneralName::from_tlv(&Reader::new(bytes).any()?, unusual)
    }

    #[test]
    fn forms_round_trip() {
        let rows = [
            (
                "dns",
                GeneralName::Dns(DnsName::parse("*.example.com").expect("name")),
                "*.example.com",
            ),
            ("ipv4", GeneralName::Ip(IpAddr::from([192, 0, 2, 1])), "192.0.2.1"),
            (
                "ipv6",
                GeneralName::Ip("2001:db8::1".parse().expect("address")),
                "2001:db8::1",
            ),
            (
                "email",
                GeneralName::Email("a@example.com".into()),
                "email:a@example.com",
            ),
            (
                "uri",
                GeneralName::Uri("https://example.com/".into()),
                "uri:https://example.com/",
            ),
            (
                "registered id",
                GeneralName::Other(vec![0x88, 2, 0x2a, 3]),
                "other:88022a03",
            ),
        ];
        for (name, general, text) in rows {
            assert_eq!(
                read(&general.to_der(), UnusualDnsNames::Refuse),
                Ok(general.clone()),
                "{name}"
            );
            assert_eq!(general.to_string(), text, "{name}");
            let stored = borsh::to_vec(&general).expect("serializable");
            assert_eq!(
                GeneralName::try_from_slice(&stored).expect("stored"),
                general,
                "{name}"
            );
        }
    }

    #[test]
    fn malformed_forms_are_refused() {
        let rows: [(&str, &[u8]); 7] = [
            ("ip of 5 octets", &[0x87, 5, 1, 2, 3, 4, 5]),
            ("ip network", &[0x87, 8, 10, 0, 0, 0, 255, 0, 0, 0]),
            ("dns with underscore", b"\x82\x03_ab"),
            ("empty dns", b"\x82\x00"),
            ("email with newline", b"\x81\x03a\nb"),
            ("uri not ASCII", b"\x86\x02\xc3\xa4"),
            ("universal tag", &[0x04, 1, 0]),
        ];
        for (name, bytes) in rows {
            assert!(read(bytes, UnusualDnsNames::Refuse).is_err(), "{name}");
        }
        let kept = read(b"\x82\x03_ab", UnusualDnsNames::KeepAsOther);
        assert_eq!(kept, Ok(GeneralName::Other(b"\x82\x03_ab".to_vec())));
    }

    #[test]
    fn identifier_json_is_the_acme_form() {
        let rows = [
            (
                "dns",
                Identifier::Dns(DnsName::parse("a.example").expect("name")),
                "a.example",
            ),
            ("ip", Identifier::Ip(IpAddr::from([192, 0, 2, 1])), "192.0.2.1"),
        ];
        for (kind, identifier, value) in rows {
            let json = serde_json::json!({"type": kind, "value": value});
            assert_eq!(serde_json::to_value(&identifier).expect("json"), json);
            assert_eq!(
                serde_json::from_value::<Identifier>(json).expect("identifier"),
                identifier
            );
        }
    }
}
