//! The entries of a CRL: gathered from the store, and kept with the list that they stand on.
//!
//! The rows of the store are unsigned: whoever can write to the database can remove one. So the entries of every list are
//! sealed and stored with it, and an entry leaves the next list only by the end of its certificate, or, when it was on
//! hold, by a release that signed events tell of.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{SerialNumber, Timestamp, sha256};
use portreeve_ra::ports::{Store, StoreError};
use portreeve_ra::{BackendName, RevocationReason};

/// Rows read at once.
const PAGE: u32 = 1000;

/// One revoked certificate.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Entry {
    pub(crate) serial: SerialNumber,
    pub(crate) revoked_at: Timestamp,
    pub(crate) reason: RevocationReason,
    /// When the certificate ends.
    pub(crate) not_after: Timestamp,
}

/// What is revoked, by serial number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Entries(Vec<Entry>);

impl Entries {
    /// Every revoked certificate of a CA that ends after `not_after_min`: a certificate that has expired appears on one
    /// more CRL and then no longer (RFC 5280 section 3.3).
    pub(crate) async fn gather(
        store: &dyn Store,
        ca: &BackendName,
        not_after_min: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = store
                .revoked(ca.as_str(), not_after_min, after.as_ref(), PAGE)
                .await?;
            entries.extend(page.items.into_iter().map(|row| Entry {
                serial: row.serial,
                revoked_at: row.revoked_at,
                reason: row.reason,
                not_after: row.not_after,
            }));
            after = page.next;
            if after.is_none() {
                // As `keeping` leaves them, whatever order the store has.
                entries.sort_by(|a: &Entry, b| a.serial.as_bytes().cmp(b.serial.as_bytes()));
                return Ok(Self(entries));
            }
        }
    }

    /// These, and those of an earlier list whose certificates end after `not_after_min` and that are missing here: they
    /// are given back as well.
    pub(crate) fn keeping(self, earlier: Self, not_after_min: Timestamp) -> (Self, Vec<Entry>) {
        let key = |entry: Entry| (entry.serial.as_bytes().to_vec(), entry);
        let mut all: BTreeMap<Vec<u8>, Entry> = self.0.into_iter().map(key).collect();
        let mut vanished = Vec::new();
        for entry in earlier.0 {
            if entry.not_after > not_after_min && !all.contains_key(entry.serial.as_bytes()) {
                vanished.push(entry.clone());
                let (serial, entry) = key(entry);
                all.insert(serial, entry);
            }
        }
        (Self(all.into_values().collect()), vanished)
    }

    /// These without that of one certificate.
    #[must_use]
    pub(crate) fn without(mut self, serial: &SerialNumber) -> Self {
        self.0.retain(|entry| entry.serial != *serial);
        self
    }

    /// As the CA takes them.
    pub(crate) fn to_list(&self) -> Vec<(SerialNumber, Timestamp, RevocationReason)> {
        let plain = |entry: &Entry| (entry.serial.clone(), entry.revoked_at, entry.reason);
        self.0.iter().map(plain).collect()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// As they are stored.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(self.0.len() * 48);
        for entry in &self.0 {
            // Writing into memory does not fail.
            let _ = entry.serialize(&mut octets);
        }
        octets
    }

    /// From the stored form.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let (mut rest, mut entries) = (octets, Vec::new());
        while !rest.is_empty() {
            entries.push(Entry::deserialize(&mut rest).ok()?);
        }
        Some(Self(entries))
    }

    /// SHA-256 over all of them.
    pub(crate) fn digest(&self) -> [u8; 32] {
        sha256(&self.encode())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(serial: u8, ends: i64) -> Entry {
        Entry {
            serial: SerialNumber::from_bytes(&[serial]).unwrap(),
            revoked_at: Timestamp::from_unix_seconds(1),
            reason: RevocationReason::Superseded,
            not_after: Timestamp::from_unix_seconds(ends),
        }
    }

    #[test]
    fn stored_and_read_back() {
        for entries in [Entries::default(), Entries(vec![entry(1, 7), entry(2, 9)])] {
            assert_eq!(Entries::decode(&entries.encode()), Some(entries));
        }
        let mut cut = Entries(vec![entry(1, 7)]).encode();
        cut.pop();
        assert_eq!(Entries::decode(&cut), None);
    }

    #[test]
    fn only_the_end_of_a_certificate_takes_it_off() {
        let earlier = Entries(vec![entry(1, 5), entry(2, 6), entry(3, 7)]);
        let now = Entries(vec![entry(3, 7), entry(4, 9)]);
        let (all, vanished) = now.keeping(earlier, Timestamp::from_unix_seconds(5));
        assert_eq!(all, Entries(vec![entry(2, 6), entry(3, 7), entry(4, 9)]));
        assert_eq!(vanished, [entry(2, 6)]);
        let kept = all.without(&SerialNumber::from_bytes(&[2]).unwrap());
        assert_eq!(kept, Entries(vec![entry(3, 7), entry(4, 9)]));
    }
}
