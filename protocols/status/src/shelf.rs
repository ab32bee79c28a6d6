//! What is served: the last good CRL and the certificate of each CA.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::BackendName;
use portreeve_ra::ports::CaBackend;

/// One file with what its headers need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Published {
    pub(crate) body: Bytes,
    /// Quoted, as in the header.
    pub(crate) etag: String,
    pub(crate) modified: Timestamp,
    /// After this it is no longer fresh.
    pub(crate) until: Timestamp,
}

impl Published {
    pub(crate) fn new(body: Vec<u8>, modified: Timestamp, until: Timestamp) -> Self {
        let digest = sha256(&body);
        let short = digest.iter().take(16).copied().collect::<Vec<u8>>();
        Self {
            body: body.into(),
            etag: format!("\"{}\"", hex::encode(short)),
            modified,
            until,
        }
    }
}

/// What is served, shared by the publisher that fills it and the edge that reads it.
#[derive(Default)]
pub struct Shelf {
    certificates: BTreeMap<String, Arc<Published>>,
    lists: RwLock<BTreeMap<String, Arc<Published>>>,
}

impl Shelf {
    /// A shelf with the certificates of these CAs, and no CRL yet.
    pub fn new<'a>(backends: impl IntoIterator<Item = (&'a BackendName, &'a Arc<dyn CaBackend>)>) -> Self {
        let certificates = backends
            .into_iter()
            .filter_map(|(name, backend)| {
                let issuer = backend.chain().into_iter().next()?;
                let published =
                    Published::new(issuer.der().to_vec(), issuer.not_before(), issuer.not_after());
                Some((name.to_string(), Arc::new(published)))
            })
            .collect();
        Self {
            certificates,
            lists: RwLock::default(),
        }
    }

    /// Until when the CRL of this CA counts, if there is one.
    pub fn list_until(&self, ca: &str) -> Option<Timestamp> {
        self.list(ca).map(|published| published.until)
    }

    pub(crate) fn certificate(&self, ca: &str) -> Option<Arc<Published>> {
        self.certificates.get(ca).cloned()
    }

    pub(crate) fn list(&self, ca: &str) -> Option<Arc<Published>> {
        self.lists
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(ca)
            .cloned()
    }

    pub(crate) fn put_list(&self, ca: &BackendName, list: Published) {
        let mut lists = self.lists.write().unwrap_or_else(PoisonError::into_inner);
        lists.insert(ca.to_string(), Arc::new(list));
    }
}
