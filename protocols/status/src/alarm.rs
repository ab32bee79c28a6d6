//! Telling people.

use async_trait::async_trait;
use portreeve_pkix::{SerialNumber, Timestamp};
use portreeve_ra::ports::DocumentId;
use portreeve_ra::{BackendName, Incident, IncidentKind, RegistrationAuthority, StreamId, StreamKind};

use crate::list::head_id;

/// Where incidents are raised.
#[async_trait]
pub trait Alarm: Send + Sync {
    /// Raises an incident; the same one again changes nothing.
    async fn raise(&self, incident: Incident);
}

#[async_trait]
impl Alarm for RegistrationAuthority {
    async fn raise(&self, incident: Incident) {
        Self::raise(self, incident).await;
    }
}

/// Who knows which certificates were taken off hold.
#[async_trait]
pub trait Releases: Send + Sync {
    /// When this certificate was released, if it is good since: as signed events say, not rows.
    async fn released(
        &self,
        ca: &BackendName,
        serial: &SerialNumber,
    ) -> Result<Option<Timestamp>, portreeve_ra::Error>;
}

#[async_trait]
impl Releases for RegistrationAuthority {
    async fn released(
        &self,
        ca: &BackendName,
        serial: &SerialNumber,
    ) -> Result<Option<Timestamp>, portreeve_ra::Error> {
        Self::released(self, ca, serial).await
    }
}

/// Somebody has removed the row of a revocation.
pub(crate) fn vanished(ca: &BackendName, serial: &SerialNumber) -> Incident {
    Incident {
        what: IncidentKind::RevocationVanished,
        subject: StreamId {
            kind: StreamKind::Document,
            id: head_id(ca).id,
        },
        detail: format!("the revocation of {serial} by {ca} was removed; it stays on the CRL"),
    }
}

/// A list is due and no node signs it. The same on every node that notices.
pub(crate) fn overdue(ca: &BackendName, number: Option<u64>) -> Incident {
    let which = number.map_or_else(
        || "the first CRL".to_owned(),
        |number| format!("the CRL after number {number}"),
    );
    Incident {
        what: IncidentKind::CrlOverdue,
        subject: StreamId {
            kind: StreamKind::Document,
            id: head_id(ca).id,
        },
        detail: format!("{which} of {ca} is due and nobody signs it: look at the log of the status nodes"),
    }
}

/// Somebody has written to a stored document.
pub(crate) fn tampered(document: &DocumentId, how: &str) -> Incident {
    Incident {
        what: IncidentKind::Tampered,
        subject: StreamId {
            kind: StreamKind::Document,
            id: document.id,
        },
        detail: format!("{} document {how}", document.kind),
    }
}
