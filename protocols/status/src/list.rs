//! A signed CRL as it is stored: a head that counts, the octets in parts, and the entries in parts of their own.
//!
//! The head of a CA is replaced by compare-and-set, which makes the CRL number grow and never repeat
//! (RFC 5280 section 5.2.3). The parts belong to one number, are written once, and go when the next CRLs are out. The entries
//! stay until the next CRL takes their place, however long that takes: it must not lose any of them.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::BackendName;
use portreeve_ra::ports::{DocumentId, DocumentWrite};

use crate::revoked::Entries;

/// Octets of one part: a document holds 256 KiB.
const PART_MAX: usize = 192 * 1024;

/// Parts of one CRL, and of its entries, at most: 48 MiB, about a million entries.
const PARTS_MAX: u32 = 256;

/// The kinds of documents that hold parts.
const PART: &str = "status.crl.part";
const ENTRIES: &str = "status.crl.entries";

/// How long parts outlive their CRL, for a node that is still reading them.
const PARTS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// Stands before every head; one with a number that is not known is not read.
const FORMAT: u8 = 2;

/// A head without entries in parts.
const FORMAT_WITHOUT_ENTRIES: u8 = 1;

/// The last CRL of one CA.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// Certificates that ended before this are not on it.
    pub(crate) horizon: Timestamp,
    /// SHA-256 over the entries in their stored form.
    pub(crate) entries: [u8; 32],
    /// SHA-256 of the CRL.
    pub(crate) digest: [u8; 32],
    pub(crate) parts: u32,
    /// Parts of the entries.
    pub(crate) entry_parts: u32,
}

impl Head {
    /// When it is time for the next one, even if nothing was revoked: at half of its life.
    pub(crate) fn renew_at(&self) -> Timestamp {
        half_time(self.this_update, self.next_update)
    }

    /// The number of the next one: larger than this one's, and than any before it that may have been lost with its
    /// documents, since no number is ahead of the store's time by much: it counts milliseconds.
    pub(crate) fn next_number(head: Option<&Self>, moment: Timestamp) -> u64 {
        let follows = head.map_or(1, |head| head.number.saturating_add(1));
        follows.max(u64::try_from(moment.unix_millis()).unwrap_or(0))
    }

    /// Until when its parts are kept.
    pub(crate) fn parts_until(&self) -> Timestamp {
        self.next_update.saturating_add(PARTS_KEPT)
    }

    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        match body.split_first() {
            Some((&FORMAT, rest)) => Self::try_from_slice(rest).ok(),
            Some((&FORMAT_WITHOUT_ENTRIES, rest)) => Self::try_from_slice(&[rest, &[0; 4]].concat()).ok(),
            _ => None,
        }
    }

    fn body(&self) -> Option<Vec<u8>> {
        let mut body = vec![FORMAT];
        self.serialize(&mut body).ok()?;
        Some(body)
    }

    /// The names of its parts, in order.
    pub(crate) fn part_ids(&self, ca: &BackendName) -> Vec<DocumentId> {
        (0..self.parts)
            .map(|index| part_id(PART, ca, (self.number, index)))
            .collect()
    }

    /// The names of the parts of its entries, in order.
    pub(crate) fn entry_ids(&self, ca: &BackendName) -> Vec<DocumentId> {
        (0..self.entry_parts)
            .map(|index| part_id(ENTRIES, ca, (self.number, index)))
            .collect()
    }

    /// The CRL from its parts, if they are all there and whole.
    pub(crate) fn assemble<'a>(&self, parts: impl Iterator<Item = Option<&'a [u8]>>) -> Option<Vec<u8>> {
        joined(parts).filter(|list| sha256(list) == self.digest)
    }

    /// The entries from their parts, if they are all there and whole.
    pub(crate) fn assemble_entries<'a>(
        &self,
        parts: impl Iterator<Item = Option<&'a [u8]>>,
    ) -> Option<Entries> {
        let octets = joined(parts).filter(|octets| sha256(octets) == self.entries)?;
        Entries::decode(&octets)
    }
}

/// When half of a list's life is over.
pub(crate) fn half_time(this_update: Timestamp, next_update: Timestamp) -> Timestamp {
    this_update.saturating_add(next_update.since(this_update) / 2)
}

/// The name of a CA's head.
pub(crate) fn head_id(ca: &BackendName) -> DocumentId {
    DocumentId {
        kind: "status.crl",
        id: short(ca.as_str().as_bytes()),
    }
}

/// A CRL that was signed, with what it was made of.
pub(crate) struct Signed<'a> {
    pub(crate) head: &'a Head,
    pub(crate) list: &'a [u8],
    pub(crate) entries: &'a Entries,
}

/// The writes that replace the head before by this one, add its parts and remove the entries of the one before. `None`
/// when the CRL is too large.
pub(crate) fn writes(
    ca: &BackendName,
    signed: &Signed<'_>,
    (before, version): (Option<&Head>, u64),
) -> Option<Vec<DocumentWrite>> {
    let (head, entries) = (signed.head, signed.entries.encode());
    if head.parts > PARTS_MAX || head.entry_parts > PARTS_MAX {
        return None;
    }
    let replaced = DocumentWrite {
        version: version.saturating_add(1),
        ..written(head_id(ca), Some(&head.body()?), None)
    };
    let mut writes = vec![replaced];
    let until = Some(head.parts_until());
    for (id, part) in head.part_ids(ca).into_iter().zip(signed.list.chunks(PART_MAX)) {
        writes.push(written(id, Some(part), until));
    }
    for (id, part) in head.entry_ids(ca).into_iter().zip(entries.chunks(PART_MAX)) {
        writes.push(written(id, Some(part), None));
    }
    for id in before.map(|before| before.entry_ids(ca)).unwrap_or_default() {
        writes.push(DocumentWrite {
            version: 2,
            ..written(id, None, None)
        });
    }
    Some(writes)
}

fn written(id: DocumentId, body: Option<&[u8]>, expires_at: Option<Timestamp>) -> DocumentWrite {
    DocumentWrite {
        id,
        version: 1,
        body: body.map(<[u8]>::to_vec),
        keys: Vec::new(),
        expires_at,
    }
}

/// How many parts so many octets have.
pub(crate) fn parts_of(octets: &[u8]) -> u32 {
    u32::try_from(octets.len().div_ceil(PART_MAX)).unwrap_or(u32::MAX)
}

fn joined<'a>(parts: impl Iterator<Item = Option<&'a [u8]>>) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    for part in parts {
        octets.extend_from_slice(part?);
    }
    Some(octets)
}

fn part_id(kind: &'static str, ca: &BackendName, (number, index): (u64, u32)) -> DocumentId {
    let mut name = ca.as_str().as_bytes().to_vec();
    name.push(0);
    name.extend_from_slice(&number.to_be_bytes());
    name.extend_from_slice(&index.to_be_bytes());
    DocumentId {
        kind,
        id: short(&name),
    }
}

fn short(name: &[u8]) -> [u8; 16] {
    let mut id = [0; 16];
    id.iter_mut().zip(sha256(name)).for_each(|(to, from)| *to = from);
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(list: &[u8]) -> Head {
        Head {
            number: 7,
            this_update: Timestamp::from_unix_seconds(1_000),
            next_update: Timestamp::from_unix_seconds(3_000),
            horizon: Timestamp::default(),
            entries: [1; 32],
            digest: sha256(list),
            parts: parts_of(list),
            entry_parts: 0,
        }
    }

    #[test]
    fn a_list_of_any_size_comes_back_whole() {
        let ca = BackendName::new("issuing").unwrap();
        let rows = [
            ("small", 10, 1),
            ("one part", PART_MAX, 1),
            ("more", PART_MAX + 1, 2),
            ("large", 900_000, 5),
        ];
        for (name, length, parts) in rows {
            let list: Vec<u8> = (0..length)
                .map(|index| u8::try_from(index % 251).unwrap())
                .collect();
            let head = head(&list);
            assert_eq!(head.parts, parts, "{name}");
            let entries = &Entries::default();
            let signed = Signed {
                head: &head,
                list: &list,
                entries,
            };
            let writes = writes(&ca, &signed, (None, 4)).unwrap();
            assert_eq!(
                (writes[0].id.clone(), writes[0].version),
                (head_id(&ca), 5),
                "{name}"
            );
            assert_eq!(
                Head::read(writes[0].body.as_ref().unwrap()),
                Some(head.clone()),
                "{name}"
            );
            let ids: Vec<DocumentId> = writes[1..].iter().map(|write| write.id.clone()).collect();
            assert_eq!(ids, head.part_ids(&ca), "{name}");
            let bodies: Vec<&[u8]> = writes[1..]
                .iter()
                .map(|write| write.body.as_deref().unwrap())
                .collect();
            assert_eq!(
                head.assemble(bodies.iter().map(|body| Some(*body))),
                Some(list),
                "{name}"
            );
            assert_eq!(
                head.assemble(bodies.iter().map(|_| None)),
                None,
                "{name}: parts are gone"
            );
            assert_eq!(
                head.assemble(bodies.iter().map(|_| Some(&b"x"[..]))),
                None,
                "{name}: other octets"
            );
        }
    }

    #[test]
    fn the_entries_take_the_place_of_those_before() {
        let ca = BackendName::new("issuing").unwrap();
        let entries = Entries::decode(&[]).unwrap();
        let before = Head {
            entry_parts: 2,
            ..head(b"x")
        };
        let next = Head {
            number: 8,
            ..head(b"x")
        };
        let signed = Signed {
            head: &next,
            list: b"x",
            entries: &entries,
        };
        let writes = writes(&ca, &signed, (Some(&before), 4)).unwrap();
        let removed: Vec<_> = writes.iter().filter(|write| write.body.is_none()).collect();
        let ids: Vec<_> = removed.iter().map(|write| write.id.clone()).collect();
        assert_eq!(ids, before.entry_ids(&ca));
        assert!(removed.iter().all(|write| write.version == 2));
    }

    #[test]
    fn a_head_of_the_first_format_has_no_entries() {
        let mut body = head(b"x").body().unwrap();
        body[0] = 1;
        body.truncate(body.len() - 4);
        assert_eq!(Head::read(&body), Some(head(b"x")));
    }

    #[test]
    fn it_is_renewed_at_half_of_its_life() {
        assert_eq!(head(b"").renew_at(), Timestamp::from_unix_seconds(2_000));
    }

    #[test]
    fn other_octets_are_no_head() {
        let body = head(b"x").body().unwrap();
        for bad in [
            &body[1..],
            &body[..body.len() - 1],
            &[],
            &[&body[..], &[0]].concat()[..],
        ] {
            assert_eq!(Head::read(bad), None);
        }
    }
}
