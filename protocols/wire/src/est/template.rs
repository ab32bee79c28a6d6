//! CertificationRequestInfoTemplate: a request with blanks (RFC 9908 section 3.4).

use portreeve_pkix::der::{self, Reader, Tlv, tag};
use portreeve_pkix::dn::ATTRIBUTES_MAX;
use portreeve_pkix::extension::EXTENSIONS_MAX;
use portreeve_pkix::{Attribute, DecodeError, DistinguishedName, Flaw, KeyAlgorithm, Oid, PublicKey};

use super::csr_attributes::CsrAttribute;
use super::requirements::{ExtensionRequirement, KeyRequirement, SubjectRequirement};

/// Most attributes of a template besides its extensions.
const OTHERS_MAX: usize = 32;
/// Public exponent of the RSA key that stands for a length.
const PLACEHOLDER_EXPONENT: [u8; 3] = [1, 0, 1];

/// A request with blanks for the client to fill in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTemplate {
    /// The relative names of the subject; empty when nothing is asked of it.
    pub subject: Vec<Vec<SubjectRequirement>>,
    /// What key.
    pub key: KeyRequirement,
    /// The extensions, in order, no two alike.
    pub extensions: Vec<ExtensionRequirement>,
    /// Any further attributes.
    pub others: Vec<CsrAttribute>,
}

impl RequestTemplate {
    /// The CertificationRequestInfoTemplate element.
    pub fn to_der(&self) -> Vec<u8> {
        let mut parts = vec![der::unsigned_integer(&[0])];
        if !self.subject.is_empty() {
            let rdns: Vec<Vec<u8>> = self.subject.iter().map(|rdn| encode_rdn(rdn)).collect();
            parts.push(der::sequence(&rdns));
        }
        if let Some(key) = encode_key(self.key) {
            parts.push(der::constructed(tag::context_constructed(0), &key));
        }
        let extensions = encode_extensions(&self.extensions);
        let mut attributes: Vec<Vec<u8>> = extensions
            .into_iter()
            .chain(self.others.clone())
            .map(|a| a.to_der())
            .collect();
        attributes.sort();
        parts.push(der::constructed(tag::context_constructed(1), &attributes));
        der::sequence(&parts)
    }

    /// Reads the element without trailing bytes.
    ///
    /// Refused are another version, extensions that occur twice, both ways of asking for extensions at once, and more
    /// than 32 attributes in all.
    pub fn from_der(input: &[u8]) -> Result<Self, DecodeError> {
        let mut outer = Reader::new(input);
        let mut fields = outer.sequence("request template")?;
        outer.finish("request template")?;
        let version = fields.expect(tag::INTEGER, "version")?;
        if version.content != [0] {
            return Err(version.refuse(Flaw::Invalid("version")));
        }
        let mut template = Self::default();
        if let Some(name) = fields.optional(tag::SEQUENCE)? {
            template.subject = read_subject(name.reader())?;
        }
        if let Some(key) = fields.optional(tag::context_constructed(0))? {
            template.key = read_key(&key)?;
        }
        let mut list = fields.expect(tag::context_constructed(1), "attributes")?.reader();
        fields.finish("request template")?;
        while !list.is_empty() {
            template.read_attribute(&list.any()?)?;
        }
        Ok(template)
    }

    fn read_attribute(&mut self, element: &Tlv<'_>) -> Result<(), DecodeError> {
        let attribute = CsrAttribute::read(element)?;
        let oid = attribute.oid();
        if *oid != Oid::EXTENSION_REQUEST && *oid != Oid::EXTENSION_REQUEST_TEMPLATE {
            if self.others.len() >= OTHERS_MAX {
                return Err(element.refuse(Flaw::TooMany("attributes")));
            }
            self.others.push(attribute);
            return Ok(());
        }
        if !self.extensions.is_empty() {
            return Err(element.refuse(Flaw::Duplicate("extension request")));
        }
        match attribute {
            CsrAttribute::Attribute { values, .. } => match values.as_slice() {
                [value] => {
                    self.extensions = read_extensions(value).map_err(|e| element.refuse(e.what))?;
                    Ok(())
                }
                _ => Err(element.refuse(Flaw::Invalid("extension request"))),
            },
            CsrAttribute::Oid(_) => Err(element.refuse(Flaw::Invalid("extension request"))),
        }
    }
}

fn encode_rdn(rdn: &[SubjectRequirement]) -> Vec<u8> {
    let attributes = rdn.iter().map(|required| match &required.value {
        None => der::sequence(&[required.oid.to_der()]),
        Some(value) => single_attribute(&required.oid, value),
    });
    der::set_of(attributes.collect())
}

/// AttributeTypeAndValue in the string type that names are written in.
fn single_attribute(oid: &Oid, value: &str) -> Vec<u8> {
    let name = DistinguishedName::empty().with(oid.clone(), value).to_der();
    let inner = Reader::new(&name)
        .sequence("name")
        .and_then(|mut rdns| rdns.expect(tag::SET, "relative name"));
    inner.map(|set| set.content.to_vec()).unwrap_or_default()
}

fn read_subject(mut names: Reader<'_>) -> Result<Vec<Vec<SubjectRequirement>>, DecodeError> {
    let mut subject = Vec::new();
    let mut count = 0;
    while !names.is_empty() {
        let mut set = names.expect(tag::SET, "relative name")?.reader();
        let mut rdn = Vec::new();
        while !set.is_empty() {
            count += 1;
            if count > ATTRIBUTES_MAX {
                return Err(DecodeError::new(Flaw::TooMany("name attributes"), set.offset()));
            }
            rdn.push(read_single_attribute(
                &set.expect(tag::SEQUENCE, "name attribute")?,
            )?);
        }
        subject.push(rdn);
    }
    Ok(subject)
}

fn read_single_attribute(element: &Tlv<'_>) -> Result<SubjectRequirement, DecodeError> {
    let mut fields = element.reader();
    let oid = fields.oid("attribute type")?;
    if fields.is_empty() {
        return Ok(SubjectRequirement { oid, value: None });
    }
    let name = der::sequence(&[der::tlv(tag::SET, element.whole)]);
    let name = DistinguishedName::from_der(&name).map_err(|error| element.refuse(error.what))?;
    let value = name
        .attributes()
        .next()
        .map(|attribute: &Attribute| attribute.value.clone());
    Ok(SubjectRequirement { oid, value })
}

/// The fields of SubjectPublicKeyInfoTemplate; nothing when any key will do.
fn encode_key(key: KeyRequirement) -> Option<Vec<Vec<u8>>> {
    let algorithm = |oid: Oid, parameters: Option<Vec<u8>>| {
        let parts: Vec<Vec<u8>> = std::iter::once(oid.to_der()).chain(parameters).collect();
        der::sequence(&parts)
    };
    match key {
        KeyRequirement::Any => None,
        KeyRequirement::Ed25519 => Some(vec![algorithm(Oid::ED25519, None)]),
        KeyRequirement::EllipticCurve(curve) => {
            let parameters = curve.and_then(KeyAlgorithm::curve_oid).map(|oid| oid.to_der());
            Some(vec![algorithm(Oid::EC_PUBLIC_KEY, parameters)])
        }
        KeyRequirement::Rsa { bits } => {
            let mut parts = vec![algorithm(Oid::RSA_ENCRYPTION, Some(der::null()))];
            parts.extend(bits.map(placeholder));
            Some(parts)
        }
    }
}

/// The BIT STRING of an RSA key that has nothing but the right length.
fn placeholder(bits: u32) -> Vec<u8> {
    let octets = usize::try_from(bits.div_ceil(8)).unwrap_or_default();
    let top = 1_u8 << ((bits + 7) % 8);
    let mut modulus = vec![0; octets];
    if let Some(first) = modulus.first_mut() {
        *first = top;
    }
    if let Some(last) = modulus.last_mut() {
        *last |= 1;
    }
    der::bit_string(&der::sequence(&[
        der::unsigned_integer(&modulus),
        der::unsigned_integer(&PLACEHOLDER_EXPONENT),
    ]))
}

fn read_key(element: &Tlv<'_>) -> Result<KeyRequirement, DecodeError> {
    let unsupported = || element.refuse(Flaw::Invalid("key template"));
    let mut fields = element.reader();
    let algorithm = fields.expect(tag::SEQUENCE, "key algorithm")?;
    let bits = fields.optional(tag::BIT_STRING)?;
    fields.finish("key template")?;
    let mut named = algorithm.reader();
    let oid = named.oid("key algorithm")?;
    let curve = named.optional(tag::OID)?;
    if oid == Oid::ED25519 {
        return Ok(KeyRequirement::Ed25519);
    }
    if oid == Oid::RSA_ENCRYPTION {
        let Some(bits) = bits else {
            return Ok(KeyRequirement::Rsa { bits: None });
        };
        let key = PublicKey::from_der(&der::sequence(&[algorithm.whole, bits.whole]));
        return match key.map_err(|error| element.refuse(error.what))?.algorithm() {
            KeyAlgorithm::Rsa { bits } => Ok(KeyRequirement::Rsa { bits: Some(bits) }),
            _ => Err(unsupported()),
        };
    }
    if oid != Oid::EC_PUBLIC_KEY {
        return Err(unsupported());
    }
    let Some(curve) = curve else {
        return Ok(KeyRequirement::EllipticCurve(None));
    };
    let known = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521];
    let named = known.into_iter().find(|k| {
        k.curve_oid()
            .is_some_and(|oid| oid.der_content() == curve.content)
    });
    named
        .map(|curve| KeyRequirement::EllipticCurve(Some(curve)))
        .ok_or_else(unsupported)
}

/// Extensions as an attribute: a plain extension request when every value is there (RFC 9908 section 3.4).
pub(super) fn encode_extensions(extensions: &[ExtensionRequirement]) -> Option<CsrAttribute> {
    if extensions.is_empty() {
        return None;
    }
    let oid = if extensions.iter().all(|extension| extension.value.is_some()) {
        Oid::EXTENSION_REQUEST
    } else {
        Oid::EXTENSION_REQUEST_TEMPLATE
    };
    let list: Vec<Vec<u8>> = extensions.iter().map(encode_extension).collect();
    Some(CsrAttribute::single(oid, der::sequence(&list)))
}

fn encode_extension(extension: &ExtensionRequirement) -> Vec<u8> {
    let mut parts = vec![extension.oid.to_der()];
    if extension.critical {
        parts.push(der::boolean(true));
    }
    parts.extend(extension.value.as_deref().map(der::octet_string));
    der::sequence(&parts)
}

fn read_extensions(value: &[u8]) -> Result<Vec<ExtensionRequirement>, DecodeError> {
    let mut list = Reader::new(value).sequence("extensions")?;
    let mut extensions: Vec<ExtensionRequirement> = Vec::new();
    loop {
        let offset = list.offset();
        if extensions.len() >= EXTENSIONS_MAX {
            return Err(DecodeError::new(Flaw::TooMany("extensions"), offset));
        }
        let mut fields = list.sequence("extension")?;
        let oid = fields.oid("extension identifier")?;
        let critical = fields.optional(tag::BOOLEAN)?;
        let octets = fields.optional(tag::OCTET_STRING)?;
        fields.finish("extension")?;
        if extensions.iter().any(|seen| seen.oid == oid) {
            return Err(DecodeError::new(Flaw::Duplicate("extension"), offset));
        }
        extensions.push(ExtensionRequirement {
            oid,
            critical: critical.is_some_and(|element| element.content == [0xff]),
            value: octets.map(|element| element.content.to_vec()),
        });
        if list.is_empty() {
            return Ok(extensions);
        }
    }
}
