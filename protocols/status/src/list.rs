//! A signed CRL as it is stored: a head that counts, and the octets in parts.
//!
//! The head of a CA is replaced by compare-and-set, which makes the CRL number grow by one and never repeat
//! (RFC 5280 section 5.2.3). The parts belong to one number, are written once, and go when the next CRLs are out.

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::BackendName;
use portreeve_ra::ports::{DocumentId, DocumentWrite};

/// Octets of one part: a document holds 256 KiB.
const PART_MAX: usize = 192 * 1024;

/// Parts of one CRL, at most: 48 MiB, about a million entries.
const PARTS_MAX: usize = 256;

/// How long parts outlive their CRL, for a node that is still reading them.
const PARTS_KEPT: Duration = Duration::from_secs(24 * 3600);

/// Stands before every head; one with another number is not read.
const FORMAT: u8 = 1;

/// The last CRL of one CA.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Head {
    pub(crate) number: u64,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
    /// Certificates that ended before this are not on it.
    pub(crate) horizon: Timestamp,
    /// SHA-256 over the entries, to see whether something has changed.
    pub(crate) entries: [u8; 32],
    /// SHA-256 of the CRL.
    pub(crate) digest: [u8; 32],
    pub(crate) parts: u32,
}

impl Head {
    /// When it is time for the next one, even if nothing was revoked: at half of its life.
    pub(crate) fn renew_at(&self) -> Timestamp {
        self.this_update
            .saturating_add(self.next_update.since(self.this_update) / 2)
    }

    /// Until when its parts are kept.
    pub(crate) fn parts_until(&self) -> Timestamp {
        self.next_update.saturating_add(PARTS_KEPT)
    }

    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        match body.split_first() {
            Some((&FORMAT, rest)) => Self::try_from_slice(rest).ok(),
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
            .map(|index| part_id(ca, self.number, index))
            .collect()
    }

    /// The CRL from its parts, if they are all there and whole.
    pub(crate) fn assemble<'a>(&self, parts: impl Iterator<Item = Option<&'a [u8]>>) -> Option<Vec<u8>> {
        let mut list = Vec::new();
        for part in parts {
            list.extend_from_slice(part?);
        }
        (sha256(&list) == self.digest).then_some(list)
    }
}

/// The name of a CA's head.
pub(crate) fn head_id(ca: &BackendName) -> DocumentId {
    DocumentId {
        kind: "status.crl",
        id: short(ca.as_str().as_bytes()),
    }
}

/// The writes that replace the head in `version` by this one and add its parts. `None` when the CRL is too large.
pub(crate) fn writes(ca: &BackendName, head: &Head, list: &[u8], version: u64) -> Option<Vec<DocumentWrite>> {
    let parts: Vec<&[u8]> = list.chunks(PART_MAX).collect();
    if parts.len() > PARTS_MAX {
        return None;
    }
    let mut writes = vec![DocumentWrite {
        id: head_id(ca),
        version: version.saturating_add(1),
        body: Some(head.body()?),
        keys: Vec::new(),
        expires_at: None,
    }];
    for (index, part) in (0..).zip(parts) {
        writes.push(DocumentWrite {
            id: part_id(ca, head.number, index),
            version: 1,
            body: Some(part.to_vec()),
            keys: Vec::new(),
            expires_at: Some(head.parts_until()),
        });
    }
    Some(writes)
}

/// How many parts a CRL of this length has.
pub(crate) fn parts_of(list: &[u8]) -> u32 {
    u32::try_from(list.len().div_ceil(PART_MAX)).unwrap_or(u32::MAX)
}

fn part_id(ca: &BackendName, number: u64, index: u32) -> DocumentId {
    let mut name = ca.as_str().as_bytes().to_vec();
    name.push(0);
    name.extend_from_slice(&number.to_be_bytes());
    name.extend_from_slice(&index.to_be_bytes());
    DocumentId {
        kind: "status.crl.part",
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
            let writes = writes(&ca, &head, &list, 4).unwrap();
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
