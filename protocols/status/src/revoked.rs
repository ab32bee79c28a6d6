//! The entries of a CRL, gathered from the store.

use borsh::BorshSerialize;
use portreeve_pkix::{SerialNumber, Timestamp, sha256};
use portreeve_ra::ports::{Store, StoreError};
use portreeve_ra::{BackendName, RevocationReason};

/// Rows read at once.
const PAGE: u32 = 1000;

/// What is revoked, by serial number.
pub(crate) struct Entries(pub(crate) Vec<(SerialNumber, Timestamp, RevocationReason)>);

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
            entries.extend(
                page.items
                    .into_iter()
                    .map(|row| (row.serial, row.revoked_at, row.reason)),
            );
            after = page.next;
            if after.is_none() {
                return Ok(Self(entries));
            }
        }
    }

    /// SHA-256 over all of them.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut octets = Vec::with_capacity(self.0.len() * 32);
        for (serial, at, reason) in &self.0 {
            // Writing into memory does not fail.
            let _ = (serial, at, reason.number()).serialize(&mut octets);
        }
        sha256(&octets)
    }
}
