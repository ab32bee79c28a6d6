//! Reading incidents, and raising those that only an edge or a publisher can notice.

use portreeve_pkix::Timestamp;

use super::RegistrationAuthority;
use crate::domain::{Event, Incident, IncidentEvent, IncidentKind, StreamId, StreamKind};
use crate::error::{Error, InternalError};
use crate::ports::{Cursor, DocumentId, Page};
use crate::steps::verify::Told;

/// An incident, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IncidentStanding {
    /// The id of its stream.
    pub id: [u8; 16],
    /// What is wrong.
    pub incident: Incident,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When a person dealt with it.
    pub closed_at: Option<Timestamp>,
}

impl RegistrationAuthority {
    /// Incidents, in the order of their streams.
    pub async fn incidents(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<IncidentStanding>, Error> {
        let page = self
            .parts
            .store
            .streams(StreamKind::Incident, after, limit)
            .await?;
        let histories = self.ledger.histories(&page.items).await?;
        let items = histories
            .iter()
            .zip(&page.items)
            .filter_map(|(history, stream)| standing(*stream, history.value()))
            .collect();
        Ok(Page {
            items,
            next: page.next,
        })
    }

    /// Raises an incident, once: the same one again changes nothing. For what only its caller can notice. Never fails;
    /// what cannot be recorded is logged.
    pub async fn raise(&self, incident: Incident) {
        self.ledger.raise(incident).await;
    }

    /// Raises the incident of a document that does not open, once, and makes the error to end with. For edges, which
    /// read their documents themselves.
    pub async fn tampered_document(&self, document: &DocumentId) -> Error {
        let subject = StreamId {
            kind: StreamKind::Document,
            id: document.id,
        };
        let incident = Incident {
            what: IncidentKind::Tampered,
            subject,
            detail: format!("{} document does not open", document.kind),
        };
        self.ledger.raise(incident).await;
        Error::Internal(InternalError::Tampered {
            stream: subject,
            reason: "document does not open",
        })
    }
}

pub(super) fn standing(stream: StreamId, events: &[Told]) -> Option<IncidentStanding> {
    let mut found: Option<IncidentStanding> = None;
    for told in events {
        match (&told.event, &mut found) {
            (Event::Incident(IncidentEvent::Raised(incident)), None) => {
                found = Some(IncidentStanding {
                    id: stream.id,
                    incident: incident.clone(),
                    raised_at: told.at,
                    closed_at: None,
                });
            }
            (Event::Incident(IncidentEvent::Closed { .. }), Some(standing)) => {
                standing.closed_at = Some(told.at)
            }
            _ => {}
        }
    }
    found
}
