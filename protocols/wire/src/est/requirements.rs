//! What a profile asks of a request, and how that is said in CsrAttrs.

use portreeve_pkix::der::{self};
use portreeve_pkix::{KeyAlgorithm, Oid};

use super::csr_attributes::{CsrAttribute, CsrAttributes};
use super::template::{RequestTemplate, encode_extensions};

/// An attribute the subject must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectRequirement {
    /// Its type.
    pub oid: Oid,
    /// Its value; nothing leaves it to the client.
    pub value: Option<String>,
}

/// An extension the request must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionRequirement {
    /// Which.
    pub oid: Oid,
    /// Whether it is to be critical.
    pub critical: bool,
    /// Its value in DER; nothing leaves it to the client.
    pub value: Option<Vec<u8>>,
}

/// The key the request must have.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum KeyRequirement {
    /// Any: nothing is said of it.
    #[default]
    Any,
    /// RSA, of this length if one is given.
    Rsa {
        /// Length of the modulus.
        bits: Option<u32>,
    },
    /// An elliptic curve, this one if one is given.
    EllipticCurve(Option<KeyAlgorithm>),
    /// Ed25519.
    Ed25519,
}

impl KeyRequirement {
    /// What can be said when these kinds of keys are accepted.
    ///
    /// One answer names one key type (RFC 9908 section 3.2): of several types nothing is said, of several lengths or
    /// curves of one type only the type.
    pub fn of(accepted: &[KeyAlgorithm]) -> Self {
        let single = match accepted {
            [one] => Some(*one),
            _ => None,
        };
        let all = |kind: fn(&KeyAlgorithm) -> bool| !accepted.is_empty() && accepted.iter().all(kind);
        if all(|key| matches!(key, KeyAlgorithm::Rsa { .. })) {
            let bits = match single {
                Some(KeyAlgorithm::Rsa { bits }) => Some(bits),
                _ => None,
            };
            return Self::Rsa { bits };
        }
        if all(|key| key.curve_oid().is_some()) {
            return Self::EllipticCurve(single);
        }
        if all(|key| *key == KeyAlgorithm::Ed25519) {
            return Self::Ed25519;
        }
        Self::Any
    }

    /// The attribute that names a key type without a template.
    fn attribute(self) -> Option<CsrAttribute> {
        let (oid, value) = match self {
            Self::Any => return None,
            Self::Rsa { bits } => (
                Oid::RSA_ENCRYPTION,
                bits.map(|bits| der::unsigned_integer(&bits.to_be_bytes())),
            ),
            Self::EllipticCurve(curve) => (
                Oid::EC_PUBLIC_KEY,
                curve.and_then(KeyAlgorithm::curve_oid).map(|oid| oid.to_der()),
            ),
            Self::Ed25519 => (Oid::ED25519, None),
        };
        let values = value.into_iter().collect();
        Some(CsrAttribute::Attribute { oid, values })
    }
}

/// Whether the request must carry the binding to its TLS channel.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum Linking {
    /// It need not.
    #[default]
    Optional,
    /// It must: `challengePassword` is asked for (RFC 7030 section 4.5.2).
    Required,
}

/// What an endpoint and its profile ask of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// Attributes of the subject, most significant first; each is a relative name of its own.
    pub subject: Vec<SubjectRequirement>,
    /// What key.
    pub key: KeyRequirement,
    /// The extensions, no two alike.
    pub extensions: Vec<ExtensionRequirement>,
    /// Whether the binding to the channel is needed.
    pub linking: Linking,
}

impl Requirements {
    /// Nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What `/csrattrs` says.
    ///
    /// Both ways are used (RFC 9908 section 3.4): the attributes that clients of RFC 7030 know, and the template. Without
    /// the template nothing can be said of the subject, nor of an extension whose value is the client's.
    pub fn to_csr_attributes(&self) -> CsrAttributes {
        if self.is_empty() {
            return CsrAttributes::default();
        }
        let linking = match self.linking {
            Linking::Optional => None,
            Linking::Required => Some(CsrAttribute::Oid(Oid::CHALLENGE_PASSWORD)),
        };
        let with_value: Vec<ExtensionRequirement> = self
            .extensions
            .iter()
            .filter(|extension| extension.value.is_some())
            .cloned()
            .collect();
        let items = linking
            .into_iter()
            .chain(self.key.attribute())
            .chain(encode_extensions(&with_value))
            .chain(std::iter::once(self.template_attribute()));
        CsrAttributes {
            items: items.collect(),
        }
    }

    fn template_attribute(&self) -> CsrAttribute {
        let others = match self.linking {
            Linking::Optional => Vec::new(),
            // An attribute without a value: the client fills it in.
            Linking::Required => vec![CsrAttribute::Attribute {
                oid: Oid::CHALLENGE_PASSWORD,
                values: Vec::new(),
            }],
        };
        let template = RequestTemplate {
            subject: self
                .subject
                .iter()
                .map(|required| vec![required.clone()])
                .collect(),
            key: self.key,
            extensions: self.extensions.clone(),
            others,
        };
        CsrAttribute::single(Oid::REQUEST_TEMPLATE, template.to_der())
    }
}

#[cfg(test)]
mod tests;
