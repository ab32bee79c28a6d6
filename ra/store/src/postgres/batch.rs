//! A batch as one statement: a call of the functions of the schema, nested, each with the arrays of its part.
//!
//! Each function takes the result of the one inside it, so they run from the inside out. Their order decides which
//! conflict is named when there are several, and is that of the other engine: a spent value first, then a lost lease,
//! a taken claim, a stream that has moved on, and the rest. It also is the order in which rows are locked; within a
//! part, where order means nothing, rows are sorted, so that two batches seldom wait for each other in a circle.

use portreeve_ra::ports::{
    Batch, CertificateRow, Conflict, DocumentId, DocumentWrite, NewTask, Projection, RegistrationRow,
    RequestRow, Reservation, RevokedRow, SecretRow, Space, StoreError, TaskChange,
};
use portreeve_ra::{Claim, ClaimKey, EnrollmentId, Record, StreamId, TaskId};
use sqlx::{Encode, Postgres, Type};

use super::pool::Question;
use super::tasks::millis;
use crate::names;
use crate::row::{padded, stored};
use crate::sealed::Bodies;

/// Rows of one batch, at most.
const ROWS_MAX: usize = 4_096;

/// One statement, and what its conflicts mean.
pub(crate) struct Plan {
    call: String,
    question: Question,
    parameters: usize,
    rows: usize,
    names: Names,
}

/// What each item of a part is about, by place.
#[derive(Default)]
pub(crate) struct Names {
    changes: Vec<TaskId>,
    claims: Vec<ClaimKey>,
    streams: Vec<StreamId>,
    spaces: Vec<Space>,
    documents: Vec<DocumentId>,
    keys: Vec<&'static str>,
    tasks: Vec<TaskId>,
}

impl Names {
    /// The conflict that a function has told of, by its code and the place of the item from 1.
    pub(crate) fn conflict(&self, code: &str, place: usize) -> Option<Conflict> {
        let index = place.checked_sub(1)?;
        match code {
            "PV001" => Some(Conflict::Spent),
            "PV002" => self.changes.get(index).copied().map(Conflict::Fence),
            "PV003" => self.claims.get(index).copied().map(Conflict::Claim),
            "PV004" => self.streams.get(index).copied().map(Conflict::Stream),
            "PV005" => self.spaces.get(index).copied().map(Conflict::Reservation),
            "PV006" => self.documents.get(index).cloned().map(Conflict::Document),
            "PV007" => self.keys.get(index).copied().map(Conflict::DocumentKey),
            "PV008" => self.tasks.get(index).copied().map(Conflict::Fence),
            _ => None,
        }
    }
}

/// The statement that writes this batch; `None` when there is nothing to write. `given` is the store's time, if it is
/// not the database's.
pub(crate) fn plan(
    mut batch: Batch,
    bodies: &Bodies,
    given: Option<i64>,
) -> Result<Option<(Question, Names)>, StoreError> {
    let mut plan = Plan::new(given);
    batch.spends.sort_by_key(|spend| spend.key);
    batch.claims.sort_by_key(|claim| claim.key.0);
    batch.records.sort_by_key(|record| record.header().stream);
    // Taking a key after giving it up keeps its place: the sort is stable, and other keys are other matters.
    batch.reservations.sort_by_key(|reservation| match reservation {
        Reservation::Take { space, key, .. } | Reservation::Release { space, key } => (space.number(), *key),
    });
    batch.task_changes.sort_by_key(|change| match change {
        TaskChange::Complete { id, .. } | TaskChange::RetryAfter { id, .. } => *id,
    });
    plan.spends(&batch);
    plan.task_changes(&batch.task_changes);
    plan.claims(&batch.claims, batch.gives_way)?;
    plan.records(&batch.records);
    plan.reservations(&batch.reservations);
    plan.documents(&batch.documents, bodies)?;
    plan.tasks(&batch.tasks);
    plan.projections(&batch.projections);
    plan.finish()
}

/// A column of a part: one value of each item.
fn each<T, V>(items: &[T], value: impl FnMut(&T) -> V) -> Vec<V> {
    items.iter().map(value).collect()
}

impl Plan {
    fn new(given: Option<i64>) -> Self {
        Self {
            call: "store_time($1)".to_owned(),
            question: Question::new("").bind(given),
            parameters: 1,
            rows: 0,
            names: Names::default(),
        }
    }

    /// Wraps the call in that of the next part, whose arrays follow.
    fn part(&mut self, function: &str, items: usize) -> &mut Self {
        self.call = format!("{function}({}", self.call);
        self.rows += items;
        self
    }

    fn array<'q, T>(&mut self, values: T) -> &mut Self
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        self.parameters += 1;
        self.call.push_str(", $");
        self.call.push_str(&self.parameters.to_string());
        self.question.add(values);
        self
    }

    fn end(&mut self) {
        self.call.push(')');
    }

    fn finish(mut self) -> Result<Option<(Question, Names)>, StoreError> {
        if self.rows > ROWS_MAX {
            return Err(StoreError::Broken(format!("a batch of {} rows", self.rows)));
        }
        if self.parameters == 1 {
            return Ok(None);
        }
        self.call.insert_str(0, "SELECT ");
        Ok(Some((self.question.with_text(self.call), self.names)))
    }

    fn spends(&mut self, batch: &Batch) {
        let spends = &batch.spends;
        if spends.is_empty() {
            return;
        }
        self.part("commit_spends", spends.len())
            .array(each(spends, |spend| spend.key))
            .array(each(spends, |spend| spend.until.unix_millis()))
            .end();
    }

    fn task_changes(&mut self, changes: &[TaskChange]) {
        if changes.is_empty() {
            return;
        }
        let parts = each(changes, |change| match change {
            TaskChange::Complete { id, fence } => (*id, *fence, None),
            TaskChange::RetryAfter { id, fence, wait } => (*id, *fence, Some(millis(*wait))),
        });
        self.names.changes = each(&parts, |(id, ..)| *id);
        self.part("commit_task_changes", parts.len())
            .array(each(&parts, |(id, ..)| *id.as_bytes()))
            .array(each(&parts, |(_, fence, _)| stored(*fence)))
            .array(each(&parts, |(.., wait)| *wait))
            .end();
    }

    fn claims(&mut self, claims: &[Claim], gives_way: Option<EnrollmentId>) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        let requesters = claims
            .iter()
            .map(|claim| borsh::to_vec(&claim.requester))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| StoreError::Broken("a requester that cannot be written".to_owned()))?;
        self.names.claims = each(claims, |claim| claim.key);
        self.part("commit_claims", claims.len())
            .array(each(claims, |claim| claim.key.0))
            .array(requesters)
            .array(each(claims, |claim| claim.digest))
            .array(each(claims, |claim| *claim.enrollment.as_bytes()))
            .array(each(claims, |claim| claim.until.unix_millis()))
            .array(each(claims, |claim| {
                *gives_way.unwrap_or(claim.enrollment).as_bytes()
            }))
            .end();
        Ok(())
    }

    fn records(&mut self, records: &[Record]) {
        if records.is_empty() {
            return;
        }
        let columns = each(records, Record::to_stored);
        self.names.streams = each(records, |record| record.header().stream);
        self.part("commit_records", records.len())
            .array(each(records, |record| {
                i64::from(record.header().stream.kind.number())
            }))
            .array(each(records, |record| record.header().stream.id))
            .array(each(records, |record| stored(record.header().position)))
            .array(each(&columns, |columns| columns.header.clone()))
            .array(each(&columns, |columns| columns.payload_digest.clone()))
            .array(each(&columns, |columns| columns.salt.clone()))
            .array(each(&columns, |columns| columns.payload.clone()))
            .array(each(&columns, |columns| columns.key.clone()))
            .array(each(&columns, |columns| columns.signature.clone()))
            .end();
    }

    fn reservations(&mut self, reservations: &[Reservation]) {
        if reservations.is_empty() {
            return;
        }
        let parts = each(reservations, |reservation| match reservation {
            Reservation::Take { space, key, stream } => (*space, *key, Some(*stream)),
            Reservation::Release { space, key } => (*space, *key, None),
        });
        self.names.spaces = each(&parts, |(space, ..)| *space);
        self.part("commit_reservations", parts.len())
            .array(each(&parts, |(space, ..)| i64::from(space.number())))
            .array(each(&parts, |(_, key, _)| *key))
            .array(each(&parts, |(.., stream)| {
                stream.map(|stream| i64::from(stream.kind.number()))
            }))
            .array(each(&parts, |(.., stream)| stream.map(|stream| stream.id)))
            .end();
    }

    fn documents(&mut self, writes: &[DocumentWrite], bodies: &Bodies) -> Result<(), StoreError> {
        if writes.is_empty() {
            return Ok(());
        }
        let sealed = writes
            .iter()
            .map(|write| bodies.seal(write))
            .collect::<Result<Vec<_>, _>>()?;
        let kept = (1_i64..).zip(writes).filter(|(_, write)| write.body.is_some());
        let keys: Vec<_> = kept
            .flat_map(|(place, write)| write.keys.iter().map(move |key| (place, key)))
            .collect();
        self.names.documents = each(writes, |write| write.id.clone());
        self.names.keys = each(&keys, |(_, key)| key.index);
        self.part("commit_documents", writes.len() + keys.len())
            .array(each(writes, |write| write.id.kind))
            .array(each(writes, |write| write.id.id))
            .array(each(writes, |write| stored(write.version)))
            .array(sealed)
            .array(each(writes, |write| write.expires_at.map(|at| at.unix_millis())))
            .array(each(&keys, |(place, _)| *place))
            .array(each(&keys, |(_, key)| key.index))
            .array(each(&keys, |(_, key)| key.value.as_slice()))
            .array(each(&keys, |(_, key)| key.unique))
            .end();
        Ok(())
    }

    fn tasks(&mut self, tasks: &[NewTask]) {
        if tasks.is_empty() {
            return;
        }
        self.names.tasks = each(tasks, |task| task.id);
        self.part("commit_tasks", tasks.len())
            .array(each(tasks, |task| *task.id.as_bytes()))
            .array(each(tasks, |task| i64::from(task.kind.number())))
            .array(each(tasks, |task| i64::from(task.subject.kind.number())))
            .array(each(tasks, |task| task.subject.id))
            .array(each(tasks, |task| millis(task.wait)))
            .array(each(tasks, |task| task.lease.map(|(_, term)| millis(term))))
            .array(each(tasks, |task| task.lease.map(|(node, _)| *node.as_bytes())))
            .end();
    }

    fn projections(&mut self, projections: &[Projection]) {
        let (mut requests, mut certificates) = (Vec::new(), Vec::new());
        let (mut revoked, mut released) = (Vec::new(), Vec::new());
        let (mut registrations, mut secrets) = (Vec::new(), Vec::new());
        for projection in projections {
            match projection {
                Projection::Request(row) => requests.push(row),
                Projection::Certificate(row) => certificates.push(row),
                Projection::Revoked(row) => revoked.push(row),
                Projection::Registration(row) => registrations.push(row),
                Projection::Secret(row) => secrets.push(row),
                Projection::Released(enrollment) => released.push(*enrollment.as_bytes()),
            }
        }
        self.requests(&requests);
        self.certificates(&certificates);
        self.revoked(&revoked);
        if !released.is_empty() {
            self.part("commit_released", released.len()).array(released).end();
        }
        self.registrations(&registrations);
        self.secrets(&secrets);
    }

    fn registrations(&mut self, rows: &[&RegistrationRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_registrations", rows.len())
            .array(each(rows, |row| *row.registration.as_bytes()))
            .array(each(rows, |row| shown(&row.name)))
            .array(each(rows, |row| row.team.as_deref().map(shown)))
            .array(each(rows, |row| shown(&row.state)))
            .array(each(rows, |row| i64::from(row.vouched)))
            .array(each(rows, |row| row.until.map(|until| until.unix_millis())))
            .end();
    }

    fn secrets(&mut self, rows: &[&SecretRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_secrets", rows.len())
            .array(each(rows, |row| *row.secret.as_bytes()))
            .array(each(rows, |row| shown(&row.owner)))
            .array(each(rows, |row| i64::from(row.kind.number())))
            .array(each(rows, |row| shown(&row.reference)))
            .array(each(rows, |row| shown(&row.state)))
            .array(each(rows, |row| row.until.map(|until| until.unix_millis())))
            .array(each(rows, |row| row.created_at.unix_millis()))
            .end();
    }

    fn requests(&mut self, rows: &[&RequestRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_requests", rows.len())
            .array(each(rows, |row| *row.enrollment.as_bytes()))
            .array(each(rows, |row| shown(&row.endpoint)))
            .array(each(rows, |row| shown(&row.requester)))
            .array(each(rows, |row| shown(&row.names)))
            .array(each(rows, |row| shown(&row.profile)))
            .array(each(rows, |row| shown(&row.backend)))
            .array(each(rows, |row| shown(&row.state)))
            .array(each(rows, |row| row.proposal.map(|id| *id.as_bytes())))
            .array(each(rows, |row| row.key))
            .array(each(rows, |row| shown(&row.key_algorithm)))
            .array(each(rows, |row| {
                names::joined(&row.searched.common, names::REQUEST_MAX)
            }))
            .array(each(rows, |row| {
                names::joined(&row.searched.alternative, names::REQUEST_MAX)
            }))
            .array(each(rows, |row| row.ownership.registration.as_deref().map(shown)))
            .array(each(rows, |row| row.ownership.team.as_deref().map(shown)))
            .array(each(rows, |row| row.created_at.unix_millis()))
            .array(each(rows, |row| row.updated_at.unix_millis()))
            .end();
    }

    fn certificates(&mut self, rows: &[&CertificateRow]) {
        if rows.is_empty() {
            return;
        }
        let places = (1_i64..).zip(rows);
        let exact: Vec<(i64, String, i64)> = places
            .flat_map(|(place, row)| {
                let names = names::exact(&row.searched).into_iter();
                names.map(move |(name, kinds)| (place, name, kinds))
            })
            .collect();
        self.part("commit_certificates", rows.len())
            .array(each(rows, |row| *row.enrollment.as_bytes()))
            .array(each(rows, |row| shown(&row.backend)))
            .array(each(rows, |row| padded(&row.serial)))
            .array(each(rows, |row| shown(&row.names)))
            .array(each(rows, |row| row.key))
            .array(each(rows, |row| shown(&row.key_algorithm)))
            .array(each(rows, |row| row.fingerprint))
            .array(each(rows, |row| row.not_before.unix_millis()))
            .array(each(rows, |row| row.not_after.unix_millis()))
            .array(each(rows, |row| shown(&row.endpoint)))
            .array(each(rows, |row| shown(&row.profile)))
            .array(each(rows, |row| i64::from(row.profile_version)))
            .array(each(rows, |row| shown(&row.requester)))
            .array(each(rows, |row| {
                names::joined(&row.searched.common, names::CERTIFICATE_MAX)
            }))
            .array(each(rows, |row| {
                names::joined(&row.searched.alternative, names::CERTIFICATE_MAX)
            }))
            .array(each(rows, |row| row.ownership.registration.as_deref().map(shown)))
            .array(each(rows, |row| row.ownership.team.as_deref().map(shown)))
            .array(each(rows, |row| row.issued_at.unix_millis()))
            .array(each(&exact, |(place, ..)| *place))
            .array(each(&exact, |(_, name, _)| name.clone()))
            .array(each(&exact, |(.., kinds)| *kinds))
            .end();
    }

    fn revoked(&mut self, rows: &[&RevokedRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_revoked", rows.len())
            .array(each(rows, |row| *row.enrollment.as_bytes()))
            .array(each(rows, |row| shown(&row.backend)))
            .array(each(rows, |row| padded(&row.serial)))
            .array(each(rows, |row| i64::from(row.reason.number())))
            .array(each(rows, |row| row.revoked_at.unix_millis()))
            .array(each(rows, |row| row.not_after.unix_millis()))
            .end();
    }
}

/// Text to be shown: PostgreSQL's has no octet zero, and a name in a request may.
fn shown(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
