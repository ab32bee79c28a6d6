//! Versioned objects: published as signed events, read verified.

mod gathered;

use std::sync::Arc;

use crate::accounts::{commit_error, may_race};
use crate::domain::{Actor, Event, ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, Origin, Purpose};
use crate::error::{Error, InternalError};
use crate::ledger::{Ledger, Saying};
use crate::ports::{Batch, CommitError, Conflict};
use crate::steps::Verified;
use crate::steps::verify;

pub use gathered::Damaged;

/// Octets of one object's text, at most.
pub const BODY_MAX: usize = 64 * 1024;

/// Who publishes, from where, and why.
#[derive(Clone, Debug)]
pub struct Publisher {
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Why.
    pub reason: String,
}

impl Publisher {
    /// What the console says on their behalf.
    pub(crate) fn saying(&self) -> Saying {
        Saying::new(
            Purpose::Console,
            self.actor.clone(),
            self.origin.clone(),
            &self.reason,
        )
    }
}

/// Versioned objects of every kind.
pub struct Objects {
    ledger: Arc<Ledger>,
}

impl Objects {
    pub(crate) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }

    /// The version in force.
    pub async fn current(&self, kind: ObjectKind, name: &str) -> Result<Option<ObjectVersion>, Error> {
        Ok(self.load(kind, name).await?.value().current().cloned())
    }

    /// The versions in force of several objects of a kind, in the order asked; one read for all.
    pub async fn all_current(
        &self,
        kind: ObjectKind,
        names: impl IntoIterator<Item = &str>,
    ) -> Result<Vec<Option<ObjectVersion>>, Error> {
        let streams: Vec<_> = names
            .into_iter()
            .map(|name| ObjectVersion::stream(kind, name))
            .collect();
        let histories = self.ledger.histories(&streams).await?;
        let current = |history| verify::object(history).value().current().cloned();
        Ok(histories.into_iter().map(current).collect())
    }

    /// A version, in force or not.
    pub async fn version(
        &self,
        kind: ObjectKind,
        name: &str,
        number: u32,
    ) -> Result<Option<ObjectVersion>, Error> {
        Ok(self.load(kind, name).await?.value().version(number).cloned())
    }

    /// What became of every version of an object; `None` when it never had one.
    pub async fn history(&self, kind: ObjectKind, name: &str) -> Result<Option<ObjectHistory>, Error> {
        let history = self.load(kind, name).await?.into_value();
        Ok((!history.revisions().is_empty()).then_some(history))
    }

    /// Publishes a text. The text in force again makes no new version. The caller has checked that it can be read.
    pub async fn publish(
        &self,
        kind: ObjectKind,
        name: &str,
        body: String,
        by: Publisher,
    ) -> Result<ObjectVersion, Error> {
        let body = checked(name, body)?;
        let mut turn = 0;
        loop {
            let history = self.load(kind, name).await?;
            if let Some(current) = history.value().current().filter(|current| current.body == body) {
                return Ok(current.clone());
            }
            let version = ObjectVersion {
                kind,
                name: name.to_owned(),
                version: history.value().next_version(),
                body: body.clone(),
            };
            match self
                .append(&history, ObjectEvent::Published(version.clone()), &by)
                .await?
            {
                Ok(()) => return Ok(version),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, ObjectVersion::stream(kind, name))),
            }
        }
    }

    /// Publishes the first text an object ever has; `None` when it has or had one, and then nothing is changed. Of
    /// several that do so at once one succeeds.
    pub async fn publish_first(
        &self,
        kind: ObjectKind,
        name: &str,
        body: String,
        by: Publisher,
    ) -> Result<Option<ObjectVersion>, Error> {
        let history = self.load(kind, name).await?;
        let version = ObjectVersion {
            kind,
            name: name.to_owned(),
            version: history.value().next_version(),
            body: checked(name, body)?,
        };
        if history.next().position != 1 {
            return Ok(None);
        }
        match self
            .append(&history, ObjectEvent::Published(version.clone()), &by)
            .await?
        {
            Ok(()) => Ok(Some(version)),
            Err(CommitError::Conflict(Conflict::Stream(_))) => Ok(None),
            Err(error) => Err(commit_error(error, ObjectVersion::stream(kind, name))),
        }
    }

    /// Takes an object out of force. Doing so twice is one event.
    pub async fn retire(&self, kind: ObjectKind, name: &str, by: Publisher) -> Result<(), Error> {
        let mut turn = 0;
        loop {
            let history = self.load(kind, name).await?;
            if history.value().current().is_none() {
                return Ok(());
            }
            match self.append(&history, ObjectEvent::Retired, &by).await? {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, ObjectVersion::stream(kind, name))),
            }
        }
    }

    pub(crate) async fn load(&self, kind: ObjectKind, name: &str) -> Result<Verified<ObjectHistory>, Error> {
        Ok(verify::object(
            self.ledger.history(ObjectVersion::stream(kind, name)).await?,
        ))
    }

    async fn append(
        &self,
        history: &Verified<ObjectHistory>,
        event: ObjectEvent,
        by: &Publisher,
    ) -> Result<Result<(), CommitError>, Error> {
        let record = self
            .ledger
            .record(history.next(), by.saying(), &[Event::Object(event)])?;
        let batch = Batch {
            records: vec![record],
            ..Batch::default()
        };
        Ok(self.ledger.store.commit(batch).await)
    }
}

/// The text, unless it is too long.
pub(crate) fn checked(name: &str, body: String) -> Result<String, Error> {
    if body.len() <= BODY_MAX {
        return Ok(body);
    }
    Err(Error::Internal(InternalError::Object {
        name: name.to_owned(),
        reason: format!("text is longer than {BODY_MAX} octets"),
    }))
}
