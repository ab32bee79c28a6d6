//! The octets of the journal: a header and records of 64 octets each.

use std::collections::HashMap;

use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::EnrollmentId;

use super::BATCH_MAX;

/// Octets of the header and of each record.
pub(super) const LENGTH: usize = 64;
const CHECKED_LENGTH: usize = LENGTH - CHECKSUM_LENGTH;
const CHECKSUM_LENGTH: usize = 4;
const MAGIC: [u8; 8] = *b"PRJRNL\0\x01";

/// `magic (8) || floor in milliseconds (8) || zeros (44) || checksum (4)`.
pub(super) struct Header {
    /// Enrollments made up to then may have been dropped.
    pub(super) floor: Timestamp,
}

/// `enrollment (16) || SHA-256 of the TBSCertificate (32) || time in milliseconds (8) || batch (4) || checksum (4)`.
pub(super) struct Record {
    pub(super) enrollment: EnrollmentId,
    pub(super) digest: [u8; 32],
    pub(super) at: Timestamp,
    /// Records written together have the same number.
    pub(super) batch: u32,
}

/// Why octets are not accepted as a journal.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    NotAJournal,
    Damaged { offset: u64 },
}

/// A journal as read.
#[derive(Default)]
pub(super) struct Contents {
    floor: Option<Timestamp>,
    records: Vec<(EnrollmentId, [u8; 32])>,
    batch_last: u32,
    torn: bool,
    /// Octets up to the end of the last record.
    end: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        with_checksum(&[&MAGIC, &self.floor.unix_millis().to_be_bytes()])
    }

    fn decode(block: &[u8]) -> Option<Self> {
        let rest = checked(block)?.strip_prefix(&MAGIC)?;
        let (floor, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            floor: Timestamp::from_unix_millis(i64::from_be_bytes(*floor)),
        })
    }
}

impl Record {
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let (at, batch) = (self.at.unix_millis().to_be_bytes(), self.batch.to_be_bytes());
        with_checksum(&[self.enrollment.as_bytes(), &self.digest, &at, &batch])
    }

    fn decode(block: &[u8]) -> Option<Self> {
        let (enrollment, rest) = checked(block)?.split_first_chunk::<16>()?;
        let (digest, rest) = rest.split_first_chunk::<32>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (batch, _) = rest.split_first_chunk::<4>()?;
        Some(Self {
            enrollment: EnrollmentId::from_bytes(*enrollment),
            digest: *digest,
            at: Timestamp::from_unix_millis(i64::from_be_bytes(*at)),
            batch: u32::from_be_bytes(*batch),
        })
    }
}

impl Contents {
    /// Reads a journal. A write that a crash interrupted may have left anything in the place of its records; since it
    /// was not durable, nothing was signed for them, and they may be missing. That is accepted only where every
    /// readable record behind the first unreadable one belongs to one and the same write.
    pub(super) fn decode(octets: &[u8]) -> Result<Self, Flaw> {
        let (header, rest) = octets.split_at_checked(LENGTH).ok_or(Flaw::NotAJournal)?;
        let header = Header::decode(header).ok_or(Flaw::NotAJournal)?;
        let rest = without_room(rest);
        let mut contents = Self {
            floor: Some(header.floor),
            end: u64::try_from(LENGTH.saturating_add(rest.len())).unwrap_or(u64::MAX),
            ..Self::default()
        };
        let mut first_bad = None;
        let mut bad_count = 0_usize;
        let mut batch_behind = None;
        for (index, block) in rest.chunks(LENGTH).enumerate() {
            let Some(record) = Record::decode(block) else {
                first_bad.get_or_insert(index);
                bad_count += 1;
                continue;
            };
            if first_bad.is_some() && *batch_behind.get_or_insert(record.batch) != record.batch {
                bad_count = usize::MAX;
                break;
            }
            contents.batch_last = record.batch;
            contents.records.push((record.enrollment, record.digest));
        }
        match first_bad {
            Some(index) if bad_count > BATCH_MAX => {
                let offset = LENGTH.saturating_mul(index.saturating_add(1));
                Err(Flaw::Damaged {
                    offset: u64::try_from(offset).unwrap_or(u64::MAX),
                })
            }
            Some(_) => Ok(Self {
                torn: true,
                ..contents
            }),
            None => Ok(contents),
        }
    }

    /// What was made after `oldest` or the floor, and the floor that results from dropping the rest.
    pub(super) fn retain_since(&self, oldest: Timestamp) -> (Timestamp, HashMap<EnrollmentId, [u8; 32]>) {
        let floor_before = self.floor.unwrap_or(Timestamp::from_unix_millis(i64::MIN));
        let mut floor = floor_before;
        let mut entries = HashMap::with_capacity(self.records.len());
        for (enrollment, digest) in &self.records {
            let made_at = enrollment.made_at();
            if made_at > oldest && made_at > floor_before {
                // The first content wins; a second one is never written.
                entries.entry(*enrollment).or_insert(*digest);
            } else {
                floor = floor.max(made_at);
            }
        }
        (floor, entries)
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) const fn is_new(&self) -> bool {
        self.floor.is_none()
    }

    pub(super) const fn is_torn(&self) -> bool {
        self.torn
    }

    /// Where the next record goes in a journal that is not torn.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    pub(super) const fn batch_last(&self) -> u32 {
        self.batch_last
    }
}

/// The blocks up to the last one that was written to: zeros behind them are room for more, and no record is all zeros. There never
/// is room for more than one write.
pub(super) fn without_room(blocks: &[u8]) -> &[u8] {
    let last = blocks.iter().rposition(|octet| *octet != 0);
    let used = last.map_or(0, |last| last.saturating_add(1).next_multiple_of(LENGTH));
    match blocks.split_at_checked(used) {
        Some((used, room)) if room.len() <= BATCH_MAX * LENGTH => used,
        _ => blocks,
    }
}

fn with_checksum(parts: &[&[u8]]) -> [u8; LENGTH] {
    let mut checked = parts.concat();
    checked.resize(CHECKED_LENGTH, 0);
    let digest = sha256(&checked);
    let mut block = [0; LENGTH];
    block
        .iter_mut()
        .zip(checked.iter().chain(&digest))
        .for_each(|(to, from)| *to = *from);
    block
}

/// The part before the checksum, if that is right.
fn checked(block: &[u8]) -> Option<&[u8]> {
    if block.len() != LENGTH {
        return None;
    }
    let (checked, checksum) = block.split_last_chunk::<CHECKSUM_LENGTH>()?;
    sha256(checked).starts_with(checksum).then_some(checked)
}
