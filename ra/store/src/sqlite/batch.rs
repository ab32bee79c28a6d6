//! A batch as a plan.
//!
//! The order decides which conflict is named when there are several: a spent value first (nothing may follow from
//! it), then a lost lease, a taken claim, a stream that has moved on, and the rest.

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Batch, Conflict, NewTask, Projection, Reservation, Spend, StoreError, TaskChange};
use portreeve_ra::{Claim, EnrollmentId, Record};

use super::documents;
use super::plan::{Expected, Plan};
use super::projections;
use super::registrations;
use crate::row::stored;
use crate::sealed::Bodies;

const SPEND: &str = "INSERT INTO spent (key, until) VALUES (?, ?) ON CONFLICT DO NOTHING";

const COMPLETE: &str = "DELETE FROM task WHERE id = ? AND fence = ? AND holder IS NOT NULL";

const RETRY: &str = "UPDATE task SET due = ?, ready_at = ?, holder = NULL \
                     WHERE id = ? AND fence = ? AND holder IS NOT NULL";

const CLAIM: &str = "INSERT INTO claim (key, requester, digest, enrollment, until) VALUES (?, ?, ?, ?, ?) \
                     ON CONFLICT (key) DO UPDATE SET requester = excluded.requester, digest = excluded.digest, \
                     enrollment = excluded.enrollment, until = excluded.until \
                     WHERE claim.until <= ? OR claim.enrollment = excluded.enrollment OR claim.enrollment = ?";

pub(crate) const APPEND: &str = "INSERT INTO record \
                      (kind, stream, position, header, payload_digest, salt, payload, key, signature) \
                      SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? \
                      WHERE ? = (SELECT coalesce(max(position), 0) FROM record WHERE kind = ? AND stream = ?)";

const TAKE: &str = "INSERT INTO reservation (space, key, kind, stream) VALUES (?, ?, ?, ?) \
                    ON CONFLICT (space, key) DO UPDATE SET stream = excluded.stream \
                    WHERE reservation.kind = excluded.kind AND reservation.stream = excluded.stream";

const RELEASE: &str = "DELETE FROM reservation WHERE space = ? AND key = ?";

const TASK: &str = "INSERT INTO task (id, kind, subject_kind, subject, due, ready_at, attempts, fence, holder) \
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

/// The statements that write this batch; from `now` on tasks wait, and it decides which claims have ended.
pub(crate) fn plan(batch: Batch, bodies: &Bodies, now: Timestamp) -> Result<Plan, StoreError> {
    let mut plan = Plan::new();
    batch.spends.iter().for_each(|value| spend(&mut plan, value));
    batch
        .task_changes
        .iter()
        .for_each(|change| change_task(&mut plan, change, now));
    for claim in &batch.claims {
        take_claim(&mut plan, claim, (batch.gives_way, now))?;
    }
    batch.records.iter().for_each(|record| append(&mut plan, record));
    batch
        .reservations
        .iter()
        .for_each(|reservation| reserve(&mut plan, reservation));
    for write in batch.documents {
        documents::write(&mut plan, &write, bodies)?;
    }
    batch
        .tasks
        .iter()
        .for_each(|task| create_task(&mut plan, task, now));
    for projection in &batch.projections {
        match projection {
            Projection::Request(row) => projections::request(&mut plan, row),
            Projection::Certificate(row) => projections::certificate(&mut plan, row),
            Projection::Revoked(row) => projections::revoked(&mut plan, row),
            Projection::Released(enrollment) => projections::released(&mut plan, *enrollment),
            Projection::Registration(row) => registrations::registration(&mut plan, row),
            Projection::Secret(row) => registrations::secret(&mut plan, row),
        }
    }
    plan.checked()
}

fn spend(plan: &mut Plan, value: &Spend) {
    plan.step(SPEND, Expected::OneRow(Conflict::Spent))
        .blob(value.key)
        .integer(value.until.unix_millis());
}

fn change_task(plan: &mut Plan, change: &TaskChange, now: Timestamp) {
    match change {
        TaskChange::Complete { id, fence } => {
            plan.step(COMPLETE, Expected::OneRow(Conflict::Fence(*id)))
                .blob(*id.as_bytes())
                .integer(stored(*fence));
        }
        TaskChange::RetryAfter { id, fence, wait } => {
            let due = now.saturating_add(*wait);
            plan.step(RETRY, Expected::OneRow(Conflict::Fence(*id)))
                .integer(due.unix_millis())
                .integer(due.unix_millis())
                .blob(*id.as_bytes())
                .integer(stored(*fence));
        }
    }
}

fn take_claim(
    plan: &mut Plan,
    claim: &Claim,
    (gives_way, now): (Option<EnrollmentId>, Timestamp),
) -> Result<(), StoreError> {
    let requester = borsh::to_vec(&claim.requester)
        .map_err(|_| StoreError::Broken("a requester that cannot be written".to_owned()))?;
    plan.step(CLAIM, Expected::OneRow(Conflict::Claim(claim.key)))
        .blob(claim.key.0)
        .blob(requester)
        .blob(claim.digest)
        .blob(*claim.enrollment.as_bytes())
        .integer(claim.until.unix_millis())
        .integer(now.unix_millis())
        .blob(*gives_way.unwrap_or(claim.enrollment).as_bytes());
    Ok(())
}

fn append(plan: &mut Plan, record: &Record) {
    let header = record.header();
    let columns = record.to_stored();
    let kind = i64::from(header.stream.kind.number());
    // A position of 0 has no predecessor; -1 is never the largest position of a stream.
    let predecessor = header.position.checked_sub(1).map_or(-1, stored);
    plan.step(APPEND, Expected::OneRow(Conflict::Stream(header.stream)))
        .integer(kind)
        .blob(header.stream.id)
        .integer(stored(header.position))
        .blob(columns.header)
        .blob(columns.payload_digest)
        .blob_or_null(columns.salt)
        .blob_or_null(columns.payload)
        .blob(columns.key)
        .blob(columns.signature)
        .integer(predecessor)
        .integer(kind)
        .blob(header.stream.id);
}

fn reserve(plan: &mut Plan, reservation: &Reservation) {
    match reservation {
        Reservation::Take { space, key, stream } => {
            plan.step(TAKE, Expected::OneRow(Conflict::Reservation(*space)))
                .integer(space.number().into())
                .blob(*key)
                .integer(stream.kind.number().into())
                .blob(stream.id);
        }
        Reservation::Release { space, key } => {
            plan.step(RELEASE, Expected::Whatever)
                .integer(space.number().into())
                .blob(*key);
        }
    }
}

fn create_task(plan: &mut Plan, task: &NewTask, now: Timestamp) {
    let held_until = task.lease.map(|(_, term)| now.saturating_add(term));
    let due = now.saturating_add(task.wait);
    let ready_at = held_until.map_or(due, |until| until.max(due));
    let first = i64::from(task.lease.is_some());
    plan.step(TASK, Expected::OneRow(Conflict::Fence(task.id)))
        .blob(*task.id.as_bytes())
        .integer(task.kind.number().into())
        .integer(task.subject.kind.number().into())
        .blob(task.subject.id)
        .integer(due.unix_millis())
        .integer(ready_at.unix_millis())
        .integer(first)
        .integer(first)
        .blob_or_null(task.lease.map(|(node, _)| node.as_bytes().to_vec()));
}
