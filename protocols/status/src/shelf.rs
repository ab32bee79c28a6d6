//! What is served: the last good CRL and the certificate of each CA.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::BackendName;
use portreeve_ra::ports::CaBackend;

use crate::list::half_time;
use crate::turn::LATE;

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

/// How the CRL of a CA stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListStanding<'a> {
    /// The CA.
    pub ca: &'a str,
    /// The end of the one that is served; `None` where there is none yet.
    pub until: Option<Timestamp>,
    /// When half of its life is over, and the next one is due at the latest.
    renew_at: Option<Timestamp>,
    /// Since when the next one is due, if the publisher has noticed that nobody signs it.
    late_since: Option<Timestamp>,
}

impl ListStanding<'_> {
    /// Since when a new one has been due for longer than it should, whether or not a publisher noticed.
    pub fn late(&self, now: Timestamp) -> Option<Timestamp> {
        let renewal = self.renew_at.filter(|at| now.since(*at) >= LATE);
        self.late_since.or(renewal)
    }
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
    /// The CAs that publish a list.
    listed: BTreeSet<String>,
    certificates: BTreeMap<String, Arc<Published>>,
    lists: RwLock<BTreeMap<String, Arc<Published>>>,
    late: RwLock<BTreeMap<String, Timestamp>>,
}

impl Shelf {
    /// A shelf with the certificates of these CAs, and no CRL yet.
    pub fn new<'a>(backends: impl IntoIterator<Item = (&'a BackendName, &'a Arc<dyn CaBackend>)>) -> Self {
        let mut shelf = Self::default();
        for (name, backend) in backends {
            if backend.revocation_list().is_some() {
                shelf.listed.insert(name.to_string());
            }
            if let Some(issuer) = backend.chain().issuers().first() {
                let published =
                    Published::new(issuer.der().to_vec(), issuer.not_before(), issuer.not_after());
                shelf.certificates.insert(name.to_string(), Arc::new(published));
            }
        }
        shelf
    }

    /// A shelf of one CA whose CRL is not there yet.
    #[cfg(test)]
    pub(crate) fn awaiting(ca: &str) -> Self {
        Self {
            listed: BTreeSet::from([ca.to_owned()]),
            ..Self::default()
        }
    }

    /// How the CRLs of the CAs stand that publish one.
    pub fn lists(&self) -> Vec<ListStanding<'_>> {
        let late = self.late.read().unwrap_or_else(PoisonError::into_inner);
        let standing = |ca| {
            let list = self.list(ca);
            ListStanding {
                ca,
                until: list.as_ref().map(|list| list.until),
                renew_at: list.map(|list| half_time(list.modified, list.until)),
                late_since: late.get(ca).copied(),
            }
        };
        self.listed.iter().map(|ca| standing(ca.as_str())).collect()
    }

    /// Notes since when the next CRL has been due for too long.
    pub(crate) fn note_late(&self, ca: &BackendName, since: Option<Timestamp>) {
        let mut late = self.late.write().unwrap_or_else(PoisonError::into_inner);
        match since {
            Some(since) => drop(late.insert(ca.to_string(), since)),
            None => drop(late.remove(ca.as_str())),
        }
    }

    /// Whether this CA publishes a CRL.
    pub(crate) fn is_listed(&self, ca: &str) -> bool {
        self.listed.contains(ca)
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
