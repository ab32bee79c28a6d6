//! The attributes of a request that are read here; any other is left alone.

use crate::decode;
use crate::der::{Reader, Tlv, tag};
use crate::dn::{self, DistinguishedName};
use crate::encode;
use crate::error::{DecodeError, Flaw};
use crate::extension::{self, Extension};
use crate::names::{GeneralName, UnusualDnsNames};
use crate::oid::Oid;

use super::{REQUEST_ATTRIBUTES_MAX, REQUEST_NAMES_MAX};

/// Longest identifier of a key to encrypt with, in octets.
pub const KEY_REFERENCE_LENGTH_MAX: usize = 128;
/// Most algorithms of an S/MIME capabilities attribute.
pub const CAPABILITIES_MAX: usize = 32;

/// Another name that is asked for when a certificate is renewed (RFC 6402 section 2.8). At least one part is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeSubjectName {
    /// The new subject, if it is to change.
    pub subject: Option<DistinguishedName>,
    /// The new alternative names, if they are to change: at least one.
    pub names: Option<Vec<GeneralName>>,
}

/// An algorithm somebody can use (RFC 8551 section 2.5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capability {
    /// Which algorithm.
    pub oid: Oid,
    /// Its parameters in DER, if any.
    pub parameters: Option<Vec<u8>>,
}

#[derive(Clone, Default)]
pub(super) struct Attributes {
    pub(super) extensions: Vec<Extension>,
    pub(super) names: Vec<GeneralName>,
    pub(super) challenge_password: Option<String>,
    pub(super) change_subject_name: Option<ChangeSubjectName>,
    pub(super) decrypt_key_identifier: Option<Vec<u8>>,
    pub(super) asymmetric_decrypt_key_identifier: Option<Vec<u8>>,
    pub(super) smime_capabilities: Option<Vec<Capability>>,
}

impl Attributes {
    pub(super) fn read(mut list: Reader<'_>) -> Result<Self, DecodeError> {
        let mut attributes = Self::default();
        let mut seen: Vec<Oid> = Vec::new();
        let mut count = 0;
        while !list.is_empty() {
            count += 1;
            if count > REQUEST_ATTRIBUTES_MAX {
                return Err(Flaw::TooMany("attributes").at(list.offset()));
            }
            let offset = list.offset();
            let read = attributes.read_one(&mut list)?;
            if read.as_ref().is_some_and(|oid| seen.contains(oid)) {
                return Err(Flaw::Duplicate(name_of(read.as_ref())).at(offset));
            }
            seen.extend(read);
        }
        Ok(attributes)
    }

    /// Puts these alternative names in the place of those that were asked for, in the extension as well.
    pub(super) fn rename(&mut self, names: Vec<GeneralName>) {
        let value = encode::subject_alt_name(&names);
        let is_names = |extension: &&mut Extension| extension.oid == Oid::SUBJECT_ALT_NAME;
        match self.extensions.iter_mut().find(is_names) {
            Some(extension) => extension.value = value,
            None => self
                .extensions
                .push(Extension::non_critical(Oid::SUBJECT_ALT_NAME, value)),
        }
        self.names = names;
    }

    /// Reads one attribute; its type, if it is one of those that are looked into.
    fn read_one(&mut self, list: &mut Reader<'_>) -> Result<Option<Oid>, DecodeError> {
        let offset = list.offset();
        let mut attribute = list.sequence("attribute")?;
        let oid = attribute.oid("attribute type")?;
        let mut values = attribute.expect(tag::SET, "attribute values")?.reader();
        attribute.finish("attribute")?;
        if oid == Oid::EXTENSION_REQUEST {
            self.extensions = Extension::read_all(&mut values)?;
            self.names = alternative_names(&self.extensions).map_err(|flaw| flaw.at(offset))?;
        } else if oid == Oid::CHALLENGE_PASSWORD {
            self.challenge_password = Some(dn::decode_string(&values.any()?)?);
        } else if oid == Oid::CHANGE_SUBJECT_NAME {
            self.change_subject_name = Some(change_subject_name(
                &values.expect(tag::SEQUENCE, "name change")?,
            )?);
        } else if oid == Oid::DECRYPT_KEY_IDENTIFIER {
            self.decrypt_key_identifier = Some(key_reference(&mut values)?);
        } else if oid == Oid::ASYMMETRIC_DECRYPT_KEY_IDENTIFIER {
            self.asymmetric_decrypt_key_identifier = Some(key_reference(&mut values)?);
        } else if oid == Oid::SMIME_CAPABILITIES {
            self.smime_capabilities = Some(capabilities(values.sequence("capabilities")?)?);
        } else {
            return Ok(None);
        }
        values.finish(name_of(Some(&oid)))?;
        Ok(Some(oid))
    }
}

/// What an attribute is called in a refusal.
fn name_of(oid: Option<&Oid>) -> &'static str {
    match oid {
        Some(oid) if *oid == Oid::EXTENSION_REQUEST => "extension request",
        Some(oid) if *oid == Oid::CHALLENGE_PASSWORD => "challenge password",
        _ => "attribute",
    }
}

fn alternative_names(extensions: &[Extension]) -> Result<Vec<GeneralName>, Flaw> {
    let Some(extension) = extension::find(extensions, &Oid::SUBJECT_ALT_NAME) else {
        return Ok(Vec::new());
    };
    decode::subject_alt_name(&extension.value, REQUEST_NAMES_MAX, UnusualDnsNames::Refuse)
        .map_err(|error| error.what)
}

/// `SEQUENCE { subject Name OPTIONAL, subjectAlt GeneralNames OPTIONAL }`.
///
/// Both are sequences without a tag of their own: what is inside tells them apart, relative names being sets. Writers
/// that tag the second one `[1]` exist, and are understood.
fn change_subject_name(element: &Tlv<'_>) -> Result<ChangeSubjectName, DecodeError> {
    let mut fields = element.reader();
    let mut change = ChangeSubjectName {
        subject: None,
        names: None,
    };
    while !fields.is_empty() && change.names.is_none() {
        let part = fields.any()?;
        let is_name = part.content.first().is_none_or(|tag| *tag == tag::SET);
        match part.tag {
            tag::SEQUENCE if is_name && change.subject.is_none() => {
                change.subject = Some(DistinguishedName::from_tlv(&part)?);
            }
            tag::SEQUENCE => change.names = Some(general_names(part.reader())?),
            tagged if tagged == tag::context_constructed(1) => {
                let explicit = part.content.first() == Some(&tag::SEQUENCE);
                let names = if explicit {
                    part.reader().sequence("alternative names")?
                } else {
                    part.reader()
                };
                change.names = Some(general_names(names)?);
            }
            _ => return Err(part.refuse(Flaw::Expected("name"))),
        }
    }
    fields.finish("name change")?;
    if change.subject.is_none() && change.names.is_none() {
        return Err(element.refuse(Flaw::Expected("name")));
    }
    Ok(change)
}

/// One to [`REQUEST_NAMES_MAX`] names, repeated ones once.
fn general_names(mut list: Reader<'_>) -> Result<Vec<GeneralName>, DecodeError> {
    let mut names = Vec::new();
    let mut count = 0;
    loop {
        let element = list.any()?;
        count += 1;
        if count > REQUEST_NAMES_MAX {
            return Err(element.refuse(Flaw::TooMany("alternative names")));
        }
        let name = GeneralName::from_tlv(&element, UnusualDnsNames::Refuse)?;
        if !names.contains(&name) {
            names.push(name);
        }
        if list.is_empty() {
            return Ok(names);
        }
    }
}

fn key_reference(values: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let element = values.expect(tag::OCTET_STRING, "key identifier")?;
    match element.content.len() {
        1..=KEY_REFERENCE_LENGTH_MAX => Ok(element.content.to_vec()),
        _ => Err(element.refuse(Flaw::Invalid("key identifier"))),
    }
}

fn capabilities(mut list: Reader<'_>) -> Result<Vec<Capability>, DecodeError> {
    let mut capabilities = Vec::new();
    while !list.is_empty() {
        if capabilities.len() >= CAPABILITIES_MAX {
            return Err(Flaw::TooMany("capabilities").at(list.offset()));
        }
        let mut fields = list.sequence("capability")?;
        let oid = fields.oid("capability")?;
        let parameters = if fields.is_empty() {
            None
        } else {
            Some(fields.any()?.whole.to_vec())
        };
        fields.finish("capability")?;
        capabilities.push(Capability { oid, parameters });
    }
    Ok(capabilities)
}
