//! Certificate serial numbers.

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::der;
use crate::error::{DecodeError, Flaw, invalid_record};
use crate::text::serde_as_text;

/// Most octets of the encoded INTEGER content (RFC 5280 section 4.1.2.2).
const OCTETS_MAX: usize = 20;

/// A positive certificate serial number of at most 20 octets.
///
/// Held as big-endian octets without leading zeros; written as lower-case hexadecimal, two digits per octet.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// From big-endian octets: not zero, no leading zero, at most 20 octets once encoded as an INTEGER.
    pub fn from_bytes(octets: &[u8]) -> Result<Self, DecodeError> {
        let invalid = Flaw::Invalid("serial number").at(0);
        let first = octets.first().copied().ok_or_else(|| invalid.clone())?;
        if first == 0 {
            return Err(invalid);
        }
        if octets.len() + usize::from(first >> 7) > OCTETS_MAX {
            return Err(Flaw::TooLarge("serial number").at(0));
        }
        Ok(Self(octets.to_vec()))
    }

    /// From the content octets of an INTEGER; negative, zero and padded ones are refused.
    pub fn from_integer_content(content: &[u8]) -> Result<Self, DecodeError> {
        match content {
            [0, rest @ ..] if rest.first().is_some_and(|octet| octet & 0x80 != 0) => Self::from_bytes(rest),
            [first, ..] if first & 0x80 == 0 => Self::from_bytes(content),
            _ => Err(Flaw::Invalid("serial number").at(0)),
        }
    }

    /// A serial of exactly 16 octets from 16 random octets: the top bit is cleared, a zero in front becomes one.
    pub fn random128(random: &[u8; 16]) -> Self {
        let mut octets = *random;
        let [first, ..] = &mut octets;
        *first = (*first & 0x7f).max(1);
        Self(octets.to_vec())
    }

    /// Big-endian octets without leading zeros.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Lower-case hexadecimal.
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }

    /// From hexadecimal digits, two per octet.
    pub fn from_hex(text: &str) -> Result<Self, DecodeError> {
        if text.len() > 2 * OCTETS_MAX {
            return Err(Flaw::TooLarge("serial number").at(0));
        }
        let octets = hex::decode(text).map_err(|_| Flaw::Invalid("serial number").at(0))?;
        Self::from_bytes(&octets)
    }

    /// The INTEGER element.
    pub fn to_der(&self) -> Vec<u8> {
        der::unsigned_integer(&self.0)
    }
}

impl PartialOrd for SerialNumber {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SerialNumber {
    /// By value.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0
            .len()
            .cmp(&other.0.len())
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_hex())
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

impl FromStr for SerialNumber {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::from_hex(text)
    }
}

serde_as_text!(SerialNumber);

impl BorshSerialize for SerialNumber {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(&self.0, writer)
    }
}

impl BorshDeserialize for SerialNumber {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::from_bytes(&Vec::<u8>::deserialize_reader(reader)?).map_err(invalid_record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let rows: [(&str, &[u8], bool); 7] = [
            ("one", &[1], true),
            ("high bit set", &[0x80], true),
            ("20 octets", &[0x7f; 20], true),
            ("20 octets that need a pad", &[0x80; 20], false),
            ("21 octets", &[1; 21], false),
            ("zero", &[0], false),
            ("empty", &[], false),
        ];
        for (name, octets, accepted) in rows {
            assert_eq!(SerialNumber::from_bytes(octets).is_ok(), accepted, "{name}");
        }
        let rows: [(&str, &[u8], bool); 6] = [
            ("plain", &[0x10, 1], true),
            ("padded high bit", &[0, 0x80], true),
            ("negative", &[0x80], false),
            ("needless pad", &[0, 1], false),
            ("zero", &[0], false),
            ("empty", &[], false),
        ];
        for (name, content, accepted) in rows {
            assert_eq!(
                SerialNumber::from_integer_content(content).is_ok(),
                accepted,
                "{name}"
            );
        }
    }

    #[test]
    fn random_serials_have_16_octets() {
        for random in [[0; 16], [0xff; 16], [0x80; 16]] {
            let serial = SerialNumber::random128(&random);
            assert_eq!(serial.as_bytes().len(), 16);
            assert_eq!(serial.to_der().len(), 18);
            assert_eq!(SerialNumber::from_hex(&serial.to_hex()), Ok(serial));
        }
    }

    #[test]
    fn text_and_order() {
        assert_eq!(
            SerialNumber::from_hex("0AFF").map(|s| s.to_string()),
            Ok("0aff".to_owned())
        );
        for text in ["", "f", "00", "0001", "xx", "0x01"] {
            assert!(SerialNumber::from_hex(text).is_err(), "{text}");
        }
        let [small, large] = ["ff", "0100"].map(|text| SerialNumber::from_hex(text).expect("serial"));
        assert!(small < large);
    }
}
