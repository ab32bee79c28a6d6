//! The little of RFC 1035 that a scripted server needs.

use std::net::IpAddr;

const HEADER_BYTES: usize = 12;
/// A response to a recursive question, with recursion available.
const FLAGS: u8 = 0x81;
const RECURSION_AVAILABLE: u8 = 0x80;
const CLASS_IN: u16 = 1;
/// Nothing may be kept: the next answer can be another.
const TIME_TO_LIVE: u32 = 0;
/// Longest piece of a TXT record.
const TEXT_PIECE_MAX: usize = 255;

/// What kind of record is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordKind {
    /// An IPv4 address.
    A,
    /// An IPv6 address.
    Aaaa,
    /// Text.
    Txt,
    /// An alias.
    Cname,
    /// Anything else, by its number.
    Other(u16),
}

impl RecordKind {
    const fn number(self) -> u16 {
        match self {
            Self::A => 1,
            Self::Cname => 5,
            Self::Txt => 16,
            Self::Aaaa => 28,
            Self::Other(number) => number,
        }
    }

    fn of(number: u16) -> Self {
        let known = [Self::A, Self::Aaaa, Self::Txt, Self::Cname];
        known
            .into_iter()
            .find(|kind| kind.number() == number)
            .unwrap_or(Self::Other(number))
    }
}

/// What a record says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// A or AAAA.
    Address(IpAddr),
    /// TXT; cut into pieces of 255 octets.
    Text(String),
    /// CNAME.
    Alias(String),
}

impl Data {
    /// The kind of record that says it.
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Address(IpAddr::V4(_)) => RecordKind::A,
            Self::Address(IpAddr::V6(_)) => RecordKind::Aaaa,
            Self::Text(_) => RecordKind::Txt,
            Self::Alias(_) => RecordKind::Cname,
        }
    }

    fn encoded(&self) -> Vec<u8> {
        match self {
            Self::Address(IpAddr::V4(address)) => address.octets().to_vec(),
            Self::Address(IpAddr::V6(address)) => address.octets().to_vec(),
            Self::Text(text) if text.is_empty() => vec![0],
            Self::Text(text) => text.as_bytes().chunks(TEXT_PIECE_MAX).flat_map(counted).collect(),
            Self::Alias(name) => encoded_name(name),
        }
    }
}

/// A record with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) name: String,
    pub(super) data: Data,
}

/// A question as it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    id: [u8; 2],
    /// Name, type and class as received, to be repeated letter by letter.
    section: Vec<u8>,
    /// Lower case without the final dot.
    pub(super) name: String,
    pub(super) kind: RecordKind,
}

impl Question {
    /// Reads the first question of a message.
    pub(super) fn read(message: &[u8]) -> Option<Self> {
        let id = *message.first_chunk()?;
        let mut rest = message.get(HEADER_BYTES..)?;
        let mut labels = Vec::new();
        loop {
            let (&length, after) = rest.split_first()?;
            if length == 0 {
                rest = after;
                break;
            }
            let (label, after) = after.split_at_checked(length.into())?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            rest = after;
        }
        let (kind, after) = rest.split_first_chunk::<2>()?;
        let (_class, after) = after.split_first_chunk::<2>()?;
        let section = message
            .get(HEADER_BYTES..message.len().checked_sub(after.len())?)?
            .to_vec();
        Some(Self {
            id,
            section,
            name: labels.join("."),
            kind: RecordKind::of(u16::from_be_bytes(*kind)),
        })
    }

    /// The whole response.
    pub(super) fn answered(&self, answer: &Result<Vec<Record>, u8>) -> Vec<u8> {
        let (code, records) = match answer {
            Ok(records) => (0, records.as_slice()),
            Err(code) => (*code, [].as_slice()),
        };
        let count = u16::try_from(records.len()).unwrap_or(0).to_be_bytes();
        let mut message = self.id.to_vec();
        message.extend([FLAGS, RECURSION_AVAILABLE | code, 0, 1]);
        message.extend(count);
        message.extend([0; 4]);
        message.extend(&self.section);
        for record in records {
            let data = record.data.encoded();
            message.extend(encoded_name(&record.name));
            message.extend(record.data.kind().number().to_be_bytes());
            message.extend(CLASS_IN.to_be_bytes());
            message.extend(TIME_TO_LIVE.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap_or(0).to_be_bytes());
            message.extend(data);
        }
        message
    }
}

fn encoded_name(name: &str) -> Vec<u8> {
    let mut encoded: Vec<u8> = name
        .split('.')
        .flat_map(|label| counted(label.as_bytes()))
        .collect();
    encoded.push(0);
    encoded
}

fn counted(piece: &[u8]) -> Vec<u8> {
    let length = u8::try_from(piece.len()).unwrap_or(u8::MAX);
    std::iter::once(length)
        .chain(piece.iter().copied().take(length.into()))
        .collect()
}
