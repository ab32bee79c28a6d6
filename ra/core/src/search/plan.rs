//! Along which index a store reads. Whatever the way, every row is compared with the whole expression.

use portreeve_pkix::Timestamp;

use super::expression::{Expression, Term};
use super::field::{Among, Field, Status};
use super::value::{Range, Value};
use crate::domain::EnrollmentState;

/// How much earlier than its recorded arrival the id of a request may have been made.
const ID_BEFORE_RECORD: i64 = 86_400_000;

/// In which order times come.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Way {
    /// The earliest first.
    Rising,
    /// The latest first.
    Falling,
}

/// What rows are read along.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Drive {
    /// Everything, the newest first.
    Newest,
    /// Those with this value, the newest first.
    Equal(Field, Value),
    /// Requests that wait for approval and have this value, the newest first.
    Waiting(Field, Value),
    /// Those with exactly this common name or alternative name, the newest first.
    Named(Field, String),
    /// Those with a time in this range, by that time.
    Between(Field, Range, Way),
}

/// How a search is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Along what.
    pub drive: Drive,
    /// Only enrollments whose ids were made in this time.
    pub made: Range,
}

impl Plan {
    /// The way that reads the fewest rows, as far as can be known without counting.
    pub fn of(expression: Option<&Expression>, among: Among, now: Timestamp) -> Self {
        let required = expression.map(Expression::required).unwrap_or_default();
        let drive = match among {
            Among::Certificates => certificates(&required, now),
            Among::Requests => requests(&required),
        };
        let received = between(&required, Field::Received, now);
        let made = Range {
            from: received.from.map(|from| from.saturating_sub(ID_BEFORE_RECORD)),
            before: received.before,
        };
        Self { drive, made }
    }

    /// Whether positions in this list are times.
    pub const fn is_by_time(&self) -> bool {
        matches!(self.drive, Drive::Between(..))
    }
}

fn certificates(required: &[&Term], now: Timestamp) -> Drive {
    let exact = [Field::Serial, Field::Fingerprint, Field::Spki];
    if let Some(drive) = first_equal(required, &exact) {
        return drive;
    }
    for field in [Field::AlternativeName, Field::CommonName] {
        if let Some(name) = only(required, field).and_then(Value::text) {
            return Drive::Named(field, name.to_owned());
        }
    }
    if let Some(drive) = first_equal(required, &[Field::Requester]) {
        return drive;
    }
    let status = only(required, Field::Status)
        .and_then(Value::text)
        .and_then(Status::from_word);
    let revoked = between(required, Field::Revoked, now);
    let of_revoked = matches!(status, Some(Status::Revoked | Status::Held));
    if of_revoked || !revoked.is_open() || only(required, Field::Reason).is_some() {
        return Drive::Between(Field::Revoked, revoked, Way::Falling);
    }
    let now_on = Range {
        from: Some(now.unix_millis().saturating_add(1)),
        before: None,
    };
    let valid = if status == Some(Status::Valid) {
        now_on
    } else {
        Range::default()
    };
    let expires = between(required, Field::Expires, now).and(valid);
    if expires.before.is_some() {
        // What ends next comes first; what has ended, if it is asked for as well, backwards.
        let way = if expires.from.is_some() {
            Way::Rising
        } else {
            Way::Falling
        };
        return Drive::Between(Field::Expires, expires, way);
    }
    let issued = between(required, Field::Issued, now);
    if !issued.is_open() {
        return Drive::Between(Field::Issued, issued, Way::Falling);
    }
    first_equal(
        required,
        &[Field::Registration, Field::Team, Field::Profile, Field::Endpoint],
    )
    .unwrap_or(Drive::Newest)
}

fn requests(required: &[&Term]) -> Drive {
    let waiting = Value::Text(EnrollmentState::AwaitingApproval.as_str().to_owned());
    let state = only(required, Field::State);
    if state == Some(&waiting) {
        let narrower = [Field::Requester, Field::Team, Field::Profile]
            .into_iter()
            .find_map(|field| Some(Drive::Waiting(field, only(required, field)?.clone())));
        return narrower.unwrap_or(Drive::Equal(Field::State, waiting));
    }
    first_equal(
        required,
        &[Field::Registration, Field::Team, Field::State, Field::Endpoint],
    )
    .unwrap_or(Drive::Newest)
}

fn only<'a>(required: &[&'a Term], field: Field) -> Option<&'a Value> {
    let mut terms = required.iter().filter(|term| term.field() == field);
    terms.find_map(|term| term.only())
}

fn first_equal(required: &[&Term], fields: &[Field]) -> Option<Drive> {
    fields
        .iter()
        .find_map(|field| Some(Drive::Equal(*field, only(required, *field)?.clone())))
}

/// What all terms on a time have in common.
fn between(required: &[&Term], field: Field, now: Timestamp) -> Range {
    required
        .iter()
        .filter(|term| term.field() == field && term.operator() != super::Operator::Unequal)
        .filter_map(|term| term.range(now))
        .fold(Range::default(), Range::and)
}
