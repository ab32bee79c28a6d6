//! Certificates that clients show: which of our enrollments they came of, and all else that decides what they are worth.

use borsh::{BorshDeserialize, BorshSerialize};
use futures_util::future::join;
use portreeve_pkix::{Certificate, CertificationRequest};
use std::sync::Arc;

use super::RegistrationAuthority;
use super::begin::serial_key;
use super::outlook::Outlook;
use crate::domain::{
    Application, EndpointName, Enrollment, EnrollmentId, EnrollmentState, ObjectHistory, ObjectKind,
    ObjectVersion, Refusal, Renewal, Requester, Role, StreamId, StreamKind, TrustAnchorSet, TrustAnchorsName,
    key_report_stream,
};
use crate::error::{Error, InternalError};
use crate::ports::{DocumentId, DocumentWrite, Space};
use crate::steps::client::{self, Issued, LineageStanding, Presented};
use crate::steps::{Verified, verify};

/// The kind of the documents that list the renewals of one lineage. They are written in the commit of an intent, in the
/// version that follows the one that was read, so that of two renewals at once the second sees the first.
pub(super) const LINEAGE: &str = "ra.lineage";

/// Renewals of one lineage that are remembered, the newest.
const REMEMBERED_MAX: usize = 32;

/// Somebody who showed certificates.
#[derive(Debug)]
pub(super) struct Holder {
    /// As sent, its own first.
    pub(super) chain: Vec<Certificate>,
    /// The enrollment that its own one came of, when it is one of ours.
    issued: Option<Enrollment>,
    /// Whether the key of its own one is known to be compromised. Nobody can tell where the report does not verify, which does
    /// not matter of a certificate that nobody looks at.
    compromised: Option<bool>,
}

impl Holder {
    /// Who it is.
    pub(super) fn requester(&self) -> Requester {
        let own = self.chain.first().map_or([0; 32], Certificate::fingerprint);
        Requester::Certificate(own)
    }

    /// What is kept of its certificates.
    pub(super) fn ders(&self) -> Vec<Vec<u8>> {
        // Which of our own it is tells everything.
        let kept = if self.issued.is_some() {
            1
        } else {
            self.chain.len()
        };
        self.chain
            .iter()
            .take(kept)
            .map(|one| one.der().to_vec())
            .collect()
    }
}

/// What was renewed of one lineage.
#[derive(Clone, Default, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct Lineage {
    /// The newest whose certificate was used to renew.
    used: Option<EnrollmentId>,
    /// Renewals that were begun, the oldest first.
    begun: Vec<EnrollmentId>,
}

impl Lineage {
    fn renewed(mut self, renewal: Renewal, by: EnrollmentId) -> Self {
        self.used = self.used.max(Some(renewal.of));
        if !self.begun.contains(&by) {
            self.begun.push(by);
        }
        let surplus = self.begun.len().saturating_sub(REMEMBERED_MAX);
        self.begun.drain(..surplus);
        self
    }
}

impl RegistrationAuthority {
    /// Reads what a client sent, and finds out whether its certificate is one of ours, the very octets that were issued, and
    /// what is known of its key.
    pub(super) async fn holder(&self, ders: &[Vec<u8>], outlook: &Outlook) -> Result<Holder, Error> {
        let chain = client::read(ders, outlook.own.as_ref()).map_err(Refusal::from)?;
        let own = chain.first().ok_or(Refusal::CredentialMissing)?;
        let serial = serial_key(own.issuer_der(), own.serial().as_bytes());
        let key = own.public_key().fingerprint();
        let (stream, report) = join(
            self.ledger.reserved_in(&outlook.reading, (Space::Serial, serial)),
            self.ledger.history_in(&outlook.reading, key_report_stream(&key)),
        )
        .await;
        let stream = stream?;
        let compromised = match report {
            Ok(report) => Some(verify::is_compromised(&report, &key)),
            Err(Error::Internal(_)) => None,
            Err(error) => return Err(error),
        };
        let issued = match stream.filter(|stream| stream.kind == StreamKind::Enrollment) {
            Some(stream) => verify::enrollment(self.ledger.history(stream).await?),
            None => None,
        };
        let issued = issued
            .map(Verified::into_value)
            .filter(|it| it.certificate().is_some_and(|(der, _)| der == own.der()));
        Ok(Holder {
            chain,
            issued,
            compromised,
        })
    }

    /// All that decides whether a holder is believed.
    pub(super) async fn presented(
        &self,
        holder: &Holder,
        endpoints: &ObjectHistory,
        outlook: &Outlook,
    ) -> Result<Presented, Error> {
        let endpoint = self.read_endpoint(endpoints.current().or_else(|| endpoints.latest_released()))?;
        let own = holder.chain.first().ok_or(Refusal::CredentialMissing)?;
        let mut presented = Presented {
            chain: holder.chain.clone(),
            issued: None,
            trust: Vec::new(),
            ra_trust: Vec::new(),
            paths: Arc::clone(&self.paths),
            compromised: holder.compromised.ok_or_else(|| unverified(own))?,
            registration: None,
            secret: None,
        };
        if let Some(enrollment) = &holder.issued {
            let Some(application) = enrollment.application() else {
                return Err(Refusal::NotAuthorized.into());
            };
            if let Some(id) = application.registration {
                let known = self.registrations.registration(id).await?;
                presented.registration = known.map(|known| Arc::new(known.into_value()));
                presented.secret = application.secret;
            }
            presented.issued = Some(self.issued(enrollment, application).await?);
            return Ok(presented);
        }
        let clients = &endpoint.clients;
        let (trust, ra_trust) = join(
            self.anchors(&clients.trust, outlook),
            self.anchors(&clients.ra_trust, outlook),
        )
        .await;
        (presented.trust, presented.ra_trust) = (trust?, ra_trust?);
        if let Ok(Some(name)) = client::registration_name(own, endpoint.clients.registration) {
            let known = self.registrations.find(&name).await?;
            presented.registration = known.map(|known| Arc::new(known.into_value()));
        }
        Ok(presented)
    }

    async fn issued(&self, enrollment: &Enrollment, application: &Application) -> Result<Issued, Error> {
        let lineage = application
            .shown
            .renewal
            .map_or(enrollment.id, |renewal| renewal.lineage);
        // An edge that does not judge cannot read it, and need not: a worker will.
        let known = if self.parts.roles.has(Role::Worker) {
            self.lineage(lineage).await?.1
        } else {
            Lineage::default()
        };
        let received = application.shown.received.as_deref();
        Ok(Issued {
            enrollment: enrollment.clone(),
            request: CertificationRequest::from_der(received.unwrap_or(&application.request)).ok(),
            renewal: Renewal {
                of: enrollment.id,
                lineage,
            },
            lineage: LineageStanding {
                used: known.used,
                begun: self.newest_begun(&known, enrollment.id).await?,
            },
        })
    }

    /// The newest renewal of a lineage, begun after this certificate was, that led to a certificate or still may.
    async fn newest_begun(
        &self,
        lineage: &Lineage,
        after: EnrollmentId,
    ) -> Result<Option<EnrollmentId>, Error> {
        let newer: Vec<EnrollmentId> = lineage.begun.iter().copied().filter(|one| *one > after).collect();
        if newer.is_empty() {
            return Ok(None);
        }
        let streams: Vec<StreamId> = newer.iter().copied().map(StreamId::enrollment).collect();
        let histories = self.ledger.histories(&streams).await?;
        let counting = histories.into_iter().zip(newer).filter_map(|(history, id)| {
            let enrollment = verify::enrollment(history)?;
            takes_its_place(enrollment.value().state()).then_some(id)
        });
        Ok(counting.max())
    }

    /// Trust anchors that are in force. A set that is named and not there lets nobody in.
    async fn anchors(
        &self,
        names: &[TrustAnchorsName],
        outlook: &Outlook,
    ) -> Result<Vec<Arc<TrustAnchorSet>>, Error> {
        let streams: Vec<StreamId> = names
            .iter()
            .map(|name| ObjectVersion::stream(ObjectKind::TrustAnchors, name.as_str()))
            .collect();
        if streams.is_empty() {
            return Ok(Vec::new());
        }
        let histories = self.ledger.histories_in(&outlook.reading, &streams).await?;
        let mut sets = Vec::with_capacity(names.len());
        for history in histories {
            let objects = super::judge::object(Some(history));
            if let Some(object) = objects.current() {
                let set = self.parts.policy.trust_anchors(object);
                sets.push(set.map_err(|error| Error::Internal(super::judge::unreadable(error)))?);
            }
        }
        Ok(sets)
    }

    async fn lineage(&self, first: EnrollmentId) -> Result<(u64, Lineage), Error> {
        match self.parts.documents.document(&document(first)).await? {
            None => Ok((0, Lineage::default())),
            Some(found) => {
                let lineage = Lineage::try_from_slice(&found.body).map_err(|_| unreadable())?;
                Ok((found.version, lineage))
            }
        }
    }

    /// What is committed with the intent of a renewal: that the certificate it renews was used. Refused when another renewal
    /// has begun since this one was judged, and leaves it no right: of two at once, one is listed first.
    pub(super) async fn renewing(
        &self,
        (renewal, by): (Renewal, EnrollmentId),
        endpoint: &EndpointName,
    ) -> Result<DocumentWrite, Error> {
        let (version, lineage) = self.lineage(renewal.lineage).await?;
        self.still_renews((&lineage, renewal.of), endpoint).await?;
        let body = borsh::to_vec(&lineage.renewed(renewal, by)).map_err(|_| unreadable())?;
        Ok(DocumentWrite {
            id: document(renewal.lineage),
            version: version.saturating_add(1),
            body: Some(body),
            keys: Vec::new(),
            expires_at: None,
        })
    }

    /// Whether a certificate may be renewed by what its lineage says now. The endpoint matters only where a newer renewal has
    /// begun.
    async fn still_renews(
        &self,
        (lineage, of): (&Lineage, EnrollmentId),
        endpoint: &EndpointName,
    ) -> Result<(), Error> {
        if lineage.used.is_none_or(|used| used <= of) && lineage.begun.iter().all(|begun| *begun <= of) {
            return Ok(());
        }
        let endpoint = self.endpoint_in_any_state(endpoint).await?;
        let standing = LineageStanding {
            used: lineage.used,
            begun: self.newest_begun(lineage, of).await?,
        };
        client::is_newest(of, &endpoint.renewal, standing).map_err(Refusal::from)?;
        Ok(())
    }
}

/// Whether a renewal in this state stands in the way of others where only the newest certificate is renewed: it has a certificate,
/// or may still have one.
fn takes_its_place(state: Option<EnrollmentState>) -> bool {
    use EnrollmentState as S;
    match state {
        Some(
            S::Submitted
            | S::Received
            | S::AwaitingApproval
            | S::Approved
            | S::Issuing
            | S::InDoubt
            | S::Quarantined
            | S::Issued
            | S::Confirmed,
        ) => true,
        None | Some(S::Refused | S::Failed | S::Expired | S::Erased) => false,
    }
}

const fn document(first: EnrollmentId) -> DocumentId {
    DocumentId {
        kind: LINEAGE,
        id: *first.as_bytes(),
    }
}

fn unverified(own: &Certificate) -> InternalError {
    InternalError::Tampered {
        stream: key_report_stream(&own.public_key().fingerprint()),
        reason: "nobody can tell whether a key is compromised",
    }
}

fn unreadable() -> InternalError {
    InternalError::Store("the list of the renewals of a certificate cannot be read".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lineage_remembers_the_newest() {
        let id = |number: u8| EnrollmentId::from_bytes([number; 16]);
        let renewal = |of| Renewal {
            of: id(of),
            lineage: id(1),
        };
        let lineage = Lineage::default()
            .renewed(renewal(1), id(2))
            .renewed(renewal(2), id(3));
        assert_eq!(lineage.used, Some(id(2)));
        // A fork of an older one does not bring it back.
        let forked = lineage.renewed(renewal(1), id(4));
        assert_eq!((forked.used, forked.begun.len()), (Some(id(2)), 3));
        let many = (5..=100).fold(forked, |lineage, number| lineage.renewed(renewal(4), id(number)));
        assert_eq!(
            (many.begun.len(), many.begun.last()),
            (REMEMBERED_MAX, Some(&id(100)))
        );
    }
}
