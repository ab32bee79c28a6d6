//! Operators, roles and teams: what a principal may do now, and changing it.

mod superadmins;

use std::sync::Arc;

use crate::access::{Acting, Forbidden, Target};
use crate::accounts::{commit_error, may_race};
use crate::authority::RegistrationAuthority;
use crate::configuration::{ConfigurationError, DRAFTS_MAX, GUARD, Outcome, Plan, met};
use crate::domain::{
    ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, Operator, OperatorName, OperatorRole, Principal,
    Record, Right, RoleName, Standing,
};
use crate::error::{Error, InternalError};
use crate::objects::checked;
use crate::ports::{Batch, CommitError, Conflict, PolicyError};
use crate::steps::Verified;

/// How operators sign in from outside.
#[derive(Copy, Clone, Default, PartialEq, Eq, Debug)]
pub enum Ways {
    /// Certificates, passwords and tokens.
    #[default]
    All,
    /// Certificates, and tokens beside the certificate of their owner.
    CertificatesOnly,
}

/// A change of a role, a team or an operator.
#[derive(Clone, Debug)]
pub struct PeopleChange {
    /// What kind of object: a role, a team or an operator.
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// The text to be in force; `None` takes it out of force.
    pub text: Option<String>,
    /// What must be in force before.
    pub condition: Condition,
}

/// What must be in force for a change to be made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// Anything.
    Any,
    /// Nothing.
    Absent,
    /// This version.
    Version(u32),
}

/// Whether people are asked before somebody gets more.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Guarding {
    /// Where a policy guards configuration.
    AsPolicySays,
    /// They were asked already, for what this is done with.
    Done,
}

/// Why a change of operators was not made.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The principal lacks a right.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// It is about a superadmin, and the principal is none.
    #[error("only a superadmin may change, make or sign in for a superadmin")]
    SuperadminOnly,
    /// Nobody would be left who has every right and can sign in.
    #[error("this is the last superadmin who can sign in: make another one first")]
    LastSuperadmin,
    /// One would be left, so that the host could be the second person: others must agree to that.
    #[error(
        "one superadmin who can sign in would be left: have this one disabled, which others agree to, then remove it"
    )]
    DisableFirst,
    /// Something else is in force than was expected.
    #[error("another version is in force than the one you looked at")]
    Condition,
    /// There is no such object.
    #[error("there is none with this name")]
    Unknown,
    /// The text cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// A token was to carry rights that tokens may not carry.
    #[error("the rights {0} are only for tokens that are bound to a client certificate")]
    ScopeNeedsCertificate(String),
    /// There are so many drafts that nobody looks at them.
    #[error("there are {DRAFTS_MAX} drafts newer than what is in force: have one of them approved first")]
    TooManyDrafts,
    /// The one-time credential was used, is too old, or belongs to somebody else.
    #[error("the one-time credential is no longer good")]
    Spent,
    /// The RA.
    #[error(transparent)]
    Ra(#[from] Error),
}

impl RegistrationAuthority {
    /// What this principal may do at this moment, from verified objects. `None` for an operator who is unknown or
    /// disabled. The host may do everything. A role that is not published, that cannot be read or whose records do not
    /// verify gives nothing.
    pub async fn standing(&self, principal: &Principal) -> Result<Option<Standing>, Error> {
        match principal {
            Principal::Host => Ok(Some(Standing::superadmin(Principal::Host))),
            Principal::Operator(name) => match self.operator(name).await? {
                Some(operator) if !operator.disabled => self.standing_of(&operator).await.map(Some),
                _ => Ok(None),
            },
        }
    }

    /// The same; an operator whose records do not verify may do nothing.
    pub(crate) async fn believed_standing(&self, principal: &Principal) -> Result<Option<Standing>, Error> {
        match self.standing(principal).await {
            Err(Error::Internal(InternalError::Tampered { .. })) => Ok(None),
            other => other,
        }
    }

    /// The operator with this name, disabled or not.
    pub async fn operator(&self, name: &OperatorName) -> Result<Option<Arc<Operator>>, Error> {
        let current = self
            .objects()
            .current(ObjectKind::Operator, name.as_str())
            .await?;
        let read = current.map(|object| self.policy().operator(&object));
        read.transpose().map_err(unreadable)
    }

    /// Every operator in force, by name. One whose text cannot be read is left out, and logged; one whose records do not
    /// verify as well, with an incident.
    pub async fn operators(&self) -> Result<Vec<Arc<Operator>>, Error> {
        Ok(self.operators_and_lost().await?.0)
    }

    /// The same, and how many there are or may be besides of whom nothing can be said.
    pub(crate) async fn operators_and_lost(&self) -> Result<(Vec<Arc<Operator>>, usize), Error> {
        let found = self.objects().gather(ObjectKind::Operator).await?;
        let mut lost = found.damaged.len();
        let mut operators = Vec::new();
        for object in found.histories.iter().filter_map(ObjectHistory::current) {
            match self.policy().operator(object) {
                Ok(operator) => operators.push(operator),
                Err(error) => {
                    tracing::error!(%error, "an operator cannot be read");
                    lost += 1;
                }
            }
        }
        operators.sort_by(|one, other| one.name.cmp(&other.name));
        Ok((operators, lost))
    }

    /// What an operator may do who is not disabled.
    pub(crate) async fn standing_of(&self, operator: &Operator) -> Result<Standing, Error> {
        let superadmin = RoleName::superadmin();
        let texts = operator.roles.iter().filter(|name| **name != superadmin);
        let objects = self
            .objects()
            .readable(ObjectKind::Role, texts.map(RoleName::as_str))
            .await?;
        let read = objects.into_iter().filter_map(|object| {
            let role = self.policy().role(&object);
            role.inspect_err(|error| tracing::error!(%error, "a role gives nothing: it cannot be read"))
                .ok()
        });
        let mut roles: Vec<OperatorRole> = read.map(|role| (*role).clone()).collect();
        if operator.is_superadmin() {
            roles.push(OperatorRole::superadmin());
        }
        Ok(Standing {
            principal: Principal::Operator(operator.name.clone()),
            roles,
            teams: operator.teams.clone(),
            scopes: None,
        })
    }

    /// Publishes or retires a role, a team or an operator; the text in force again makes no new version. Needs the right
    /// `operator.write`; what is about superadmins needs one. The last superadmin who can sign in stays one. Of several
    /// changes at once each is made on what the ones before left. Where a policy guards configuration, what gives somebody
    /// more is proposed, and in force with the last approval; so is what leaves one superadmin where there were more.
    pub async fn change_people(&self, by: &Acting, change: PeopleChange) -> Result<Outcome, ChangeError> {
        let needed = (Target::Installation, &by.origin);
        self.authorize(&by.standing, Right::OperatorWrite, needed).await?;
        let changed = self.change_checked(by, &change, Guarding::AsPolicySays).await;
        if matches!(changed, Err(ChangeError::SuperadminOnly)) {
            self.refused((by.principal(), &by.origin), Right::OperatorWrite, "a superadmin")
                .await;
        }
        changed
    }

    /// What a change would come to now, with the same refusals. Nothing is changed.
    pub async fn preview_people(&self, by: &Acting, change: &PeopleChange) -> Result<Outcome, ChangeError> {
        let needed = (Target::Installation, &by.origin);
        self.authorize(&by.standing, Right::OperatorWrite, needed).await?;
        let history = self.objects().load(change.kind, &change.name).await?;
        let (plan, _) = self
            .plan_people(by, (change, Guarding::AsPolicySays), &history)
            .await?;
        Ok(plan.changed.outcome)
    }

    /// The same for a principal who may, for another reason than the right.
    pub(crate) async fn change_checked(
        &self,
        by: &Acting,
        change: &PeopleChange,
        guarding: Guarding,
    ) -> Result<Outcome, ChangeError> {
        let mut turn = 0;
        loop {
            let history = self.objects().load(change.kind, &change.name).await?;
            let (plan, guard) = self.plan_people(by, (change, guarding), &history).await?;
            if plan.events.is_empty() {
                return Ok(plan.changed.outcome);
            }
            let record = self.object_record(&history, plan.events, by)?;
            let batch = Batch {
                records: std::iter::once(record).chain(plan.opened).chain(guard).collect(),
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => {
                    tracing::info!(kind = change.kind.as_str(), name = change.name, principal = %by.principal(),
                                   outcome = plan.changed.outcome.word(), "operators changed");
                    return Ok(plan.changed.outcome);
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => {
                    let stream = ObjectVersion::stream(change.kind, &change.name);
                    return Err(commit_error(error, stream).into());
                }
            }
        }
    }

    /// What to commit for a change, and with it what guards the last superadmin.
    async fn plan_people(
        &self,
        by: &Acting,
        (change, guarding): (&PeopleChange, Guarding),
        history: &Verified<ObjectHistory>,
    ) -> Result<(Plan, Option<Record>), ChangeError> {
        let current = history.value().current();
        met(change.condition, current).map_err(|_| ChangeError::Condition)?;
        let asks = (
            by.standing.holds(&RoleName::superadmin()),
            by.publisher().saying(),
        );
        let Some(text) = &change.text else {
            let left = self
                .superadmins_after(asks, current.ok_or(ChangeError::Unknown).map(Some)?, None)
                .await?;
            if left.alone
                && guarding == Guarding::AsPolicySays
                && self.approval_policy(GUARD).await?.is_some()
            {
                return Err(ChangeError::DisableFirst);
            }
            return Ok((
                Plan::of(ObjectEvent::Retired, Outcome::Retired, Vec::new()),
                left.guard,
            ));
        };
        if let Some(same) = current.filter(|current| current.body == *text) {
            return Ok((Plan::nothing(same.clone()), None));
        }
        let version = self.next_version(history, change, text)?;
        let left = self.superadmins_after(asks, current, Some(&version)).await?;
        let change = (history.value(), &version, left.alone);
        if guarding == Guarding::AsPolicySays
            && let Some(policy) = self.guard(by.principal(), change).await?
        {
            let asked = (history.value(), policy.as_ref(), Vec::new());
            return Ok((self.plan_proposal(by, version, asked).await?, None));
        }
        let event = ObjectEvent::Published(version.clone());
        Ok((Plan::of(event, Outcome::InForce(version), Vec::new()), left.guard))
    }

    fn next_version(
        &self,
        history: &Verified<ObjectHistory>,
        change: &PeopleChange,
        text: &str,
    ) -> Result<ObjectVersion, ChangeError> {
        let version = ObjectVersion {
            kind: change.kind,
            name: change.name.clone(),
            version: history.value().next_version(),
            body: checked(&change.name, text.to_owned())
                .map_err(|error| ChangeError::Unreadable(error.to_string()))?,
        };
        self.readable(&version)?;
        Ok(version)
    }

    /// Refuses a text that is none of a role, a team or an operator.
    pub(crate) fn readable(&self, version: &ObjectVersion) -> Result<(), ChangeError> {
        let read = match version.kind {
            ObjectKind::Role => self.policy().role(version).map(drop),
            ObjectKind::Team => self.policy().team(version).map(drop),
            ObjectKind::Operator => self.policy().operator(version).map(drop),
            other => {
                let word = other.as_str();
                return Err(ChangeError::Unreadable(format!("a {word} is not about people")));
            }
        };
        read.map_err(|error| ChangeError::Unreadable(error.reason))
    }
}

fn unreadable(error: PolicyError) -> Error {
    Error::Internal(InternalError::Object {
        name: error.name,
        reason: error.reason,
    })
}

impl From<ConfigurationError> for ChangeError {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::Ra(error) => Self::Ra(error),
            ConfigurationError::Forbidden(lacks) => Self::Forbidden(lacks),
            ConfigurationError::Condition => Self::Condition,
            ConfigurationError::Unknown => Self::Unknown,
            ConfigurationError::TooManyDrafts => Self::TooManyDrafts,
            other => Self::Unreadable(other.to_string()),
        }
    }
}

impl From<InternalError> for ChangeError {
    fn from(error: InternalError) -> Self {
        Self::Ra(error.into())
    }
}
