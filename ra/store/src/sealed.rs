//! Document bodies at rest: sealed by the role whose they are, and bound to kind, id and version.

use std::sync::Arc;

use portreeve_ra::Purpose;
use portreeve_ra::ports::{DocumentId, DocumentWrite, Sealer, StoreError, StoredDocument};

/// Octets of a body, at most: 256 KiB.
pub(crate) const BODY_MAX: usize = 256 * 1024;

/// Octets of the value of a secondary key, at most.
pub(crate) const KEY_VALUE_MAX: usize = 128;

/// Seals and opens document bodies.
#[derive(Clone)]
pub(crate) struct Bodies {
    sealer: Arc<dyn Sealer>,
}

/// A document as stored.
pub(crate) struct SealedDocument {
    pub(crate) id: DocumentId,
    pub(crate) version: u64,
    pub(crate) sealed: Vec<u8>,
}

impl Bodies {
    pub(crate) fn new(sealer: Arc<dyn Sealer>) -> Self {
        Self { sealer }
    }

    /// The sealed body of a document to be written, after checking its limits; `None` for a deletion.
    pub(crate) fn seal(&self, write: &DocumentWrite) -> Result<Option<Vec<u8>>, StoreError> {
        let oversize = write.keys.iter().any(|key| key.value.len() > KEY_VALUE_MAX)
            || write.body.as_ref().is_some_and(|body| body.len() > BODY_MAX);
        if oversize {
            return Err(StoreError::Broken(format!(
                "{} document is too large",
                write.id.kind
            )));
        }
        let Some(body) = &write.body else {
            return Ok(None);
        };
        self.sealer
            .seal(purpose(&write.id), &associated(&write.id, write.version), body)
            .map(Some)
            .map_err(|error| StoreError::Broken(format!("{} document is not sealed: {error}", write.id.kind)))
    }

    /// The document with its body opened.
    pub(crate) fn open(&self, document: &SealedDocument) -> Result<StoredDocument, StoreError> {
        let SealedDocument { id, version, sealed } = document;
        let body = self
            .sealer
            .open(purpose(id), &associated(id, *version), sealed)
            .map_err(|_| {
                let id_text = uuid::Uuid::from_bytes(id.id);
                StoreError::Broken(format!("{} {id_text} does not open", id.kind))
            })?;
        Ok(StoredDocument {
            id: id.id,
            version: *version,
            body: body.expose().to_vec(),
        })
    }
}

/// Whose a document is: that of status nodes, consoles or workers, if its kind says so, else that of edges.
fn purpose(id: &DocumentId) -> Purpose {
    match id.kind.split_once('.') {
        Some(("status", _)) => Purpose::Status,
        Some(("console", _)) => Purpose::Console,
        Some(("ra", _)) => Purpose::Worker,
        _ => Purpose::Edge,
    }
}

/// `kind || id || version`; all but the kind have a fixed length, so no two documents share it.
fn associated(id: &DocumentId, version: u64) -> Vec<u8> {
    [id.kind.as_bytes(), &id.id, &version.to_be_bytes()].concat()
}
