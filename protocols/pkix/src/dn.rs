//! Distinguished names.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::der::{self, Reader, Tlv, tag};
use crate::error::{DecodeError, Flaw};
use crate::oid::Oid;
use crate::text::serde_as_text;

/// Most attributes of one name.
pub const ATTRIBUTES_MAX: usize = 32;
/// Most characters of an attribute value that has no smaller bound.
pub const VALUE_CHARS_MAX: usize = 256;
/// Most characters of a common name (RFC 5280 appendix A.1, ub-common-name).
pub const COMMON_NAME_CHARS_MAX: usize = 64;

/// One attribute of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct Attribute {
    /// The attribute type.
    pub oid: Oid,
    /// The value as text, whatever string type carried it.
    pub value: String,
}

impl Attribute {
    fn normalised(&self) -> Self {
        let words: Vec<&str> = self.value.split_whitespace().collect();
        Self {
            oid: self.oid.clone(),
            value: words.join(" ").to_lowercase(),
        }
    }
}

/// A distinguished name: a sequence of relative names, each a set of attributes, most significant first.
///
/// Values decode from any DirectoryString or IA5String and are compared as text. Values that are not text, are empty,
/// contain control characters or exceed their bound are refused. The text form is that of RFC 4514: most specific
/// attribute first.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct DistinguishedName {
    /// The relative names, in encoding order.
    pub rdns: Vec<Vec<Attribute>>,
}

impl DistinguishedName {
    /// The name without attributes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Has no attributes.
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// A name of one common name. Keep it within 64 characters: longer ones do not decode again.
    pub fn common_name(common_name: impl Into<String>) -> Self {
        Self::default().with(Oid::COMMON_NAME, common_name)
    }

    /// The name with one more relative name below it.
    #[must_use]
    pub fn with(mut self, oid: Oid, value: impl Into<String>) -> Self {
        self.rdns.push(vec![Attribute {
            oid,
            value: value.into(),
        }]);
        self
    }

    /// The name for comparison: values in lower case, blanks at their ends removed and each run of blanks inside made one
    /// (in the manner of RFC 5280 section 7.1), attributes of a relative name sorted.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let rdns = self.rdns.iter().map(|rdn| {
            let mut attributes: Vec<Attribute> = rdn.iter().map(Attribute::normalised).collect();
            attributes.sort();
            attributes
        });
        Self { rdns: rdns.collect() }
    }

    /// All attributes in encoding order.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.rdns.iter().flatten()
    }

    /// The values of the common name attributes.
    pub fn common_names(&self) -> impl Iterator<Item = &str> {
        self.attributes()
            .filter(|a| a.oid == Oid::COMMON_NAME)
            .map(|a| a.value.as_str())
    }

    /// Reads a Name element without trailing bytes.
    pub fn from_der(input: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(input);
        let element = reader.expect(tag::SEQUENCE, "name")?;
        reader.finish("name")?;
        Self::from_tlv(&element)
    }

    /// Reads a Name element.
    pub(crate) fn from_tlv(element: &Tlv<'_>) -> Result<Self, DecodeError> {
        let mut rdns = Vec::new();
        let mut count = 0;
        let mut names = element.reader();
        while !names.is_empty() {
            let mut set = names.expect(tag::SET, "relative name")?.reader();
            let mut attributes = Vec::new();
            loop {
                count += 1;
                if count > ATTRIBUTES_MAX {
                    return Err(Flaw::TooMany("name attributes").at(set.offset()));
                }
                attributes.push(attribute(&mut set)?);
                if set.is_empty() {
                    break;
                }
            }
            rdns.push(attributes);
        }
        Ok(Self { rdns })
    }

    /// The Name element: UTF8String, but PrintableString for a country and serial number, IA5String for e-mail
    /// addresses and domain components (RFC 5280 appendix A.1) where the value allows it.
    pub fn to_der(&self) -> Vec<u8> {
        let rdns: Vec<Vec<u8>> = self
            .rdns
            .iter()
            .map(|rdn| der::set_of(rdn.iter().map(encode_attribute).collect()))
            .collect();
        der::sequence(&rdns)
    }

    /// Reads the text form, such as `CN=a,O=b`: `,` between relative names, `+` inside one, `\` before a special
    /// character or two hexadecimal digits, types as keywords or dotted identifiers.
    pub fn parse(text: &str) -> Result<Self, DecodeError> {
        let mut rdns = Vec::new();
        let mut count = 0;
        if !text.trim().is_empty() {
            for part in split_unescaped(text, ',') {
                let mut attributes = Vec::new();
                for assignment in split_unescaped(part, '+') {
                    count += 1;
                    if count > ATTRIBUTES_MAX {
                        return Err(Flaw::TooMany("name attributes").at(0));
                    }
                    attributes.push(parse_attribute(assignment)?);
                }
                rdns.push(attributes);
            }
        }
        rdns.reverse();
        Ok(Self { rdns })
    }
}

impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, rdn) in self.rdns.iter().rev().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            for (index, attribute) in rdn.iter().enumerate() {
                if index > 0 {
                    f.write_str("+")?;
                }
                match keyword(&attribute.oid) {
                    Some(keyword) => f.write_str(keyword)?,
                    None => attribute.oid.fmt(f)?,
                }
                write!(f, "={}", Escaped(&attribute.value))?;
            }
        }
        Ok(())
    }
}

impl FromStr for DistinguishedName {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::parse(text)
    }
}

serde_as_text!(DistinguishedName);

const KEYWORDS: &[(&str, Oid)] = &[
    ("CN", Oid::COMMON_NAME),
    ("O", Oid::ORGANIZATION),
    ("OU", Oid::ORGANIZATIONAL_UNIT),
    ("C", Oid::COUNTRY),
    ("L", Oid::LOCALITY),
    ("ST", Oid::STATE),
    ("STREET", Oid::STREET),
    ("DC", Oid::DOMAIN_COMPONENT),
    ("UID", Oid::USER_ID),
    ("serialNumber", Oid::SERIAL_NUMBER),
    ("emailAddress", Oid::EMAIL_ADDRESS),
    ("SN", Oid::SURNAME),
    ("GN", Oid::GIVEN_NAME),
    ("title", Oid::TITLE),
    ("dnQualifier", Oid::DN_QUALIFIER),
    ("organizationIdentifier", Oid::ORGANIZATION_IDENTIFIER),
];

/// The short name of an attribute type, such as `CN`.
pub fn keyword(oid: &Oid) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .find(|(_, known)| known == oid)
        .map(|(name, _)| *name)
}

/// The attribute type of a short name (upper or lower case) or dotted identifier.
pub fn attribute_type(text: &str) -> Option<Oid> {
    let known = KEYWORDS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(text))
        .map(|(_, oid)| oid.clone());
    known.or_else(|| text.parse().ok())
}

fn attribute(set: &mut Reader<'_>) -> Result<Attribute, DecodeError> {
    let mut fields = set.sequence("name attribute")?;
    let oid = fields.oid("attribute type")?;
    let element = fields.any()?;
    fields.finish("name attribute")?;
    let value = decode_string(&element)?;
    check_value(&oid, &value).map_err(|flaw| element.refuse(flaw))?;
    Ok(Attribute { oid, value })
}

fn check_value(oid: &Oid, value: &str) -> Result<(), Flaw> {
    let chars_max = if *oid == Oid::COMMON_NAME {
        COMMON_NAME_CHARS_MAX
    } else {
        VALUE_CHARS_MAX
    };
    if value.chars().count() > chars_max {
        return Err(Flaw::TooLarge("name attribute value"));
    }
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(Flaw::Invalid("name attribute value"));
    }
    Ok(())
}

/// Text of any of the string types a name or a PKCS #9 attribute may use.
pub(crate) fn decode_string(element: &Tlv<'_>) -> Result<String, DecodeError> {
    // Four octets per character is the widest type; cut before any copy is made.
    if element.content.len() > VALUE_CHARS_MAX * 4 {
        return Err(element.refuse(Flaw::TooLarge("string")));
    }
    let text = match element.tag {
        tag::UTF8_STRING => std::str::from_utf8(element.content).ok().map(str::to_owned),
        tag::PRINTABLE_STRING | tag::IA5_STRING => ascii(element.content),
        tag::TELETEX_STRING => Some(element.content.iter().copied().map(char::from).collect()),
        tag::BMP_STRING => wide::<2>(element.content),
        tag::UNIVERSAL_STRING => wide::<4>(element.content),
        _ => return Err(element.refuse(Flaw::Expected("string"))),
    };
    text.ok_or_else(|| element.refuse(Flaw::Invalid("string")))
}

fn ascii(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    text.is_ascii().then(|| text.to_owned())
}

fn wide<const OCTETS: usize>(content: &[u8]) -> Option<String> {
    let (units, rest) = content.as_chunks::<OCTETS>();
    if !rest.is_empty() {
        return None;
    }
    let code = |unit: &[u8; OCTETS]| {
        unit.iter()
            .fold(0_u32, |sum, octet| (sum << 8) | u32::from(*octet))
    };
    units.iter().map(|unit| char::from_u32(code(unit))).collect()
}

fn encode_attribute(attribute: &Attribute) -> Vec<u8> {
    let value = attribute.value.as_bytes();
    let ascii_types = [Oid::EMAIL_ADDRESS, Oid::DOMAIN_COMPONENT];
    let printable_types = [Oid::COUNTRY, Oid::SERIAL_NUMBER, Oid::DN_QUALIFIER];
    let string_tag = if ascii_types.contains(&attribute.oid) && value.is_ascii() {
        tag::IA5_STRING
    } else if printable_types.contains(&attribute.oid) && value.iter().all(is_printable_string) {
        tag::PRINTABLE_STRING
    } else {
        tag::UTF8_STRING
    };
    der::sequence(&[attribute.oid.to_der(), der::tlv(string_tag, value)])
}

fn is_printable_string(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(byte)
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.0.chars().count().saturating_sub(1);
        for (index, c) in self.0.chars().enumerate() {
            let special = ",+\"\\<>;=".contains(c)
                || (index == 0 && (c == '#' || c == ' '))
                || (index == last && c == ' ');
            if special {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        Ok(())
    }
}

fn split_unescaped(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut escaped = false;
    text.split(move |c: char| {
        let splits = c == separator && !escaped;
        escaped = c == '\\' && !escaped;
        splits
    })
}

fn parse_attribute(assignment: &str) -> Result<Attribute, DecodeError> {
    let invalid = || Flaw::Invalid("name attribute").at(0);
    let (name, value) = assignment.split_once('=').ok_or_else(invalid)?;
    let oid = attribute_type(name.trim()).ok_or_else(invalid)?;
    let value = unescape(value).ok_or_else(invalid)?;
    check_value(&oid, &value).map_err(|flaw| flaw.at(0))?;
    Ok(Attribute { oid, value })
}

/// Removes escapes and the blanks around the value; an unescaped quote or `#hex` value is refused.
fn unescape(text: &str) -> Option<String> {
    let text = text.trim_start_matches(' ');
    if text.starts_with(['#', '"']) {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut kept = 0;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let literal = if c == '\\' { chars.next()? } else { c };
        match (c, literal.to_digit(16)) {
            ('\\', Some(high)) => bytes.push(u8::try_from(high * 16 + chars.next()?.to_digit(16)?).ok()?),
            _ => bytes.extend_from_slice(literal.encode_utf8(&mut [0; 4]).as_bytes()),
        }
        if c != ' ' {
            kept = bytes.len();
        }
    }
    bytes.truncate(kept);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
