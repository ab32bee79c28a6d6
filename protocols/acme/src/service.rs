//! What all operations share.

use std::collections::BTreeMap;
use std::sync::Arc;

use portreeve_pkix::{PublicKey, Timestamp};
use portreeve_ra::ports::{Clock, DocumentId, Documents, Random, Spawn, StoreError};
use portreeve_ra::{KeyRejection, RegistrationAuthority};

use crate::attempts::Attempts;
use crate::config::AcmeConfig;
use crate::document::{Document, Stored, document_id};
use crate::error::AcmeError;
use crate::names::NameCheck;
use crate::nonce::Nonces;
use crate::open_orders::OpenOrders;
use crate::site::Site;
use crate::validator::Validator;

/// Judges whether a key may be an account's.
pub type KeyCheck = dyn Fn(&PublicKey) -> Result<(), KeyRejection> + Send + Sync;

/// What all operations share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) ra: Arc<RegistrationAuthority>,
    pub(crate) documents: Arc<dyn Documents>,
    pub(crate) validator: Arc<dyn Validator>,
    pub(crate) key_check: Arc<KeyCheck>,
    pub(crate) names: Arc<dyn NameCheck>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) spawn: Arc<dyn Spawn>,
    pub(crate) config: AcmeConfig,
    pub(crate) nonces: Arc<Nonces>,
    pub(crate) attempts: Arc<Attempts>,
    pub(crate) open_orders: Arc<OpenOrders>,
    /// By the last part of the endpoint's name.
    pub(crate) sites: BTreeMap<String, Site>,
}

impl Service {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The directory a path belongs to, and the rest of the path.
    pub(crate) fn site<'a, 'b>(&'a self, path: &'b str) -> Option<(&'a Site, &'b str)> {
        let (name, rest) = path.strip_prefix("/acme/")?.split_once('/')?;
        Some((self.sites.get(name)?, rest))
    }

    /// One document.
    pub(crate) async fn document<T: Document>(&self, id: [u8; 16]) -> Result<Option<Stored<T>>, AcmeError> {
        let id = document_id::<T>(id);
        let document = match self.documents.document(&id).await {
            Ok(document) => document,
            Err(error) => return Err(self.unreadable(&[id], error).await),
        };
        document.as_ref().map(Stored::read).transpose()
    }

    /// Many documents in one read, in the order asked; those that are gone, since their time was over, are left out.
    pub(crate) async fn documents<T: Document>(
        &self,
        ids: impl Iterator<Item = [u8; 16]>,
    ) -> Result<Vec<Stored<T>>, AcmeError> {
        let ids: Vec<_> = ids.map(document_id::<T>).collect();
        let documents = match self.documents.documents(&ids).await {
            Ok(documents) => documents,
            Err(error) => return Err(self.unreadable(&ids, error).await),
        };
        documents.iter().flatten().map(Stored::read).collect()
    }

    /// What a failed read means. A document that does not open was tampered with, and an incident names it.
    async fn unreadable(&self, ids: &[DocumentId], error: StoreError) -> AcmeError {
        if matches!(error, StoreError::Broken(_)) {
            for id in ids {
                if matches!(self.documents.document(id).await, Err(StoreError::Broken(_))) {
                    return self.ra.tampered_document(id).await.into();
                }
            }
        }
        error.into()
    }
}
