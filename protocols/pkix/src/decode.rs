//! Typed views of extension values and times; the reverse of [`encode`](crate::encode).

use time::{Date, Month, OffsetDateTime, Time};

use crate::der::{Reader, Tlv, tag};
use crate::error::{DecodeError, Flaw};
use crate::extension::{BasicConstraints, KeyUsage};
use crate::names::{GeneralName, UnusualDnsNames};
use crate::oid::Oid;
use crate::time::Timestamp;

/// Most purposes, policies, distribution points or access descriptions of one extension.
const LIST_MAX: usize = 64;
const URI_LENGTH_MAX: usize = 2048;
const KEY_IDENTIFIER_LENGTH_MAX: usize = 64;

/// subjectAltName: at least one and at most `names_max` names, in order, repeated ones once.
pub fn subject_alt_name(
    value: &[u8],
    names_max: usize,
    unusual: UnusualDnsNames,
) -> Result<Vec<GeneralName>, DecodeError> {
    let mut list = only_sequence(value, "subject alternative name")?;
    let mut seen = std::collections::HashSet::new();
    let mut names = Vec::new();
    let mut count = 0;
    if list.is_empty() {
        let empty = Flaw::Expected("at least one name in the subject alternative name");
        return Err(empty.at(list.offset()));
    }
    loop {
        let element = list.any()?;
        count += 1;
        if count > names_max {
            return Err(element.refuse(Flaw::TooMany("alternative names")));
        }
        let name = GeneralName::from_tlv(&element, unusual)?;
        if seen.insert(name.clone()) {
            names.push(name);
        }
        if list.is_empty() {
            return Ok(names);
        }
    }
}

/// keyUsage; bits beyond the known nine are refused.
pub fn key_usage(value: &[u8]) -> Result<KeyUsage, DecodeError> {
    let element = only(value, tag::BIT_STRING, "key usage")?;
    let invalid = || element.refuse(Flaw::Invalid("key usage"));
    let (unused, octets) = element.content.split_first().ok_or_else(invalid)?;
    let padding = octets.last().map_or(0, |last| last.trailing_zeros());
    if *unused > 7 || octets.len() > 2 || u32::from(*unused) > padding {
        return Err(invalid());
    }
    let bits = octets
        .iter()
        .rev()
        .fold(0_u16, |bits, octet| (bits << 8) | u16::from(octet.reverse_bits()));
    KeyUsage::from_bits(bits).ok_or_else(invalid)
}

/// extKeyUsage.
pub fn extended_key_usage(value: &[u8]) -> Result<Vec<Oid>, DecodeError> {
    list(only_sequence(value, "extended key usage")?, |list| {
        list.oid("key purpose")
    })
}

/// basicConstraints.
pub fn basic_constraints(value: &[u8]) -> Result<BasicConstraints, DecodeError> {
    let mut fields = only_sequence(value, "basic constraints")?;
    let ca = match fields.optional(tag::BOOLEAN)? {
        None => false,
        // An explicit FALSE is not DER, but says the same as an absent one.
        Some(element) => match element.content {
            [0] => false,
            [0xff] => true,
            _ => return Err(element.refuse(Flaw::Invalid("basic constraints"))),
        },
    };
    let path_len = match fields.optional(tag::INTEGER)? {
        None => None,
        Some(element) if ca => Some(small_unsigned(&element)?),
        Some(element) => return Err(element.refuse(Flaw::Invalid("basic constraints"))),
    };
    fields.finish("basic constraints")?;
    Ok(BasicConstraints { ca, path_len })
}

/// subjectKeyIdentifier.
pub fn subject_key_identifier(value: &[u8]) -> Result<Vec<u8>, DecodeError> {
    let element = only(value, tag::OCTET_STRING, "key identifier")?;
    key_identifier(&element)
}

/// The key identifier of an authorityKeyIdentifier, if it has one.
pub fn authority_key_identifier(value: &[u8]) -> Result<Option<Vec<u8>>, DecodeError> {
    let mut fields = only_sequence(value, "authority key identifier")?;
    let identifier = fields
        .optional(tag::context(0))?
        .map(|element| key_identifier(&element))
        .transpose()?;
    while !fields.is_empty() {
        fields.any()?;
    }
    Ok(identifier)
}

/// The identifiers of certificatePolicies; qualifiers are skipped.
pub fn certificate_policies(value: &[u8]) -> Result<Vec<Oid>, DecodeError> {
    list(only_sequence(value, "certificate policies")?, |list| {
        let mut policy = list.sequence("policy")?;
        policy.oid("policy identifier")
    })
}

/// The URIs of cRLDistributionPoints, over all points.
pub fn crl_distribution_points(value: &[u8]) -> Result<Vec<String>, DecodeError> {
    let points = list(only_sequence(value, "CRL distribution points")?, |list| {
        let mut point = list.sequence("distribution point")?;
        let Some(name) = point.optional(tag::context_constructed(0))? else {
            return Ok(Vec::new());
        };
        match name.reader().optional(tag::context_constructed(0))? {
            None => Ok(Vec::new()),
            Some(full_name) => uris(full_name.reader()),
        }
    })?;
    Ok(points.into_iter().flatten().collect())
}

/// The URIs of authorityInfoAccess.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorityInfoAccess {
    /// Where the issuer's certificate is.
    pub ca_issuers: Vec<String>,
    /// Where OCSP responders are.
    pub ocsp: Vec<String>,
}

/// authorityInfoAccess; other methods and names are skipped.
pub fn authority_info_access(value: &[u8]) -> Result<AuthorityInfoAccess, DecodeError> {
    let mut access = AuthorityInfoAccess::default();
    list(only_sequence(value, "authority information access")?, |list| {
        let mut fields = list.sequence("access description")?;
        let method = fields.oid("access method")?;
        let places = uris(fields)?;
        match method {
            method if method == Oid::ACCESS_OCSP => access.ocsp.extend(places),
            method if method == Oid::ACCESS_CA_ISSUERS => access.ca_issuers.extend(places),
            _ => {}
        }
        Ok(())
    })?;
    Ok(access)
}

/// cRLNumber, when it fits.
pub fn crl_number(value: &[u8]) -> Result<u64, DecodeError> {
    unsigned(&only(value, tag::INTEGER, "CRL number")?)
}

/// reasonCode.
pub fn reason_code(value: &[u8]) -> Result<u8, DecodeError> {
    let element = only(value, tag::ENUMERATED, "reason code")?;
    match element.content {
        [code @ 0..=10] if *code != 7 => Ok(*code),
        _ => Err(element.refuse(Flaw::Invalid("reason code"))),
    }
}

/// A UTCTime or GeneralizedTime element in the one form RFC 5280 section 4.1.2.5 allows.
pub fn time(element: &Tlv<'_>) -> Result<Timestamp, DecodeError> {
    let invalid = || element.refuse(Flaw::Invalid("time"));
    let (year_length, digits) = match (element.tag, element.content.split_last()) {
        (tag::UTC_TIME, Some((b'Z', digits))) if digits.len() == 12 => (2, digits),
        (tag::GENERALIZED_TIME, Some((b'Z', digits))) if digits.len() == 14 => (4, digits),
        _ => return Err(invalid()),
    };
    let (year, rest) = digits.split_at_checked(year_length).ok_or_else(invalid)?;
    let year = decimal(year).ok_or_else(invalid)?;
    let year = match (year_length, year) {
        (2, 0..50) => 2000 + year,
        (2, _) => 1900 + year,
        _ => year,
    };
    let mut parts = rest.chunks(2).map(decimal);
    let mut next = || {
        parts
            .next()
            .flatten()
            .and_then(|part| u8::try_from(part).ok())
            .ok_or_else(invalid)
    };
    let month = Month::try_from(next()?).map_err(|_| invalid())?;
    let date = Date::from_calendar_date(i32::from(year), month, next()?).map_err(|_| invalid())?;
    let clock = Time::from_hms(next()?, next()?, next()?).map_err(|_| invalid())?;
    Ok(Timestamp::from_unix_seconds(
        OffsetDateTime::new_utc(date, clock).unix_timestamp(),
    ))
}

fn decimal(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |sum, digit| {
        digit
            .is_ascii_digit()
            .then(|| sum.saturating_mul(10).saturating_add(u16::from(digit - b'0')))
    })
}

fn only<'a>(value: &'a [u8], expected: u8, what: &'static str) -> Result<Tlv<'a>, DecodeError> {
    let mut reader = Reader::new(value);
    let element = reader.expect(expected, what)?;
    reader.finish(what)?;
    Ok(element)
}

fn only_sequence<'a>(value: &'a [u8], what: &'static str) -> Result<Reader<'a>, DecodeError> {
    only(value, tag::SEQUENCE, what).map(|element| element.reader())
}

/// Reads one to [`LIST_MAX`] items.
fn list<T>(
    mut reader: Reader<'_>,
    mut item: impl FnMut(&mut Reader<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut items = vec![item(&mut reader)?];
    while !reader.is_empty() {
        if items.len() >= LIST_MAX {
            return Err(Flaw::TooMany("items of an extension").at(reader.offset()));
        }
        items.push(item(&mut reader)?);
    }
    Ok(items)
}

/// The URIs among the general names that are left.
fn uris(mut names: Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let mut uris = Vec::new();
    while !names.is_empty() {
        let element = names.any()?;
        if element.tag != tag::context(6) {
            continue;
        }
        if uris.len() >= LIST_MAX || element.content.len() > URI_LENGTH_MAX {
            return Err(element.refuse(Flaw::TooMany("URIs")));
        }
        match std::str::from_utf8(element.content) {
            Ok(text) if text.is_ascii() => uris.push(text.to_owned()),
            _ => return Err(element.refuse(Flaw::Invalid("URI"))),
        }
    }
    Ok(uris)
}

fn key_identifier(element: &Tlv<'_>) -> Result<Vec<u8>, DecodeError> {
    match element.content.len() {
        1..=KEY_IDENTIFIER_LENGTH_MAX => Ok(element.content.to_vec()),
        _ => Err(element.refuse(Flaw::Invalid("key identifier"))),
    }
}

fn small_unsigned(element: &Tlv<'_>) -> Result<u32, DecodeError> {
    u32::try_from(unsigned(element)?).map_err(|_| element.refuse(Flaw::TooLarge("integer")))
}

fn unsigned(element: &Tlv<'_>) -> Result<u64, DecodeError> {
    let invalid = || element.refuse(Flaw::Invalid("integer"));
    let significant = match element.content {
        [0] => &[][..],
        [0, rest @ ..] if rest.first().is_some_and(|octet| octet & 0x80 != 0) => rest,
        [first, ..] if *first != 0 && first & 0x80 == 0 => element.content,
        _ => return Err(invalid()),
    };
    if significant.len() > 8 {
        return Err(element.refuse(Flaw::TooLarge("integer")));
    }
    Ok(significant
        .iter()
        .fold(0, |sum, octet| (sum << 8) | u64::from(*octet)))
}

#[cfg(test)]
mod tests;
