//! All objects of a kind, where the stream of one may not verify: that one is nothing to anybody, and the others go on.

use super::Objects;
use crate::domain::StreamKind;
use crate::domain::{
    Event, ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, Record, Revision, StreamId,
};
use crate::error::{Error, InternalError};
use crate::steps::verify;

/// A stream of an object that does not verify: an incident was raised, and it is in force for nobody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// The stream.
    pub stream: StreamId,
    /// Which object: the name of a stream follows from it, so this holds whoever wrote the rows. `None` when they do not say.
    pub object: Option<(ObjectKind, String)>,
    /// What is wrong.
    pub reason: &'static str,
}

impl Damaged {
    /// With the object that these rows say they are of, if the stream has its name.
    pub(crate) fn of(stream: StreamId, records: &[Record], reason: &'static str) -> Self {
        let object = records.iter().find_map(|record| {
            let payload = record.to_stored().payload?;
            let events: Vec<Event> = borsh::from_slice(&payload).ok()?;
            events.into_iter().find_map(|event| match event {
                Event::Object(ObjectEvent::Published(version) | ObjectEvent::Drafted(version)) => {
                    let ObjectVersion { kind, name, .. } = version;
                    (ObjectVersion::stream(kind, &name) == stream).then_some((kind, name))
                }
                _ => None,
            })
        });
        Self {
            stream,
            object,
            reason,
        }
    }

    /// Whether it is, or may be, an object of this kind.
    pub(crate) fn may_be(&self, kind: ObjectKind) -> bool {
        self.object.as_ref().is_none_or(|(known, _)| *known == kind)
    }
}

/// Objects of a kind, and those that are or may be of it and do not verify.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) histories: Vec<ObjectHistory>,
    pub(crate) damaged: Vec<Damaged>,
}

impl Objects {
    /// Every object of a kind that is in force, by name. One that does not verify raises an incident and is not among them.
    pub async fn list(&self, kind: ObjectKind) -> Result<Vec<ObjectVersion>, Error> {
        Ok(in_force(&self.histories(kind).await?))
    }

    /// The same where it matters that none is missing: fails while one that may be of this kind does not verify.
    pub async fn list_whole(&self, kind: ObjectKind) -> Result<Vec<ObjectVersion>, Error> {
        let found = self.gather(kind).await?;
        match found.damaged.first() {
            None => Ok(in_force(&found.histories)),
            Some(Damaged { stream, reason, .. }) => {
                let (stream, reason) = (*stream, *reason);
                Err(InternalError::Tampered { stream, reason }.into())
            }
        }
    }

    /// What became of every object of a kind, in force or not. One that does not verify raises an incident and is not among
    /// them.
    pub async fn histories(&self, kind: ObjectKind) -> Result<Vec<ObjectHistory>, Error> {
        Ok(self.gather(kind).await?.histories)
    }

    /// Every object that does not verify.
    pub async fn damaged(&self) -> Result<Vec<Damaged>, Error> {
        Ok(self.read(|_| false).await?.damaged)
    }

    pub(crate) async fn gather(&self, kind: ObjectKind) -> Result<Gathered, Error> {
        let mut found = self.read(|revision| revision.object.kind == kind).await?;
        found.damaged.retain(|damaged| damaged.may_be(kind));
        Ok(found)
    }

    async fn read(&self, wanted: impl Fn(&Revision) -> bool) -> Result<Gathered, Error> {
        let mut found = Gathered::default();
        let mut after = None;
        loop {
            let page = self
                .ledger
                .store
                .streams(StreamKind::Object, after.as_ref(), 200)
                .await?;
            for history in self.ledger.each(&page.items).await? {
                match history.map(|history| verify::object(history).into_value()) {
                    Ok(object) if object.revisions().first().is_some_and(&wanted) => {
                        found.histories.push(object);
                    }
                    Ok(_) => {}
                    Err(damaged) => found.damaged.push(damaged),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(found),
            }
        }
    }

    /// The versions in force of several objects of a kind; one that does not verify is not among them.
    pub(crate) async fn readable<'a>(
        &self,
        kind: ObjectKind,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<Vec<ObjectVersion>, Error> {
        let streams: Vec<_> = names
            .into_iter()
            .map(|name| ObjectVersion::stream(kind, name))
            .collect();
        let histories = self.ledger.each(&streams).await?.into_iter().flatten();
        Ok(histories
            .filter_map(|history| verify::object(history).value().current().cloned())
            .collect())
    }
}

fn in_force(histories: &[ObjectHistory]) -> Vec<ObjectVersion> {
    let mut found: Vec<ObjectVersion> = histories
        .iter()
        .filter_map(|history| history.current().cloned())
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}
