//! CsrAttrs (RFC 7030 section 4.5.2 as RFC 8951 and RFC 9908 correct it).

use portreeve_pkix::der::{self, Limits, Reader, Tlv, tag};
use portreeve_pkix::{DecodeError, Flaw, Oid};

use super::template::RequestTemplate;

/// Largest accepted answer of `/csrattrs`, as DER.
pub const CSR_ATTRIBUTES_BYTES_MAX: usize = 64 * 1024;
/// Most attributes of an answer.
const ATTRIBUTES_MAX: usize = 64;
/// Most values of one attribute.
const VALUES_MAX: usize = 16;

const LIMITS: Limits = Limits {
    bytes: CSR_ATTRIBUTES_BYTES_MAX,
    depth: 24,
    elements: 4096,
};

/// AttrOrOID: something the request should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsrAttribute {
    /// An attribute whose value is left to the client, or an algorithm.
    Oid(Oid),
    /// An attribute, or a key type, with values in DER; none says that any will do.
    Attribute {
        /// The type.
        oid: Oid,
        /// The values.
        values: Vec<Vec<u8>>,
    },
}

impl CsrAttribute {
    /// An attribute with one value.
    pub fn single(oid: Oid, value: Vec<u8>) -> Self {
        Self::Attribute {
            oid,
            values: vec![value],
        }
    }

    /// Its type.
    pub const fn oid(&self) -> &Oid {
        match self {
            Self::Oid(oid) | Self::Attribute { oid, .. } => oid,
        }
    }

    /// The AttrOrOID element.
    pub(super) fn to_der(&self) -> Vec<u8> {
        match self {
            Self::Oid(oid) => oid.to_der(),
            Self::Attribute { oid, values } => der::sequence(&[oid.to_der(), der::set_of(values.clone())]),
        }
    }

    pub(super) fn read(element: &Tlv<'_>) -> Result<Self, DecodeError> {
        if element.tag == tag::OID {
            let oid =
                Oid::from_der_content(element.content).map_err(|e| e.shifted(element.content_offset()))?;
            return Ok(Self::Oid(oid));
        }
        if element.tag != tag::SEQUENCE {
            return Err(element.refuse(Flaw::Expected("attribute or object identifier")));
        }
        let mut fields = element.reader();
        let oid = fields.oid("attribute type")?;
        let mut list = fields.expect(tag::SET, "attribute values")?.reader();
        fields.finish("attribute")?;
        let mut values = Vec::new();
        while !list.is_empty() {
            if values.len() >= VALUES_MAX {
                return Err(element.refuse(Flaw::TooMany("attribute values")));
            }
            values.push(list.any()?.whole.to_vec());
        }
        Ok(Self::Attribute { oid, values })
    }
}

/// What the server wants of a request. Empty says nothing, as 204 and 404 do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsrAttributes {
    /// In order; what is not known is to be ignored.
    pub items: Vec<CsrAttribute>,
}

impl CsrAttributes {
    /// Reads CsrAttrs without trailing bytes.
    ///
    /// Refused are more than 64 KiB, 64 attributes, 16 values or 24 levels. Whether known attributes make sense shows when
    /// they are asked for.
    pub fn from_der(input: &[u8]) -> Result<Self, DecodeError> {
        der::prescan(input, LIMITS)?;
        let mut outer = Reader::new(input);
        let mut list = outer.sequence("CSR attributes")?;
        let mut items = Vec::new();
        while !list.is_empty() {
            if items.len() >= ATTRIBUTES_MAX {
                return Err(DecodeError::new(Flaw::TooMany("CSR attributes"), list.offset()));
            }
            items.push(CsrAttribute::read(&list.any()?)?);
        }
        Ok(Self { items })
    }

    /// The CsrAttrs element.
    pub fn to_der(&self) -> Vec<u8> {
        der::sequence(&self.items.iter().map(CsrAttribute::to_der).collect::<Vec<_>>())
    }

    /// The first item of this type.
    pub fn find(&self, oid: &Oid) -> Option<&CsrAttribute> {
        self.items.iter().find(|item| item.oid() == oid)
    }

    /// The template of the whole request, when there is one: then everything else is to be ignored (RFC 9908 section 4).
    pub fn template(&self) -> Result<Option<RequestTemplate>, DecodeError> {
        match self.find(&Oid::REQUEST_TEMPLATE) {
            None => Ok(None),
            Some(CsrAttribute::Attribute { values, .. }) => match values.as_slice() {
                [value] => RequestTemplate::from_der(value).map(Some),
                _ => Err(DecodeError::new(Flaw::Invalid("request template"), 0)),
            },
            Some(CsrAttribute::Oid(_)) => Err(DecodeError::new(Flaw::Invalid("request template"), 0)),
        }
    }
}
