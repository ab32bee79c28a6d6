//! The backend itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve_pkix::{Certificate, IssuerChain, Timestamp, sha256};
use portreeve_ra::ports::{
    CaBackend, CaError, CaHealth, Capabilities, Clock, IssueOutcome, ReconcileOutcome, RevocationPower,
    RevokeOrder, RevokeOutcome,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{BackendName, CertificateContents, EnrollmentId, Intent, IntentBody};
use portreeve_wire::est::body::{self, Style};

use crate::config::{BadEstCa, ChallengePassword, EstCaConfig, Repeats};
use crate::issuer::Issuers;
use crate::pause::Pause;
use crate::progress::{Progress, intent_request, repeats_of};
use crate::server::{Failure, Operation, Server};
use crate::standing::Standing;
use crate::submission;
use crate::verdict::{Asked, ca_certificates, verdict};

/// When to try again if a server could not be asked and does not say when.
const TRY_AGAIN: Duration = Duration::from_secs(30);
/// When to try again if an operator must do something first.
const OPERATOR_AGAIN: Duration = Duration::from_secs(300);
/// When an operator is asked, after the answer to a poll was lost that may have been the last.
const DOUBT_AFTER: Duration = Duration::from_secs(1);
/// A client certificate that ends within this time is reported.
const IDENTITY_WARNING: Duration = Duration::from_secs(14 * 24 * 3600);

/// A CA behind an EST server.
pub struct EstCa {
    name: BackendName,
    server: Server,
    issuers: Issuers,
    repeats: Repeats,
    challenge_password: ChallengePassword,
    /// When the client certificate ends, if there is one.
    identity_until: Option<Timestamp>,
    pause: Pause,
    standing: Standing,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for EstCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EstCa({}, {:?})", self.name, self.server)
    }
}

impl EstCa {
    /// From its settings; the server is not asked anything yet.
    pub fn new(config: EstCaConfig, clock: Arc<dyn Clock>) -> Result<Self, BadEstCa> {
        let own = config
            .identity
            .as_ref()
            .and_then(|identity| identity.chain.first());
        let own = own.map(|der| Certificate::from_der(der)).transpose();
        Ok(Self {
            identity_until: own.map_err(BadEstCa::Identity)?.map(|own| own.not_after()),
            server: Server::new(&config)?,
            issuers: Issuers::new(config.issuer, clock.now())?,
            name: config.name,
            repeats: config.repeats,
            challenge_password: config.challenge_password,
            pause: Pause::default(),
            standing: Standing::default(),
            clock,
        })
    }

    /// Asks the server for its CA certificates and compares them with the pinned issuer. With a digest for a pin this is
    /// how the issuers become known: until it has succeeded once, nothing is prepared.
    pub async fn meet(&self) -> Result<(), CaError> {
        let answer = self.server.ask(Operation::CaCertificates).await;
        let reply = answer.map_err(|failure| self.failed(failure))?;
        self.pause.answered();
        let named = ca_certificates(&reply).map_err(|reason| CaError::Unavailable {
            reason: format!("/cacerts: {reason}"),
            retry_after: reply.retry_after,
        })?;
        let compared = self.issuers.compare(&named, self.clock.now());
        compared.map_err(|error| CaError::NeedsOperator(error.to_string()))
    }

    /// An error of a request of which nothing was decided.
    fn failed(&self, failure: Failure) -> CaError {
        self.pause.failed(Instant::now());
        match failure {
            Failure::Untrusted(_) => CaError::NeedsOperator(failure.to_string()),
            Failure::Unreachable(reason) | Failure::Lost(reason) => CaError::Unavailable {
                reason,
                retry_after: None,
            },
        }
    }

    /// Forwards a request that was received, or asks what became of it.
    pub(crate) async fn forward(
        &self,
        received: &[u8],
        (contents, intent): (&CertificateContents, &Intent),
        progress: Progress,
    ) -> Result<IssueOutcome, CaError> {
        let request = submission::check(received, contents, self.challenge_password)
            .map_err(|error| CaError::Contents(error.to_string()))?;
        let once = match &intent.body {
            IntentBody::Upstream { request, .. } => repeats_of(request) == Repeats::MayIssueAgain,
            IntentBody::Tbs { .. } => {
                return Err(CaError::Contents("intent is not one of this CA".to_owned()));
            }
        };
        if once && progress == Progress::NotSent {
            return Ok(IssueOutcome::Checkpoint {
                handle: Progress::Sent.handle(),
            });
        }
        let asked = Asked {
            request: &request,
            contents,
            intent,
            admitted: progress == Progress::Pending || self.standing.taken(),
        };
        match self.post(&asked).await {
            // What was recorded as sent has to be recorded as not sent, or nobody would dare to send it again.
            Err(error) if once && progress == Progress::Sent => Ok(self.not_sent_after_all(error)),
            // The lost answer to a poll may have been the certificate: from then on it may issue again.
            Ok(IssueOutcome::Unknown) if once && progress == Progress::Pending => {
                Ok(IssueOutcome::Deferred {
                    handle: Progress::Sent.handle(),
                    retry_after: DOUBT_AFTER,
                })
            }
            outcome => outcome,
        }
    }

    async fn post(&self, asked: &Asked<'_>) -> Result<IssueOutcome, CaError> {
        if let Some(left) = self.pause.left(Instant::now()) {
            return Err(CaError::Unavailable {
                reason: "the EST server has not answered of late".to_owned(),
                retry_after: Some(left),
            });
        }
        let body = body::encode(asked.request.der(), Style::Unwrapped);
        let reply = match self.server.ask(Operation::Enroll(&body)).await {
            Ok(reply) => reply,
            Err(Failure::Lost(reason)) => {
                self.pause.failed(Instant::now());
                tracing::warn!(backend = %self.name, reason, "EST server was sent a request and gave no answer");
                return Ok(IssueOutcome::Unknown);
            }
            Err(failure) => return Err(self.failed(failure)),
        };
        let outcome = verdict(&reply, asked);
        match &outcome {
            Ok(IssueOutcome::Unknown) | Err(CaError::Unavailable { .. }) => self.pause.failed(Instant::now()),
            outcome => {
                self.pause.answered();
                self.standing.note(outcome, Instant::now());
            }
        }
        outcome
    }

    fn not_sent_after_all(&self, error: CaError) -> IssueOutcome {
        tracing::warn!(backend = %self.name, %error, "EST server could not be asked");
        let said = match &error {
            CaError::Unavailable { retry_after, .. } => *retry_after,
            // Seldom enough that a day of it is within the records that an enrollment may have.
            CaError::NeedsOperator(_) => Some(OPERATOR_AGAIN),
            CaError::Contents(_) | CaError::SecondContent => Some(TRY_AGAIN),
        };
        let pause = || self.pause.left(Instant::now());
        let retry_after = said.or_else(pause).unwrap_or(TRY_AGAIN);
        IssueOutcome::Deferred {
            handle: Progress::NotSent.handle(),
            retry_after,
        }
    }
}

#[async_trait]
impl CaBackend for EstCa {
    fn name(&self) -> &BackendName {
        &self.name
    }

    /// The request itself is the one received, which the order holds; EST has no idempotency key besides it. The key of
    /// the intent, of the enrollment and its public key, is for the records.
    fn prepare(
        &self,
        contents: &CertificateContents,
        enrollment: EnrollmentId,
        now: Timestamp,
    ) -> Result<Intent, CaError> {
        let chain = self.issuers.chain();
        let issuer = chain.issuers().first().ok_or_else(|| CaError::Unavailable {
            reason: "the issuers of the EST server are not known yet".to_owned(),
            retry_after: None,
        })?;
        let key = [
            enrollment.as_bytes().as_slice(),
            &contents.public_key.fingerprint(),
        ]
        .concat();
        Ok(Intent {
            backend: self.name.clone(),
            prepared_at: now,
            issuer: issuer.subject_der().to_vec(),
            body: IntentBody::Upstream {
                request: intent_request(self.repeats),
                key: sha256(&key).to_vec(),
            },
        })
    }

    async fn issue(&self, order: &IssuanceOrder, handle: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        let what = (order.contents(), order.intent());
        self.forward(order.request(), what, Progress::of(handle)).await
    }

    /// EST has nothing to ask but the request itself. `NotSeen` where giving it again is harmless: it was not sent; or the last
    /// answer that is known was 202, after which the server must recognise it (RFC 7030 section 4.2.3); or it is known to
    /// recognise requests that it has answered, and gives the same certificate again.
    async fn reconcile(&self, intent: &Intent, handle: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        let repeats = match &intent.body {
            IntentBody::Upstream { request, .. } => repeats_of(request),
            IntentBody::Tbs { .. } => return Ok(ReconcileOutcome::CannotTell),
        };
        Ok(match (Progress::of(handle), repeats) {
            (Progress::NotSent | Progress::Pending, _) | (Progress::Sent, Repeats::AreRecognised) => {
                ReconcileOutcome::NotSeen
            }
            (Progress::Sent, Repeats::MayIssueAgain) => ReconcileOutcome::CannotTell,
        })
    }

    async fn revoke(&self, _order: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        Err(CaError::NeedsOperator(
            "EST has no revocation: revoke at the CA by its own means".to_owned(),
        ))
    }

    fn chain(&self) -> Arc<IssuerChain> {
        self.issuers.chain()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            revocation: RevocationPower::Impossible,
            defers: true,
            lifetime_max: None,
        }
    }

    async fn health(&self) -> CaHealth {
        if let Err(error) = self.meet().await {
            return CaHealth::NotReady(error.to_string());
        }
        if let Some(refusal) = self.standing.refusal(Instant::now()) {
            return CaHealth::NotReady(format!(
                "answers, but refused a request ({refusal}): look at what this node signs in with, and at what it may \
                 ask for there"
            ));
        }
        let soon = self.clock.now().saturating_add(IDENTITY_WARNING);
        match self.identity_until.filter(|until| *until < soon) {
            Some(until) => CaHealth::NotReady(format!(
                "answers, but the client certificate ends {until}: renew it"
            )),
            None => CaHealth::Ready,
        }
    }
}
