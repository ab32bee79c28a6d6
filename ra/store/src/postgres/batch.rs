//! A batch as one statement: a call of the functions of the schema, nested, each with the arrays of its part.
//!
//! Each function takes the result of the one inside it, so they run from the inside out. Their order decides which
//! conflict is named when there are several, and is that of the other engine: a spent value first, then a lost lease,
//! a taken claim, a stream that has moved on, and the rest. It also is the order in which rows are locked; within a
//! part, where order means nothing, rows are sorted, so that two batches seldom wait for each other in a circle.

use std::borrow::Cow;
use std::fmt::Write;

use portreeve_ra::ports::{
    Batch, CertificateRow, Conflict, DocumentId, DocumentWrite, NewTask, Projection, RegistrationRow,
    RequestRow, Reservation, RevokedRow, SecretRow, Space, StoreError, TaskChange,
};
use portreeve_ra::{Claim, ClaimKey, EnrollmentId, Record, StreamId, TaskId};
use sqlx::postgres::{PgBindIterExt, PgHasArrayType};
use sqlx::{Encode, Postgres, Type};

use super::pool::Question;
use super::tasks::millis;
use crate::names;
use crate::row::{padded, stored};
use crate::sealed::Bodies;

/// Rows of one batch, at most.
const ROWS_MAX: usize = 4_096;

/// Functions of one statement, at most.
const FUNCTIONS_MAX: usize = 13;

/// What most batches need: parameters, their octets, and characters of text.
const PARAMETERS_USUAL: usize = 64;
const OCTETS_USUAL: usize = 8_192;
const TEXT_USUAL: usize = 512;

/// One statement, and what its conflicts mean.
pub(crate) struct Plan {
    /// From the inside out.
    functions: Vec<&'static str>,
    /// What stands behind the innermost call.
    parameters: String,
    question: Question,
    count: usize,
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
            functions: Vec::with_capacity(FUNCTIONS_MAX),
            parameters: String::with_capacity(TEXT_USUAL),
            question: Question::new("")
                .of_about(PARAMETERS_USUAL, OCTETS_USUAL)
                .bind(given),
            count: 1,
            rows: 0,
            names: Names::default(),
        }
    }

    /// Wraps the call in that of the next part, whose arrays follow.
    fn part(&mut self, function: &'static str, items: usize) -> &mut Self {
        self.functions.push(function);
        self.rows += items;
        self
    }

    fn array<'q, I>(&mut self, values: I) -> &mut Self
    where
        I: Iterator,
        I::Item: Encode<'q, Postgres> + Type<Postgres> + PgHasArrayType,
    {
        self.count += 1;
        // Text grows without failing.
        let _ = write!(self.parameters, ", ${}", self.count);
        self.question.add(values.bind_iter());
        self
    }

    fn end(&mut self) {
        self.parameters.push(')');
    }

    fn finish(self) -> Result<Option<(Question, Names)>, StoreError> {
        if self.rows > ROWS_MAX {
            return Err(StoreError::Broken(format!("a batch of {} rows", self.rows)));
        }
        if self.functions.is_empty() {
            return Ok(None);
        }
        let mut call = String::with_capacity(2 * TEXT_USUAL);
        call.push_str("SELECT ");
        for function in self.functions.iter().rev() {
            call.push_str(function);
            call.push('(');
        }
        call.push_str("store_time($1)");
        call.push_str(&self.parameters);
        Ok(Some((self.question.with_text(call), self.names)))
    }

    fn spends(&mut self, batch: &Batch) {
        let spends = &batch.spends;
        if spends.is_empty() {
            return;
        }
        self.part("commit_spends", spends.len())
            .array(spends.iter().map(|spend| spend.key))
            .array(spends.iter().map(|spend| spend.until.unix_millis()))
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
            .array(parts.iter().map(|(id, ..)| *id.as_bytes()))
            .array(parts.iter().map(|(_, fence, _)| stored(*fence)))
            .array(parts.iter().map(|(.., wait)| *wait))
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
            .array(claims.iter().map(|claim| claim.key.0))
            .array(requesters.iter())
            .array(claims.iter().map(|claim| claim.digest))
            .array(claims.iter().map(|claim| *claim.enrollment.as_bytes()))
            .array(claims.iter().map(|claim| claim.until.unix_millis()))
            .array(
                claims
                    .iter()
                    .map(|claim| *gives_way.unwrap_or(claim.enrollment).as_bytes()),
            )
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
            .array(
                records
                    .iter()
                    .map(|record| i64::from(record.header().stream.kind.number())),
            )
            .array(records.iter().map(|record| record.header().stream.id))
            .array(records.iter().map(|record| stored(record.header().position)))
            .array(columns.iter().map(|columns| columns.header.as_slice()))
            .array(columns.iter().map(|columns| columns.payload_digest.as_slice()))
            .array(columns.iter().map(|columns| columns.salt.as_deref()))
            .array(columns.iter().map(|columns| columns.payload.as_deref()))
            .array(columns.iter().map(|columns| columns.key.as_slice()))
            .array(columns.iter().map(|columns| columns.signature.as_slice()))
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
            .array(parts.iter().map(|(space, ..)| i64::from(space.number())))
            .array(parts.iter().map(|(_, key, _)| *key))
            .array(
                parts
                    .iter()
                    .map(|(.., stream)| stream.map(|stream| i64::from(stream.kind.number()))),
            )
            .array(parts.iter().map(|(.., stream)| stream.map(|stream| stream.id)))
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
            .array(writes.iter().map(|write| write.id.kind))
            .array(writes.iter().map(|write| write.id.id))
            .array(writes.iter().map(|write| stored(write.version)))
            .array(sealed.iter())
            .array(
                writes
                    .iter()
                    .map(|write| write.expires_at.map(|at| at.unix_millis())),
            )
            .array(keys.iter().map(|(place, _)| *place))
            .array(keys.iter().map(|(_, key)| key.index))
            .array(keys.iter().map(|(_, key)| key.value.as_slice()))
            .array(keys.iter().map(|(_, key)| key.unique))
            .end();
        Ok(())
    }

    fn tasks(&mut self, tasks: &[NewTask]) {
        if tasks.is_empty() {
            return;
        }
        self.names.tasks = each(tasks, |task| task.id);
        self.part("commit_tasks", tasks.len())
            .array(tasks.iter().map(|task| *task.id.as_bytes()))
            .array(tasks.iter().map(|task| i64::from(task.kind.number())))
            .array(tasks.iter().map(|task| i64::from(task.subject.kind.number())))
            .array(tasks.iter().map(|task| task.subject.id))
            .array(tasks.iter().map(|task| millis(task.wait)))
            .array(tasks.iter().map(|task| task.lease.map(|(_, term)| millis(term))))
            .array(
                tasks
                    .iter()
                    .map(|task| task.lease.map(|(node, _)| *node.as_bytes())),
            )
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
            self.part("commit_released", released.len())
                .array(released.into_iter())
                .end();
        }
        self.registrations(&registrations);
        self.secrets(&secrets);
    }

    fn registrations(&mut self, rows: &[&RegistrationRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_registrations", rows.len())
            .array(rows.iter().map(|row| *row.registration.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.name)))
            .array(rows.iter().map(|row| row.team.as_deref().map(shown)))
            .array(rows.iter().map(|row| shown(&row.state)))
            .array(rows.iter().map(|row| i64::from(row.vouched)))
            .array(rows.iter().map(|row| row.until.map(|until| until.unix_millis())))
            .end();
    }

    fn secrets(&mut self, rows: &[&SecretRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_secrets", rows.len())
            .array(rows.iter().map(|row| *row.secret.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.owner)))
            .array(rows.iter().map(|row| i64::from(row.kind.number())))
            .array(rows.iter().map(|row| shown(&row.reference)))
            .array(rows.iter().map(|row| shown(&row.state)))
            .array(rows.iter().map(|row| row.until.map(|until| until.unix_millis())))
            .array(rows.iter().map(|row| row.created_at.unix_millis()))
            .end();
    }

    fn requests(&mut self, rows: &[&RequestRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_requests", rows.len())
            .array(rows.iter().map(|row| *row.enrollment.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.endpoint)))
            .array(rows.iter().map(|row| shown(&row.requester)))
            .array(rows.iter().map(|row| shown(&row.names)))
            .array(rows.iter().map(|row| shown(&row.profile)))
            .array(rows.iter().map(|row| shown(&row.backend)))
            .array(rows.iter().map(|row| shown(&row.state)))
            .array(rows.iter().map(|row| row.proposal.map(|id| *id.as_bytes())))
            .array(rows.iter().map(|row| row.key))
            .array(rows.iter().map(|row| shown(&row.key_algorithm)))
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.common, names::REQUEST_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.alternative, names::REQUEST_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| row.ownership.registration.as_deref().map(shown)),
            )
            .array(rows.iter().map(|row| row.ownership.team.as_deref().map(shown)))
            .array(rows.iter().map(|row| row.created_at.unix_millis()))
            .array(rows.iter().map(|row| row.updated_at.unix_millis()))
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
            .array(rows.iter().map(|row| *row.enrollment.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.backend)))
            .array(rows.iter().map(|row| padded(&row.serial)))
            .array(rows.iter().map(|row| shown(&row.names)))
            .array(rows.iter().map(|row| row.key))
            .array(rows.iter().map(|row| shown(&row.key_algorithm)))
            .array(rows.iter().map(|row| row.fingerprint))
            .array(rows.iter().map(|row| row.not_before.unix_millis()))
            .array(rows.iter().map(|row| row.not_after.unix_millis()))
            .array(rows.iter().map(|row| shown(&row.endpoint)))
            .array(rows.iter().map(|row| shown(&row.profile)))
            .array(rows.iter().map(|row| i64::from(row.profile_version)))
            .array(rows.iter().map(|row| shown(&row.requester)))
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.common, names::CERTIFICATE_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.alternative, names::CERTIFICATE_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| row.ownership.registration.as_deref().map(shown)),
            )
            .array(rows.iter().map(|row| row.ownership.team.as_deref().map(shown)))
            .array(rows.iter().map(|row| row.issued_at.unix_millis()))
            .array(exact.iter().map(|(place, ..)| *place))
            .array(exact.iter().map(|(_, name, _)| name.clone()))
            .array(exact.iter().map(|(.., kinds)| *kinds))
            .end();
    }

    fn revoked(&mut self, rows: &[&RevokedRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_revoked", rows.len())
            .array(rows.iter().map(|row| *row.enrollment.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.backend)))
            .array(rows.iter().map(|row| padded(&row.serial)))
            .array(rows.iter().map(|row| i64::from(row.reason.number())))
            .array(rows.iter().map(|row| row.revoked_at.unix_millis()))
            .array(rows.iter().map(|row| row.not_after.unix_millis()))
            .end();
    }
}

/// Text to be shown: PostgreSQL's has no octet zero, and a name in a request may.
fn shown(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}
