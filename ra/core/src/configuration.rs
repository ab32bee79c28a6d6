//! The life of profiles, endpoints, approval policies and trust anchors: drafted, in force, confirmed, retired.
//!
//! Every change is optimistic: it says what must be in force before, and of several at once each is made on what the ones
//! before left. What a text gives away is examined when it is drafted and again when it comes in force, beside what is in
//! force then.

mod error;
mod proposing;
mod reach;

pub(crate) use proposing::whose;
pub(crate) use reach::About;

use crate::access::{Acting, Forbidden};
use crate::accounts::{commit_error, may_race};
use crate::authority::RegistrationAuthority;
use crate::domain::{
    Event, ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, ProposalId, Record, Remark, Revision, Right,
};
use crate::error::Error;
use crate::objects::checked;
use crate::operators::Condition;
use crate::ports::{Batch, CommitError, Conflict};
use crate::steps::Verified;

pub use error::ConfigurationError;

/// Kinds of objects that are changed here, in an order in which each comes after those it names.
pub const KINDS: [ObjectKind; 4] = [
    ObjectKind::TrustAnchors,
    ObjectKind::ApprovalPolicy,
    ObjectKind::Profile,
    ObjectKind::Endpoint,
];

/// The approval policy by which changes of configuration are approved that give somebody more.
pub const GUARD: &str = "configuration";

/// Drafts of one object that are newer than what is in force, at most: whoever reads the object reads them too.
pub const DRAFTS_MAX: usize = 32;

/// What is to become of an object.
#[derive(Clone, Debug)]
pub enum Step {
    /// This text becomes a version that is not in force.
    Draft(String),
    /// This text becomes a version that is in force.
    Publish(String),
    /// The draft with this number is in force.
    Release(u32),
    /// It is no longer in force.
    Retire,
}

/// A change of an object.
#[derive(Clone, Debug)]
pub struct ObjectChange {
    /// What kind; one of [`KINDS`].
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// What is to become of it.
    pub step: Step,
    /// What must be in force before.
    pub condition: Condition,
}

/// What became of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// This is in force, or drafted, already.
    Unchanged(ObjectVersion),
    /// This exists, and is not in force.
    Drafted(ObjectVersion),
    /// This is in force.
    InForce(ObjectVersion),
    /// This exists, and is in force once people have agreed.
    Proposed(ObjectVersion, ProposalId),
    /// Nothing is in force.
    Retired,
}

/// What became of an object, and what was said about its text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// What became of it.
    pub outcome: Outcome,
    /// What whoever changed it should know.
    pub remarks: Vec<Remark>,
}

/// A change that was looked at: what to commit, in order, and what that comes to.
pub(crate) struct Plan {
    pub(crate) events: Vec<ObjectEvent>,
    /// The first record of a proposal.
    pub(crate) opened: Option<Record>,
    pub(crate) changed: Changed,
}

impl Plan {
    pub(crate) fn of(event: ObjectEvent, outcome: Outcome, remarks: Vec<Remark>) -> Self {
        Self {
            events: vec![event],
            opened: None,
            changed: Changed { outcome, remarks },
        }
    }

    pub(crate) const fn nothing(version: ObjectVersion) -> Self {
        Self {
            events: Vec::new(),
            opened: None,
            changed: Changed {
                outcome: Outcome::Unchanged(version),
                remarks: Vec::new(),
            },
        }
    }
}

impl RegistrationAuthority {
    /// Drafts, publishes, releases or retires an object. Needs the right `configuration.write` on every CA and profile that
    /// the old and the new text are about. Where the approval policy [`GUARD`] is in force, what gives somebody more is
    /// proposed instead, and comes in force with the last approval. A text that cannot be read, names what is not there, or gives away too much
    /// without a reason, never comes in force.
    pub async fn change_object(
        &self,
        by: &Acting,
        change: &ObjectChange,
    ) -> Result<Changed, ConfigurationError> {
        if !KINDS.contains(&change.kind) {
            return Err(ConfigurationError::Kind(change.kind));
        }
        let mut turn = 0;
        loop {
            let history = self.objects().load(change.kind, &change.name).await?;
            let plan = self.plan(by, change, history.value()).await?;
            if plan.events.is_empty() {
                return Ok(plan.changed);
            }
            let record = self.object_record(&history, plan.events, by)?;
            let batch = Batch {
                records: std::iter::once(record).chain(plan.opened).collect(),
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => {
                    tracing::info!(kind = change.kind.as_str(), name = change.name, principal = %by.principal(),
                                   outcome = ?plan.changed.outcome.word(), "configuration changed");
                    return Ok(plan.changed);
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => {
                    let stream = ObjectVersion::stream(change.kind, &change.name);
                    return Err(commit_error(error, stream).into());
                }
            }
        }
    }

    /// What a change would come to now, with the same refusals. Nothing is changed.
    pub async fn preview_object(
        &self,
        by: &Acting,
        change: &ObjectChange,
    ) -> Result<Changed, ConfigurationError> {
        if !KINDS.contains(&change.kind) {
            return Err(ConfigurationError::Kind(change.kind));
        }
        let history = self.objects().load(change.kind, &change.name).await?;
        Ok(self.plan(by, change, history.value()).await?.changed)
    }

    async fn plan(
        &self,
        by: &Acting,
        change: &ObjectChange,
        history: &ObjectHistory,
    ) -> Result<Plan, ConfigurationError> {
        let current = history.current();
        match &change.step {
            Step::Draft(text) => {
                let version = self.written(by, (change, text), history).await?;
                met(change.condition, current)?;
                self.plan_draft(version, history).await
            }
            Step::Publish(text) => {
                let version = self.written(by, (change, text), history).await?;
                met(change.condition, current)?;
                if let Some(current) = current.filter(|current| current.body == version.body) {
                    return Ok(Plan::nothing(current.clone()));
                }
                let remarks = self.acceptable(&version).await?;
                if let Some(policy) = self.guard(by.principal(), (history, &version, false)).await? {
                    let asked = (history, policy.as_ref(), remarks);
                    return self.plan_proposal(by, version, asked).await;
                }
                self.fulfillable_by_others(by.principal(), (history, &version))
                    .await?;
                let event = ObjectEvent::Published(version.clone());
                Ok(Plan::of(event, Outcome::InForce(version), remarks))
            }
            Step::Release(number) => {
                let revision = history
                    .revision(*number)
                    .ok_or(ConfigurationError::NoVersion(*number))?;
                self.may_write(by, [Some(&revision.object), current]).await?;
                met(change.condition, current)?;
                let version = releasable(revision, history)?;
                let remarks = self.acceptable(&version).await?;
                if let Some(policy) = self.guard(by.principal(), (history, &version, false)).await? {
                    let asked = (history, policy.as_ref(), remarks);
                    return self.plan_proposal(by, version, asked).await;
                }
                self.fulfillable_by_others(by.principal(), (history, &version))
                    .await?;
                let event = ObjectEvent::Released {
                    version: *number,
                    approved_by: Vec::new(),
                };
                Ok(Plan::of(event, Outcome::InForce(version), remarks))
            }
            Step::Retire => {
                let current = current.ok_or(ConfigurationError::Unknown)?;
                self.may_write(by, [Some(current), None]).await?;
                met(change.condition, Some(current))?;
                self.dispensable(current).await?;
                Ok(Plan::of(ObjectEvent::Retired, Outcome::Retired, Vec::new()))
            }
        }
    }

    /// The next version, with this text, of an author who may write it.
    async fn written(
        &self,
        by: &Acting,
        (change, text): (&ObjectChange, &str),
        history: &ObjectHistory,
    ) -> Result<ObjectVersion, ConfigurationError> {
        let unreadable = |error: Error| ConfigurationError::Unreadable(error.to_string());
        let version = ObjectVersion {
            kind: change.kind,
            name: change.name.clone(),
            version: history.next_version(),
            body: checked(&change.name, text.to_owned()).map_err(unreadable)?,
        };
        self.may_write(by, [Some(&version), history.current()]).await?;
        Ok(version)
    }

    async fn plan_draft(
        &self,
        version: ObjectVersion,
        history: &ObjectHistory,
    ) -> Result<Plan, ConfigurationError> {
        if let Some(same) = history.drafts().find(|draft| draft.object.body == version.body) {
            return Ok(Plan::nothing(same.object.clone()));
        }
        few_drafts(history)?;
        let remarks = self.remarks_on(&version).await?;
        let event = ObjectEvent::Drafted(version.clone());
        Ok(Plan::of(event, Outcome::Drafted(version), remarks))
    }

    /// What is to be said about a text, beside what is in force.
    pub async fn remarks_on(&self, version: &ObjectVersion) -> Result<Vec<Remark>, ConfigurationError> {
        let beside = self.beside(version).await?;
        let said = self.policy().examine(version, &beside, self.now());
        said.map_err(|error| ConfigurationError::Unreadable(error.reason))
    }

    /// The same for a text that is to be in force: nothing that was said may block it.
    pub(crate) async fn acceptable(
        &self,
        version: &ObjectVersion,
    ) -> Result<Vec<Remark>, ConfigurationError> {
        let remarks = self.remarks_on(version).await?;
        if let Some(why) = self.unfulfillable(version, &[]).await? {
            return Err(ConfigurationError::Unfulfillable(why));
        }
        match remarks.iter().any(|remark| remark.blocks) {
            true => Err(ConfigurationError::Blocked(remarks)),
            false => Ok(remarks),
        }
    }

    pub(crate) fn object_record(
        &self,
        history: &Verified<ObjectHistory>,
        events: Vec<ObjectEvent>,
        by: &Acting,
    ) -> Result<Record, Error> {
        let events: Vec<Event> = events.into_iter().map(Event::Object).collect();
        self.ledger
            .record(history.next(), by.publisher().saying(), &events)
    }

    /// Agrees to the version in force and to all it came from: those who wrote them no longer count as requesters of what
    /// is issued through it. Needs the right `configuration.approve`, on everything where it is about what people may do, and
    /// to be none of them, nor the operator whom it is about. Doing so again changes nothing.
    pub async fn confirm_object(
        &self,
        by: &Acting,
        (kind, name): (ObjectKind, &str),
        number: u32,
    ) -> Result<ObjectVersion, ConfigurationError> {
        let mut turn = 0;
        loop {
            let history = self.objects().load(kind, name).await?;
            let current = history.value().current().ok_or(ConfigurationError::Unknown)?;
            self.may(by, Right::ConfigurationApprove, [Some(current), None])
                .await?;
            if kind.is_of_people() && !by.standing.may_everywhere(Right::ConfigurationApprove) {
                let (who, right) = ((by.principal(), &by.origin), Right::ConfigurationApprove);
                self.refused(who, right, "what people may do").await;
                return Err(Forbidden(right).into());
            }
            if current.version != number {
                return Err(ConfigurationError::Condition);
            }
            let authors = history.value().unconfirmed_authors(number);
            if authors.is_empty() {
                return Ok(current.clone());
            }
            let concerned = whose(kind, name).is_some_and(|whose| whose == *by.principal());
            if concerned || authors.contains(&by.principal()) {
                self.refused(
                    (by.principal(), &by.origin),
                    Right::ConfigurationApprove,
                    "their own work",
                )
                .await;
                return Err(ConfigurationError::OwnWork);
            }
            let event = ObjectEvent::Confirmed {
                version: number,
                by: by.principal().clone(),
            };
            let batch = Batch {
                records: vec![self.object_record(&history, vec![event], by)?],
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => return Ok(current.clone()),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, ObjectVersion::stream(kind, name)).into()),
            }
        }
    }
}

impl Outcome {
    /// The word for people and programs.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Unchanged(_) => "unchanged",
            Self::Drafted(_) => "drafted",
            Self::InForce(_) => "published",
            Self::Proposed(..) => "proposed",
            Self::Retired => "retired",
        }
    }
}

pub(crate) fn met(condition: Condition, current: Option<&ObjectVersion>) -> Result<(), ConfigurationError> {
    let met = match condition {
        Condition::Any => true,
        Condition::Absent => current.is_none(),
        Condition::Version(number) => current.is_some_and(|current| current.version == number),
    };
    match met {
        true => Ok(()),
        false => Err(ConfigurationError::Condition),
    }
}

fn few_drafts(history: &ObjectHistory) -> Result<(), ConfigurationError> {
    match history.drafts().count() < DRAFTS_MAX {
        true => Ok(()),
        false => Err(ConfigurationError::TooManyDrafts),
    }
}

/// A draft comes in force when nothing newer did meanwhile: who looks at it looks at what it changes.
fn releasable(revision: &Revision, history: &ObjectHistory) -> Result<ObjectVersion, ConfigurationError> {
    let number = revision.object.version;
    if revision.released.is_some() {
        return Err(ConfigurationError::NotADraft(number));
    }
    match history.latest_released() {
        Some(newer) if newer.version > number => Err(ConfigurationError::Overtaken {
            draft: number,
            by: newer.version,
        }),
        _ => Ok(revision.object.clone()),
    }
}
