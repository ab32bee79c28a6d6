//! The first durable step of an enrollment: with an intent, or with a proposal.

use portreeve_pkix::{Timestamp, sha256};
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::enroll::{Filing, is_race};
use super::grants::Pass;
use super::holdings::was_counted_meanwhile;
use super::judge::{Judged, lines};
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Application, ApprovalPolicy, CertificateContents, Claim, Command, Enrollment, EnrollmentEvent,
    EnrollmentId, Event, Finding, GrantSubject, GrantTerms, Incident, IncidentKind, Intent, Operation,
    ProposalEvent, ProposalId, ProposalSubject, Record, Refusal, StreamId, TaskId,
};
use crate::error::{Error, InternalError};
use crate::ledger::{Saying, first};
use crate::ports::{
    ApprovalNews, Batch, CaBackend, CaError, CommitError, Conflict, NewTask, Reservation, Space, StoreError,
    TaskKind, TaskLease,
};
use crate::steps::{Verified, verify};

/// How long a node may hold an enrollment before another takes it over. Longer than `drive::TURN` and two answers of a
/// backend, each of which is waited for 40 s at most.
pub(super) const LEASE: Duration = Duration::from_secs(120);

/// A claim that does not end by itself: one whose enrollment has not ended, or has ended in doubt.
pub(super) const NEVER: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

/// When a serial number is drawn again.
const DRAW_AGAIN: Duration = Duration::from_secs(1);

/// A proposal to be opened.
pub(super) struct Opening {
    pub(super) proposal: ProposalId,
    pub(super) until: Timestamp,
    pub(super) record: Record,
}

impl RegistrationAuthority {
    pub(super) fn application(
        &self,
        filing: &Filing,
        (judged, operation): (&Judged, Operation),
        contents: CertificateContents,
        findings: &[Finding],
    ) -> Arc<Application> {
        let behalf = judged.admitted.behalf();
        Arc::new(Application {
            endpoint: filing.endpoint.clone(),
            endpoint_version: judged.endpoint.version,
            operation,
            requester: judged.admitted.requester().clone(),
            claim: filing.key,
            request: judged.request.request().der().to_vec(),
            profile: judged.profile.0.clone(),
            profile_version: judged.profile.1,
            backend: judged.endpoint.backend.clone(),
            contents,
            findings: lines(findings),
            registration: behalf.map(|behalf| behalf.registration.id),
            secret: behalf.and_then(|behalf| behalf.secret),
            shown: judged.shown.clone(),
        })
    }

    /// Commits Received, Approved and Issuing with the intent, the claim, and a task leased to this node.
    /// What passes by a grant spends it in the same commit. `None` when somebody filed the same claim, or spent the grant,
    /// first.
    pub(super) async fn file_intent(
        self: &Arc<Self>,
        filing: &Filing,
        (application, pass): (Arc<Application>, Option<Pass>),
        alongside: Batch,
    ) -> Result<Option<(Verified<Enrollment>, TaskLease)>, Error> {
        let id = EnrollmentId::new(self.now(), self.parts.random.as_ref());
        let stream = StreamId::enrollment(id);
        let intent = self.prepare(id, &application)?;
        let (approve, why) = match &pass {
            Some(pass) => (Command::PassBy(pass.proposal), "granted beforehand"),
            None => (Command::Approve(None), "policy permits"),
        };
        let spent = pass.map(|pass| self.spend(&pass, id)).transpose()?;
        let task = self.task(stream, Duration::ZERO, Some(LEASE));
        let lease = TaskLease {
            id: task.id,
            kind: task.kind,
            subject: stream,
            attempts: 1,
            fence: 1,
        };
        let mut turn = 0;
        loop {
            let room = self.room_for(&application, id).await?;
            let commands = [
                Command::Receive(application.clone()),
                approve.clone(),
                Command::Begin(intent.clone()),
            ];
            let commands = commands.into_iter().chain(room.command());
            let (enrollment, events) = run(Enrollment::new(id), commands, self.now())?;
            let record = self.ledger.record(first(stream), filing.saying(why), &events)?;
            let verified = verify::enrollment(self.ledger.verified(stream, std::slice::from_ref(&record))?);
            let verified = verified.ok_or(InternalError::Tampered {
                stream,
                reason: "stream tells of no enrollment",
            })?;
            let used = self.use_for(filing, id)?;
            let batch = Batch {
                records: std::iter::once(record)
                    .chain(spent.clone())
                    .chain(used.records)
                    .collect(),
                tasks: vec![task.clone()],
                claims: vec![claim(filing, id)],
                gives_way: filing.led_to,
                reservations: serial_reservation(&enrollment)
                    .into_iter()
                    .chain(used.reservations)
                    .collect(),
                projections: self.first_row(&enrollment).await?,
                documents: alongside
                    .documents
                    .iter()
                    .cloned()
                    .chain(room.documents)
                    .collect(),
                ..alongside.clone()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => return Ok(Some((verified, lease))),
                Err(error) if was_counted_meanwhile(&error) && may_race(turn) => turn += 1,
                Err(error) if is_race(&error) => return Ok(None),
                Err(error) => {
                    if matches!(error, CommitError::Store(StoreError::Unavailable { .. })) {
                        self.perhaps_created(lease);
                    }
                    return Err(self.not_begun(error, &enrollment).await);
                }
            }
        }
    }

    /// What a failed commit of an intent means. After a serial number that is in use nothing was signed, and the next
    /// attempt draws another; but it should not have come up.
    pub(super) async fn not_begun(&self, error: CommitError, after: &Enrollment) -> Error {
        let stream = StreamId::enrollment(after.id);
        let taken = match serial_of(after) {
            Some(key) if matches!(error, CommitError::Conflict(Conflict::Reservation(Space::Serial))) => key,
            _ => return commit_error(error, stream),
        };
        let owner = self.parts.store.reserved(Space::Serial, &taken).await;
        let incident = Incident {
            what: IncidentKind::SerialTaken,
            subject: owner.ok().flatten().unwrap_or(stream),
            detail: "its serial number was drawn again".to_owned(),
        };
        self.ledger.raise(incident).await;
        Error::Unavailable {
            retry_after: DRAW_AGAIN,
        }
    }

    /// Commits Received and Referred with the proposal, the claim, and a task for the day it expires. `None` when
    /// somebody filed the same claim first.
    pub(super) async fn file_referral(
        &self,
        filing: &Filing,
        application: Arc<Application>,
        (approval, alongside): (&ApprovalPolicy, Batch),
    ) -> Result<Option<Enrollment>, Error> {
        let id = EnrollmentId::new(self.now(), self.parts.random.as_ref());
        let stream = StreamId::enrollment(id);
        let saying = filing.saying("policy refers to people");
        let opening = self.opening(id, &application, approval, saying.clone())?;
        let commands = [Command::Receive(application), Command::Refer(opening.proposal)];
        let (enrollment, events) = run(Enrollment::new(id), commands, self.now())?;
        let record = self.ledger.record(first(stream), saying, &events)?;
        let used = self.use_for(filing, id)?;
        let batch = Batch {
            records: [record, opening.record].into_iter().chain(used.records).collect(),
            reservations: used.reservations,
            tasks: vec![self.task(stream, opening.until.since(self.now()), None)],
            claims: vec![claim(filing, id)],
            gives_way: filing.led_to,
            projections: self.first_row(&enrollment).await?,
            ..alongside
        };
        match self.parts.store.commit(batch).await {
            Ok(()) => {
                self.announce(opening.proposal, id, ApprovalNews::Opened);
                Ok(Some(enrollment))
            }
            Err(error) if is_race(&error) => Ok(None),
            Err(error) => Err(commit_error(error, stream)),
        }
    }

    /// What opens a proposal on these contents.
    pub(super) fn opening(
        &self,
        enrollment: EnrollmentId,
        application: &Application,
        approval: &ApprovalPolicy,
        saying: Saying,
    ) -> Result<Opening, Error> {
        let proposal = ProposalId::new(self.now(), self.parts.random.as_ref());
        let until = self.now().saturating_add(approval.age_max);
        let opened = Event::Proposal(ProposalEvent::Opened {
            subject: ProposalSubject::Enrollment(enrollment),
            digest: application.digest(),
            terms: approval.terms.clone(),
            until,
            grantable: GrantSubject::of(application, &approval.terms),
            // The key of this request is gone by then.
            granted_anyway: (application.operation == Operation::GenerateKey).then_some(GrantTerms::AGAIN),
        });
        let record = self
            .ledger
            .record(first(StreamId::proposal(proposal)), saying, &[opened])?;
        Ok(Opening {
            proposal,
            until,
            record,
        })
    }

    /// Lets the backend say what it will sign or send.
    pub(super) fn prepare(&self, id: EnrollmentId, application: &Application) -> Result<Intent, Error> {
        let backend: &dyn CaBackend = self.backend_of(&application.backend)?.as_ref();
        backend
            .prepare(&application.contents, id, self.now())
            .map_err(|error| match error {
                CaError::Unavailable { retry_after, .. } => Error::Unavailable {
                    retry_after: retry_after.unwrap_or(Duration::from_secs(5)),
                },
                CaError::Contents(reason) => {
                    tracing::warn!(enrollment.id = %id, reason, "contents cannot be certified");
                    Error::Refused(Refusal::CaRejected)
                }
                error => Error::Internal(error.into()),
            })
    }

    pub(super) fn task(&self, subject: StreamId, wait: Duration, lease: Option<Duration>) -> NewTask {
        NewTask {
            id: TaskId::new(self.now(), self.parts.random.as_ref()),
            kind: TaskKind::Enrollment,
            subject,
            wait,
            lease: lease.map(|term| (self.parts.node, term)),
        }
    }
}

/// Runs commands one after the other; the events to record, and where they lead.
pub(super) fn run(
    mut enrollment: Enrollment,
    commands: impl IntoIterator<Item = Command>,
    now: Timestamp,
) -> Result<(Enrollment, Vec<Event>), Error> {
    let mut events = Vec::new();
    for command in commands {
        let event: EnrollmentEvent = enrollment.decide(command)?;
        enrollment.apply(&event, now);
        events.push(Event::Enrollment(event));
    }
    Ok((enrollment, events))
}

/// The unique key of issuer and serial number.
pub(super) fn serial_key(issuer: &[u8], serial: &[u8]) -> [u8; 32] {
    let mut input = sha256(issuer).to_vec();
    input.extend_from_slice(serial);
    sha256(&input)
}

/// The unique key of the serial number that an enrollment will have, when that is known before the signature.
pub(super) fn serial_of(enrollment: &Enrollment) -> Option<[u8; 32]> {
    let intent = enrollment.intent()?;
    Some(serial_key(&intent.issuer, intent.serial()?.as_bytes()))
}

/// Keeps the serial number of an intent unique.
pub(super) fn serial_reservation(enrollment: &Enrollment) -> Option<Reservation> {
    let stream = StreamId::enrollment(enrollment.id);
    serial_of(enrollment).map(|key| Reservation::Take {
        space: Space::Serial,
        key,
        stream,
    })
}

/// A claim that lasts until its enrollment ends; then its end is set to what follows from that.
pub(super) fn claim(filing: &Filing, enrollment: EnrollmentId) -> Claim {
    Claim {
        key: filing.key,
        requester: filing.requester.clone(),
        digest: filing.digest,
        enrollment,
        until: NEVER,
    }
}
