//! Operators, roles and teams: what a principal may do now, and changing it.

use std::sync::Arc;

use crate::access::{Acting, Forbidden, Target};
use crate::accounts::{commit_error, may_race};
use crate::authority::RegistrationAuthority;
use crate::domain::{
    Event, ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, Operator, OperatorName, OperatorRole,
    Principal, Record, Right, RoleName, Standing,
};
use crate::error::{Error, InternalError};
use crate::objects::checked;
use crate::ports::{Batch, CommitError, Conflict, PolicyError};
use crate::steps::Verified;

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
    /// The one-time credential was used, is too old, or belongs to somebody else.
    #[error("the one-time credential is no longer good")]
    Spent,
    /// The RA.
    #[error(transparent)]
    Ra(#[from] Error),
}

impl RegistrationAuthority {
    /// What this principal may do at this moment, from verified objects. `None` for an operator who is unknown or
    /// disabled. The host may do everything. A role that is not published, or that cannot be read, gives nothing.
    pub async fn standing(&self, principal: &Principal) -> Result<Option<Standing>, Error> {
        match principal {
            Principal::Host => Ok(Some(Standing::superadmin(Principal::Host))),
            Principal::Operator(name) => match self.operator(name).await? {
                Some(operator) if !operator.disabled => self.standing_of(&operator).await.map(Some),
                _ => Ok(None),
            },
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

    /// Every operator in force, by name. One whose text cannot be read is left out, and logged.
    pub async fn operators(&self) -> Result<Vec<Arc<Operator>>, Error> {
        let objects = self.objects().list(ObjectKind::Operator).await?;
        let read = objects.iter().filter_map(|object| {
            let operator = self.policy().operator(object);
            operator
                .inspect_err(|error| tracing::error!(%error, "an operator cannot be read"))
                .ok()
        });
        Ok(read.collect())
    }

    /// What an operator may do who is not disabled.
    async fn standing_of(&self, operator: &Operator) -> Result<Standing, Error> {
        let superadmin = RoleName::superadmin();
        let texts = operator.roles.iter().filter(|name| **name != superadmin);
        let objects = self
            .objects()
            .all_current(ObjectKind::Role, texts.map(RoleName::as_str))
            .await?;
        let read = objects.into_iter().flatten().filter_map(|object| {
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
    /// changes at once each is made on what the ones before left. `None` when the object is out of force.
    pub async fn change_people(
        &self,
        by: &Acting,
        change: PeopleChange,
    ) -> Result<Option<ObjectVersion>, ChangeError> {
        let needed = (Target::Installation, &by.origin);
        self.authorize(&by.standing, Right::OperatorWrite, needed).await?;
        self.change_unchecked(by, &change).await
    }

    /// The same for a principal who may, for another reason than the right.
    pub(crate) async fn change_unchecked(
        &self,
        by: &Acting,
        change: &PeopleChange,
    ) -> Result<Option<ObjectVersion>, ChangeError> {
        let mut turn = 0;
        loop {
            let history = self.objects().load(change.kind, &change.name).await?;
            let current = history.value().current();
            let met = match change.condition {
                Condition::Any => true,
                Condition::Absent => current.is_none(),
                Condition::Version(number) => current.is_some_and(|current| current.version == number),
            };
            if !met {
                return Err(ChangeError::Condition);
            }
            let (event, version) = match &change.text {
                None if current.is_none() => return Err(ChangeError::Unknown),
                None => (ObjectEvent::Retired, None),
                Some(text) if current.is_some_and(|current| current.body == *text) => {
                    return Ok(current.cloned());
                }
                Some(text) => {
                    let version = self.next_version(&history, change, text)?;
                    (ObjectEvent::Published(version.clone()), Some(version))
                }
            };
            let guard = self.superadmins_after(by, current, version.as_ref()).await?;
            let record = self
                .ledger
                .record(history.next(), by.publisher().saying(), &[Event::Object(event)])
                .map_err(ChangeError::Ra)?;
            let batch = Batch {
                records: std::iter::once(record).chain(guard).collect(),
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => return Ok(version),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => {
                    let stream = ObjectVersion::stream(change.kind, &change.name);
                    return Err(commit_error(error, stream).into());
                }
            }
        }
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
        let read = match change.kind {
            ObjectKind::Role => self.policy().role(&version).map(drop),
            ObjectKind::Team => self.policy().team(&version).map(drop),
            ObjectKind::Operator => self.policy().operator(&version).map(drop),
            other => {
                let word = other.as_str();
                return Err(ChangeError::Unreadable(format!("a {word} is not about people")));
            }
        };
        read.map_err(|error| ChangeError::Unreadable(error.reason))?;
        Ok(version)
    }

    /// Looks after the superadmins when the text of an operator changes. The record, if there is one, stands in a stream
    /// that all who take the role from somebody write to: two who do so at once cannot both succeed.
    async fn superadmins_after(
        &self,
        by: &Acting,
        before: Option<&ObjectVersion>,
        after: Option<&ObjectVersion>,
    ) -> Result<Option<Record>, ChangeError> {
        let read = |object: Option<&ObjectVersion>| {
            let operator = object.filter(|object| object.kind == ObjectKind::Operator);
            operator.and_then(|object| self.policy().operator(object).ok())
        };
        let (before, after) = (read(before), read(after));
        let superadmin = RoleName::superadmin();
        let is_one = |operator: &Option<Arc<Operator>>| {
            operator
                .as_ref()
                .is_some_and(|one| one.roles.contains(&superadmin))
        };
        if (is_one(&before) || is_one(&after)) && !by.standing.holds(&superadmin) {
            return Err(ChangeError::SuperadminOnly);
        }
        let Some(before) = before else { return Ok(None) };
        if !self.is_able_superadmin(&before).await? {
            return Ok(None);
        }
        if let Some(after) = after
            && self.is_able_superadmin(&after).await?
        {
            return Ok(None);
        }
        // Read before the others are looked at: whoever takes the role from one of them meanwhile moves it on.
        let guard = self.objects().load(ObjectKind::Role, superadmin.as_str()).await?;
        let mut left = Vec::new();
        for other in self.operators().await? {
            if other.name != before.name && self.is_able_superadmin(&other).await? {
                left.push(other.name.to_string());
            }
        }
        if left.is_empty() {
            return Err(ChangeError::LastSuperadmin);
        }
        let version = ObjectVersion {
            kind: ObjectKind::Role,
            name: superadmin.as_str().to_owned(),
            version: guard.value().next_version(),
            body: format!(
                "# Built in. Superadmins who could sign in when {} ceased to be one: {}\n",
                before.name,
                left.join(" ")
            ),
        };
        let event = Event::Object(ObjectEvent::Published(version));
        let saying = by.publisher().saying();
        Ok(Some(self.ledger.record(guard.next(), saying, &[event])?))
    }

    async fn is_able_superadmin(&self, operator: &Operator) -> Result<bool, Error> {
        Ok(operator.is_superadmin()
            && (!operator.certificates.is_empty() || self.password(&operator.name).await?.is_some()))
    }
}

fn unreadable(error: PolicyError) -> Error {
    Error::Internal(InternalError::Object {
        name: error.name,
        reason: error.reason,
    })
}

impl From<InternalError> for ChangeError {
    fn from(error: InternalError) -> Self {
        Self::Ra(error.into())
    }
}
