//! A batch as one statement: a call of the functions of the schema, nested, each with the arrays of its part.
//!
//! Each function takes the result of the one inside it, so they run from the inside out. Their order decides which
//! conflict is named when there are several, and is that of the other engine: a spent value first, then a lost lease,
//! a taken claim, a stream that has moved on, and the rest. It also is the order in which rows are locked; within a
//! part, where order means nothing, rows are sorted, so that two batches seldom wait for each other in a circle.

use std::fmt::Write;

use portreeve_ra::ports::{
    Batch, Conflict, DocumentId, DocumentWrite, NewTask, Reservation, Space, Spend, StoreError, TaskChange,
};
use portreeve_ra::{Claim, ClaimKey, EnrollmentId, Record, StreamId, TaskId};
use sqlx::postgres::{PgBindIterExt, PgHasArrayType};
use sqlx::{Encode, Postgres, Type};

use super::pool::Question;
use super::tasks::millis;
use crate::row::stored;
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

/// The statement that writes these batches, all or none; `None` when there is nothing to write. `given` is the store's time, if
/// it is not the database's.
///
/// What a part refuses depends on the rows of its own table alone, and of one key the earlier batch comes first: so together
/// they write what they would have written one after the other.
pub(crate) fn plan(
    batches: &[&Batch],
    bodies: &Bodies,
    given: Option<i64>,
) -> Result<Option<(Question, Names)>, StoreError> {
    let mut plan = Plan::new(given);
    plan.spends(&sorted(batches, |batch| &batch.spends, |spend| spend.key));
    plan.task_changes(&sorted(
        batches,
        |batch| &batch.task_changes,
        |change| match change {
            TaskChange::Complete { id, .. } | TaskChange::RetryAfter { id, .. } => *id,
        },
    ));
    let mut claims: Vec<(&Claim, Option<EnrollmentId>)> = batches
        .iter()
        .flat_map(|batch| batch.claims.iter().map(|claim| (claim, batch.gives_way)))
        .collect();
    claims.sort_by_key(|(claim, _)| claim.key.0);
    plan.claims(&claims)?;
    plan.records(&sorted(
        batches,
        |batch| &batch.records,
        |record| record.header().stream,
    ));
    // Taking a key after giving it up keeps its place: the sort is stable, and other keys are other matters.
    plan.reservations(&sorted(
        batches,
        |batch| &batch.reservations,
        |reservation| match reservation {
            Reservation::Take { space, key, .. } | Reservation::Release { space, key } => {
                (space.number(), *key)
            }
        },
    ));
    // A unique key may be given up by one document and taken by the next.
    let written = || batches.iter().flat_map(|batch| &batch.documents);
    let no_unique_keys = written().all(|write| write.keys.iter().all(|key| !key.unique));
    let by = |write: &DocumentWrite| no_unique_keys.then_some((write.id.kind, write.id.id));
    plan.documents(&sorted(batches, |batch| &batch.documents, by), bodies)?;
    plan.tasks(&sorted(batches, |batch| &batch.tasks, |_| ()));
    plan.projections(batches.iter().flat_map(|batch| &batch.projections));
    plan.finish()
}

/// A part of all batches, by a key and of one key by batch.
fn sorted<'a, T, K: Ord>(
    batches: &[&'a Batch],
    part: impl Fn(&'a Batch) -> &'a Vec<T>,
    key: impl Fn(&T) -> K,
) -> Vec<&'a T> {
    let mut items: Vec<&T> = batches.iter().flat_map(|batch| part(batch)).collect();
    items.sort_by_key(|item| key(item));
    items
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
    pub(super) fn part(&mut self, function: &'static str, items: usize) -> &mut Self {
        self.functions.push(function);
        self.rows += items;
        self
    }

    pub(super) fn array<'q, I>(&mut self, values: I) -> &mut Self
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

    pub(super) fn end(&mut self) {
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

    fn spends(&mut self, spends: &[&Spend]) {
        if spends.is_empty() {
            return;
        }
        self.part("commit_spends", spends.len())
            .array(spends.iter().map(|spend| spend.key))
            .array(spends.iter().map(|spend| spend.until.unix_millis()))
            .end();
    }

    fn task_changes(&mut self, changes: &[&TaskChange]) {
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

    fn claims(&mut self, claims: &[(&Claim, Option<EnrollmentId>)]) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        let requesters = claims
            .iter()
            .map(|(claim, _)| borsh::to_vec(&claim.requester))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| StoreError::Broken("a requester that cannot be written".to_owned()))?;
        self.names.claims = each(claims, |(claim, _)| claim.key);
        self.part("commit_claims", claims.len())
            .array(claims.iter().map(|(claim, _)| claim.key.0))
            .array(requesters.iter())
            .array(claims.iter().map(|(claim, _)| claim.digest))
            .array(claims.iter().map(|(claim, _)| *claim.enrollment.as_bytes()))
            .array(claims.iter().map(|(claim, _)| claim.until.unix_millis()))
            .array(
                claims
                    .iter()
                    .map(|(claim, gives_way)| *gives_way.unwrap_or(claim.enrollment).as_bytes()),
            )
            .end();
        Ok(())
    }

    fn records(&mut self, records: &[&Record]) {
        if records.is_empty() {
            return;
        }
        let columns = each(records, |record| record.to_stored());
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

    fn reservations(&mut self, reservations: &[&Reservation]) {
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

    fn documents(&mut self, writes: &[&DocumentWrite], bodies: &Bodies) -> Result<(), StoreError> {
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

    fn tasks(&mut self, tasks: &[&NewTask]) {
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
}
