//! Extensions and the typed values of the common ones.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::der::{self, Reader, tag};
use crate::error::{DecodeError, Flaw};
use crate::oid::Oid;

/// Most extensions of one certificate or request.
pub const EXTENSIONS_MAX: usize = 64;

/// One extension: its value is the DER inside the OCTET STRING.
#[derive(Clone, Debug, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct Extension {
    /// Which extension.
    pub oid: Oid,
    /// Whoever does not understand it must refuse the certificate.
    pub critical: bool,
    /// The value, DER encoded.
    pub value: Vec<u8>,
}

impl Extension {
    /// An extension that others may ignore.
    pub fn non_critical(oid: Oid, value: Vec<u8>) -> Self {
        Self {
            oid,
            critical: false,
            value,
        }
    }

    /// An extension that nobody may ignore.
    pub fn critical(oid: Oid, value: Vec<u8>) -> Self {
        Self {
            oid,
            critical: true,
            value,
        }
    }

    /// The Extension element; a FALSE criticality is omitted, as DER demands.
    pub fn to_der(&self) -> Vec<u8> {
        let mut parts = vec![self.oid.to_der()];
        if self.critical {
            parts.push(der::boolean(true));
        }
        parts.push(der::octet_string(&self.value));
        der::sequence(&parts)
    }

    /// Reads a SEQUENCE OF Extension: at least one, no two alike.
    pub(crate) fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, DecodeError> {
        let mut list = reader.sequence("extensions")?;
        let mut extensions: Vec<Self> = Vec::new();
        loop {
            let offset = list.offset();
            let extension = Self::read(&mut list)?;
            if extensions.iter().any(|seen| seen.oid == extension.oid) {
                return Err(Flaw::Duplicate("extension").at(offset));
            }
            if extensions.len() >= EXTENSIONS_MAX {
                return Err(Flaw::TooMany("extensions").at(offset));
            }
            extensions.push(extension);
            if list.is_empty() {
                return Ok(extensions);
            }
        }
    }

    fn read(list: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = list.sequence("extension")?;
        let oid = fields.oid("extension identifier")?;
        let critical = fields.optional(tag::BOOLEAN)?;
        let value = fields.expect(tag::OCTET_STRING, "extension value")?;
        fields.finish("extension")?;
        // An explicit FALSE is not DER but common in requests, and says the same.
        let critical = match critical.map(|element| (element, element.content)) {
            None | Some((_, [0])) => false,
            Some((_, [0xff])) => true,
            Some((element, _)) => return Err(element.refuse(Flaw::Invalid("criticality"))),
        };
        Ok(Self {
            oid,
            critical,
            value: value.content.to_vec(),
        })
    }
}

/// The value of the extension with this identifier.
pub(crate) fn find<'a>(extensions: &'a [Extension], oid: &Oid) -> Option<&'a Extension> {
    extensions.iter().find(|extension| extension.oid == *oid)
}

/// The basic constraints of a certificate (RFC 5280 section 4.2.1.9).
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, BorshSerialize, BorshDeserialize)]
pub struct BasicConstraints {
    /// The subject is a CA.
    pub ca: bool,
    /// How many further CAs may follow below it; only with `ca`.
    pub path_len: Option<u32>,
}

/// A set of key usages (RFC 5280 section 4.2.1.3); bit *n* of the number is bit *n* of the BIT STRING.
///
/// Written as a list of the RFC's names.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Hash, BorshSerialize)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// No usage at all.
    pub const NONE: Self = Self(0);
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// nonRepudiation, also called contentCommitment.
    pub const NON_REPUDIATION: Self = Self(1 << 1);
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// dataEncipherment.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// keyAgreement.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// keyCertSign.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// cRLSign.
    pub const CRL_SIGN: Self = Self(1 << 6);
    /// encipherOnly.
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    /// decipherOnly.
    pub const DECIPHER_ONLY: Self = Self(1 << 8);

    const ALL_BITS: u16 = 0x1ff;

    /// From the bits; nothing if one has no meaning.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits & !Self::ALL_BITS == 0 {
            Some(Self(bits))
        } else {
            None
        }
    }

    /// The bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Every usage of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both sets.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The RFC names of the usages in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        KEY_USAGE_NAMES
            .iter()
            .filter(move |(_, usage)| self.contains(*usage))
            .map(|(name, _)| *name)
    }

    /// The usage with this RFC name.
    pub fn from_name(name: &str) -> Option<Self> {
        if name == "contentCommitment" {
            return Some(Self::NON_REPUDIATION);
        }
        KEY_USAGE_NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, usage)| *usage)
    }
}

const KEY_USAGE_NAMES: [(&str, KeyUsage); 9] = [
    ("digitalSignature", KeyUsage::DIGITAL_SIGNATURE),
    ("nonRepudiation", KeyUsage::NON_REPUDIATION),
    ("keyEncipherment", KeyUsage::KEY_ENCIPHERMENT),
    ("dataEncipherment", KeyUsage::DATA_ENCIPHERMENT),
    ("keyAgreement", KeyUsage::KEY_AGREEMENT),
    ("keyCertSign", KeyUsage::KEY_CERT_SIGN),
    ("cRLSign", KeyUsage::CRL_SIGN),
    ("encipherOnly", KeyUsage::ENCIPHER_ONLY),
    ("decipherOnly", KeyUsage::DECIPHER_ONLY),
];

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

impl FromStr for KeyUsage {
    type Err = DecodeError;

    /// Reads names separated by commas.
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        text.split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .try_fold(Self::NONE, |set, name| {
                Self::from_name(name)
                    .map(|usage| set | usage)
                    .ok_or(Flaw::Invalid("key usage").at(0))
            })
    }
}

impl Serialize for KeyUsage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.names())
    }
}

impl<'de> Deserialize<'de> for KeyUsage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = <Vec<String> as Deserialize>::deserialize(deserializer)?;
        names.iter().try_fold(Self::NONE, |set, name| {
            let usage = Self::from_name(name);
            usage
                .map(|usage| set | usage)
                .ok_or_else(|| serde::de::Error::custom("unknown key usage"))
        })
    }
}

impl BorshDeserialize for KeyUsage {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let bits = u16::deserialize_reader(reader)?;
        Self::from_bits(bits).ok_or_else(|| borsh::io::Error::other(Flaw::Invalid("key usage")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usage_text_forms() {
        let usage = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT;
        assert_eq!(usage.to_string(), "digitalSignature, keyEncipherment");
        assert_eq!(usage.to_string().parse(), Ok(usage));
        let json = serde_json::json!(["digitalSignature", "keyEncipherment"]);
        assert_eq!(serde_json::to_value(usage).expect("json"), json);
        assert_eq!(serde_json::from_value::<KeyUsage>(json).expect("usage"), usage);
        assert!("digitalSignature, sign".parse::<KeyUsage>().is_err());
        assert_eq!(
            KeyUsage::from_name("contentCommitment"),
            Some(KeyUsage::NON_REPUDIATION)
        );
        assert!(KeyUsage::try_from_slice(&[0, 2]).is_err());
    }

    #[test]
    fn criticality_forms() {
        let encoded = |criticality: &[u8]| {
            let parts = [
                Oid::KEY_USAGE.to_der(),
                criticality.to_vec(),
                der::octet_string(&[5, 0]),
            ];
            der::sequence(&[der::sequence(&parts)])
        };
        let rows: [(&str, &[u8], Option<bool>); 5] = [
            ("absent", &[], Some(false)),
            ("true", &[1, 1, 0xff], Some(true)),
            ("explicit false", &[1, 1, 0], Some(false)),
            ("BER true", &[1, 1, 1], None),
            ("empty boolean", &[1, 0], None),
        ];
        for (name, criticality, expected) in rows {
            let read = Extension::read_all(&mut Reader::new(&encoded(criticality))).ok();
            assert_eq!(
                read.and_then(|list| list.first().map(|e| e.critical)),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn lists_are_bounded_and_without_duplicates() {
        let list = |count: u128, step: u128| {
            let extension = |arc| {
                let oid = Oid::from_arcs(&[1, 2, arc]).expect("oid");
                Extension::non_critical(oid, vec![5, 0]).to_der()
            };
            der::sequence(&(0..count).map(|n| extension(n * step)).collect::<Vec<_>>())
        };
        let read = |bytes: Vec<u8>| Extension::read_all(&mut Reader::new(&bytes)).map(|list| list.len());
        assert_eq!(read(list(64, 1)), Ok(64));
        assert_eq!(
            read(list(65, 1)).map_err(|e| e.what),
            Err(Flaw::TooMany("extensions"))
        );
        assert_eq!(
            read(list(2, 0)).map_err(|e| e.what),
            Err(Flaw::Duplicate("extension"))
        );
        assert!(read(list(0, 1)).is_err());
    }
}
