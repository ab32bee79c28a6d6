//! Validations that are under way: started once per authorization, recorded with one commit.
//!
//! A validation runs on when its client has left. One that has a result within `challenge_wait` is recorded in that
//! one commit. A slower one is first marked as processing, so that after a restart somebody takes it up again.
//! Two nodes that validate the same authorization at once are told apart by the document's version: one records, the
//! other adopts what was recorded.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Shared, select};
use http::StatusCode;
use portreeve_ra::ports::{DocumentWrite, Spend};
use portreeve_ra::proofs::NewProof;
use portreeve_ra::{Account, Alongside, InternalError, Origin, Refusal};
use portreeve_wire::jose::Jwk;

use crate::authenticate::AccountRequest;
use crate::document::{Authorization, AuthorizationId, ChallengeState, Order, Progress, Standing, Stored};
use crate::error::AcmeError;
use crate::problem::{Failure, ProblemType, Subproblem};
use crate::render;
use crate::service::Service;
use crate::validator::{Attempt, ChallengeKind, Evidence, ValidationFailure};

/// A validation that was marked as processing this long ago, and is not running here, is taken up.
const TAKE_UP_AFTER: Duration = Duration::from_secs(10);

/// Validations of one node at once, at most.
const RUNNING_MAX: usize = 2048;

/// Ended validations that are remembered, at least.
const ENDED_MAX: usize = 1024;

/// How often a lost race is run again.
const RACES_MAX: u32 = 5;

/// How a validation stood when it was first recorded.
#[derive(Clone, Debug)]
pub(crate) enum Settled {
    /// So.
    At(Arc<Stored<Authorization>>),
    /// It could not be recorded; come back.
    Unavailable(Duration),
    /// The nonce of the request that started it was used before.
    NonceSpent,
    /// It could not be recorded, for this reason of ours.
    Broken(Arc<str>),
}

type First = Shared<BoxFuture<'static, Settled>>;
type Outcome = Result<Evidence, ValidationFailure>;

/// Whether a validation was begun by this caller.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    Started,
    Joined,
}

/// Validations that are under way on this node.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<UnderWay>);

/// What is running, and what has ended lately.
#[derive(Default)]
struct UnderWay {
    running: HashMap<AuthorizationId, First>,
    /// At most twice [`ENDED_MAX`]: whoever read an authorization before its validation ended finds it here.
    ended: [HashSet<AuthorizationId>; 2],
}

impl UnderWay {
    fn end(&mut self, id: AuthorizationId) {
        self.running.remove(&id);
        let [latest, earlier] = &mut self.ended;
        if latest.len() >= ENDED_MAX {
            *earlier = std::mem::take(latest);
        }
        latest.insert(id);
    }

    fn ended_lately(&self, id: &AuthorizationId) -> bool {
        self.ended.iter().any(|ended| ended.contains(id))
    }
}

impl Attempts {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a validation begins.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Cause {
    /// A client asked for it.
    Asked,
    /// A client asked for it, and one has ended since it was read, perhaps.
    AskedAgain,
    /// It was marked as processing, and nobody seems to work on it.
    CutOff,
}

/// One validation and what is to be committed with its result.
struct Trial {
    stored: Stored<Authorization>,
    kind: ChallengeKind,
    origin: Origin,
    spends: Vec<Spend>,
}

/// Begins a validation, or joins the one that runs. The future ends with the first thing that was recorded.
pub(crate) fn begin(
    service: &Arc<Service>,
    stored: &Stored<Authorization>,
    kind: ChallengeKind,
    (account, origin, spends): (&Account, Origin, Vec<Spend>),
) -> Result<(Role, First), AcmeError> {
    let trial = Trial {
        stored: stored.clone(),
        kind,
        origin,
        spends,
    };
    begin_trial(service, trial, account, Cause::Asked)
}

fn begin_trial(
    service: &Arc<Service>,
    trial: Trial,
    account: &Account,
    cause: Cause,
) -> Result<(Role, First), AcmeError> {
    let attempt = attempt(&trial.stored.value, trial.kind, account)?;
    let id = AuthorizationId::from_bytes(trial.stored.id);
    let mut under_way = service.attempts.under_way();
    if let Some(first) = under_way.running.get(&id) {
        return Ok((Role::Joined, first.clone()));
    }
    if under_way.running.len() >= RUNNING_MAX {
        let retry_after = service.config.retry_after.challenge;
        return Err(portreeve_ra::Error::Unavailable { retry_after }.into());
    }
    let cause = match cause {
        Cause::Asked if under_way.ended_lately(&id) => Cause::AskedAgain,
        other => other,
    };
    let first = run(Arc::clone(service), trial, attempt, cause).boxed().shared();
    under_way.running.insert(id, first.clone());
    drop(under_way);
    service.spawn.spawn(first.clone().map(drop).boxed());
    Ok((Role::Started, first))
}

/// Takes up a validation that was marked as processing and was cut off, by a restart for example.
pub(crate) fn take_up(service: &Arc<Service>, stored: &Stored<Authorization>, by: &AccountRequest) {
    if !stored.value.is_pending_at(service.now()) {
        return;
    }
    let Some(kind) = overdue(service, &stored.value) else {
        return;
    };
    let trial = Trial {
        stored: stored.clone(),
        kind,
        origin: by.request.origin.clone(),
        spends: Vec::new(),
    };
    if let Err(error) = begin_trial(service, trial, &by.account, Cause::CutOff) {
        tracing::debug!(%error, "a validation could not be taken up");
    }
}

/// The challenge of an authorization that was marked as processing too long ago.
fn overdue(service: &Service, value: &Authorization) -> Option<ChallengeKind> {
    let overdue = value.challenges.iter().find(|challenge| match challenge.state {
        ChallengeState::Processing { since } => service.now().since(since) >= TAKE_UP_AFTER,
        ChallengeState::Pending | ChallengeState::Valid { .. } | ChallengeState::Invalid { .. } => false,
    });
    overdue.map(|challenge| challenge.kind)
}

/// Whether a validation was begun so recently that it is surely still running somewhere.
pub(crate) fn is_running(service: &Service, state: &ChallengeState) -> bool {
    match state {
        ChallengeState::Processing { since } => service.now().since(*since) < TAKE_UP_AFTER,
        ChallengeState::Pending | ChallengeState::Valid { .. } | ChallengeState::Invalid { .. } => false,
    }
}

fn attempt(value: &Authorization, kind: ChallengeKind, account: &Account) -> Result<Attempt, AcmeError> {
    let token = value
        .challenge(kind)
        .map(render::token)
        .ok_or(AcmeError::NotFound)?;
    let thumbprint = URL_SAFE_NO_PAD.encode(Jwk::from_public_key(&account.key)?.thumbprint());
    let key_authorization = format!("{token}.{thumbprint}");
    Ok(Attempt {
        kind,
        name: value.name.base(),
        token,
        key_authorization,
    })
}

/// Forgets a validation when its last part has ended, however it ended.
struct Running(Arc<Service>, AuthorizationId);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.attempts.under_way().end(self.1);
    }
}

async fn run(service: Arc<Service>, trial: Trial, attempt: Attempt, cause: Cause) -> Settled {
    let running = Running(Arc::clone(&service), AuthorizationId::from_bytes(trial.stored.id));
    if cause != Cause::Asked
        && let Some(settled) = ended_meanwhile(&service, &trial, cause).await
    {
        return settled;
    }
    let validation = validate(Arc::clone(&service), attempt).boxed();
    let wait = service.clock.sleep(service.config.challenge_wait);
    match select(validation, wait).await {
        Either::Left((outcome, _)) => conclude(&service, trial, outcome).await,
        Either::Right(((), validation)) => {
            let (settled, trial) = mark(&service, trial).await;
            if let Some(trial) = trial {
                service.spawn.spawn(finish(running, trial, validation).boxed());
            }
            settled
        }
    }
}

/// What the authorization became between the read that found it to be validated and the place in [`Attempts`] for it.
///
/// Who holds that place reads what every earlier holder on this node has recorded.
async fn ended_meanwhile(service: &Service, trial: &Trial, cause: Cause) -> Option<Settled> {
    let is_due = |value: &Authorization| match cause {
        Cause::CutOff => overdue(service, value) == Some(trial.kind),
        Cause::Asked | Cause::AskedAgain => value.standing == Standing::Pending,
    };
    match service.document::<Authorization>(trial.stored.id).await {
        Ok(Some(stored)) if is_due(&stored.value) => None,
        Ok(Some(stored)) => Some(Settled::At(Arc::new(stored))),
        Ok(None) => Some(broken(AcmeError::Document("authorization"))),
        Err(AcmeError::Ra(error)) => Some(settled(error)),
        Err(error) => Some(broken(error)),
    }
}

/// The part of a validation that nobody waits for.
async fn finish(running: Running, trial: Trial, validation: BoxFuture<'static, Outcome>) {
    let outcome = validation.await;
    match conclude(&running.0, trial, outcome).await {
        Settled::At(_) => {}
        // It stays marked, and is taken up when the client asks again.
        Settled::Unavailable(_) | Settled::NonceSpent => {
            tracing::warn!("a validation could not be recorded yet")
        }
        Settled::Broken(reason) => tracing::error!(reason = &*reason, "a validation could not be recorded"),
    }
}

async fn validate(service: Arc<Service>, attempt: Attempt) -> Outcome {
    let deadline = service.clock.sleep(service.config.validation_time_max);
    match select(service.validator.validate(&attempt), deadline).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(_) => Err(ValidationFailure::Connection(
            "the validation took too long".into(),
        )),
    }
}

/// Records that a validation is under way. Gives the trial back when it is still to be finished.
async fn mark(service: &Service, mut trial: Trial) -> (Settled, Option<Trial>) {
    for _ in 0..RACES_MAX {
        let state = ChallengeState::Processing { since: service.now() };
        let marked = trial
            .stored
            .with(trial.stored.value.clone().with(trial.kind, state));
        let result = match marked.write(&service.config) {
            Ok(write) => {
                service
                    .ra
                    .keep(Alongside {
                        documents: vec![write],
                        spends: trial.spends.clone(),
                    })
                    .await
            }
            Err(error) => return (broken(error), None),
        };
        match written(service, result, marked).await {
            Written::Done(marked) => {
                trial.stored = marked.clone();
                trial.spends.clear();
                return (Settled::At(Arc::new(marked)), Some(trial));
            }
            Written::Again(stored) => trial.stored = stored,
            Written::Over(settled) => return (settled, None),
        }
    }
    (broken(AcmeError::Document("authorization")), None)
}

/// Records the result: a proof, or a failure that ends the order as well.
async fn conclude(service: &Service, mut trial: Trial, outcome: Outcome) -> Settled {
    report(&trial, &outcome);
    for _ in 0..RACES_MAX {
        let concluded = trial.stored.with(after(service, &trial, &outcome));
        let result = match &outcome {
            Ok(evidence) => prove(service, &trial, &concluded, evidence).await,
            Err(failure) => fail(service, &trial, &concluded, failure).await,
        };
        let result = match result {
            Ok(()) => Ok(()),
            Err(AcmeError::Ra(error)) => Err(error),
            Err(error) => return broken(error),
        };
        match written(service, result, concluded).await {
            Written::Done(concluded) => return Settled::At(Arc::new(concluded)),
            Written::Again(stored) => trial.stored = stored,
            Written::Over(settled) => return settled,
        }
    }
    broken(AcmeError::Document("authorization"))
}

/// The authorization as it is after this outcome.
fn after(service: &Service, trial: &Trial, outcome: &Outcome) -> Authorization {
    let (value, at) = (trial.stored.value.clone(), service.now());
    match outcome {
        Ok(_) => {
            let mut value = value.with(trial.kind, ChallengeState::Valid { at });
            value.standing = Standing::Valid;
            value.expires_at = at.saturating_add(service.config.authorization_lifetime);
            value
        }
        Err(failure) => {
            let state = ChallengeState::Invalid {
                at,
                failure: self::failure(failure),
            };
            let mut value = value.with(trial.kind, state);
            value.standing = Standing::Invalid;
            value
        }
    }
}

async fn prove(
    service: &Service,
    trial: &Trial,
    concluded: &Stored<Authorization>,
    evidence: &Evidence,
) -> Result<(), AcmeError> {
    let addresses: Vec<String> = evidence.addresses.iter().map(ToString::to_string).collect();
    let proof = NewProof {
        requester: concluded.value.requester(),
        identifier: concluded.value.identifier(),
        method: trial.kind.as_str().to_owned(),
        evidence: format!("{} {}", evidence.detail, addresses.join(" ")),
        until: concluded.value.expires_at,
        origin: trial.origin.clone(),
        alongside: Alongside {
            documents: vec![concluded.write(&service.config)?],
            spends: trial.spends.clone(),
        },
    };
    Ok(service.ra.proofs().record(proof).await?)
}

async fn fail(
    service: &Service,
    trial: &Trial,
    concluded: &Stored<Authorization>,
    failure: &ValidationFailure,
) -> Result<(), AcmeError> {
    let mut documents = vec![concluded.write(&service.config)?];
    documents.extend(failed_order(service, &concluded.value, failure).await?);
    Ok(service
        .ra
        .keep(Alongside {
            documents,
            spends: trial.spends.clone(),
        })
        .await?)
}

/// The order of a failed authorization, ended; `None` when it has ended already.
async fn failed_order(
    service: &Service,
    value: &Authorization,
    failure: &ValidationFailure,
) -> Result<Option<DocumentWrite>, AcmeError> {
    let Some(order) = service.document::<Order>(*value.order.as_bytes()).await? else {
        return Ok(None);
    };
    if order.value.progress != Progress::Open {
        return Ok(None);
    }
    let mut failure = self::failure(failure);
    failure.subproblems.push(Subproblem {
        kind: failure.kind,
        detail: failure.detail.clone(),
        identifier: ("dns".to_owned(), value.name.to_string()),
    });
    let failed = Order {
        progress: Progress::Failed(failure),
        ..order.value.clone()
    };
    order.with(failed).write(&service.config).map(Some)
}

fn failure(failure: &ValidationFailure) -> Failure {
    let (status, kind) = match failure {
        ValidationFailure::Dns(_) => (StatusCode::BAD_REQUEST, ProblemType::Dns),
        ValidationFailure::Connection(_) => (StatusCode::BAD_REQUEST, ProblemType::Connection),
        ValidationFailure::Unauthorized(_) => (StatusCode::FORBIDDEN, ProblemType::Unauthorized),
        ValidationFailure::Tls(_) => (StatusCode::BAD_REQUEST, ProblemType::Tls),
        ValidationFailure::Malformed(_) => (StatusCode::BAD_REQUEST, ProblemType::Malformed),
    };
    Failure::new(status, kind, failure.detail())
}

/// What became of a write.
enum Written {
    Done(Stored<Authorization>),
    /// Another writer was faster; this is what it left, and it is still open.
    Again(Stored<Authorization>),
    Over(Settled),
}

async fn written(
    service: &Service,
    result: Result<(), portreeve_ra::Error>,
    mut next: Stored<Authorization>,
) -> Written {
    match result {
        Ok(()) => {
            next.version = next.version.saturating_add(1);
            Written::Done(next)
        }
        Err(error) if is_contended(&error) => match service.document::<Authorization>(next.id).await {
            Ok(Some(stored)) if stored.value.standing == Standing::Pending => Written::Again(stored),
            Ok(Some(stored)) => Written::Over(Settled::At(Arc::new(stored))),
            Ok(None) => Written::Over(broken(AcmeError::Document("authorization"))),
            Err(AcmeError::Ra(error)) => Written::Over(settled(error)),
            Err(error) => Written::Over(broken(error)),
        },
        Err(error) => Written::Over(settled(error)),
    }
}

fn settled(error: portreeve_ra::Error) -> Settled {
    match error {
        portreeve_ra::Error::Unavailable { retry_after } => Settled::Unavailable(retry_after),
        portreeve_ra::Error::Refused(Refusal::AlreadySpent) => Settled::NonceSpent,
        other => broken(other.into()),
    }
}

fn broken(error: AcmeError) -> Settled {
    Settled::Broken(error.to_string().into())
}

/// Whether a commit failed only because somebody else wrote first.
pub(crate) const fn is_contended(error: &portreeve_ra::Error) -> bool {
    matches!(error, portreeve_ra::Error::Internal(InternalError::Contended(_)))
}

fn report(trial: &Trial, outcome: &Outcome) {
    let value = &trial.stored.value;
    let (endpoint, account, identifier, method) = (&value.endpoint, value.account, &value.name, trial.kind);
    match outcome {
        Ok(_) => tracing::info!(%endpoint, %account, %identifier, %method, "identifier proven"),
        Err(failure) => tracing::info!(%endpoint, %account, %identifier, %method,
            problem = failure.problem_type(), detail = failure.detail(), "identifier not proven"),
    }
}
