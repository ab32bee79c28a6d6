//! Where a list goes on: the place of the last row that was looked at, shown or not.

use portreeve_pkix::{Timestamp, sha256};

use super::expression::Expression;
use super::field::Among;
use super::plan::Plan;
use crate::domain::EnrollmentId;
use crate::ports::Cursor;

/// Octets that tell the lists of different queries apart.
const MARK: usize = 8;

/// The place of a row.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Position {
    /// In a list by enrollment.
    Enrollment(EnrollmentId),
    /// In a list by a time.
    Time(Timestamp, EnrollmentId),
}

/// A cursor that is not one of this list.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct BadCursor;

impl Position {
    /// The enrollment of the row.
    pub const fn enrollment(self) -> EnrollmentId {
        match self {
            Self::Enrollment(id) | Self::Time(_, id) => id,
        }
    }

    /// As a cursor of the list of this query.
    pub fn to_cursor(self, query: Option<&Expression>, among: Among) -> Cursor {
        let mut octets = mark(query, among).to_vec();
        if let Self::Time(at, _) = self {
            octets.extend_from_slice(&at.unix_millis().to_be_bytes());
        }
        octets.extend_from_slice(self.enrollment().as_bytes());
        Cursor(octets)
    }

    /// Reads a cursor: only that of a list of the same query, which is read in the same way.
    pub fn from_cursor(
        cursor: &Cursor,
        (query, among): (Option<&Expression>, Among),
        plan: &Plan,
    ) -> Result<Self, BadCursor> {
        let (given, place) = cursor.0.split_first_chunk::<MARK>().ok_or(BadCursor)?;
        if *given != mark(query, among) {
            return Err(BadCursor);
        }
        let id = |octets: &[u8]| {
            octets
                .try_into()
                .map(EnrollmentId::from_bytes)
                .map_err(|_| BadCursor)
        };
        if !plan.is_by_time() {
            return id(place).map(Self::Enrollment);
        }
        let (millis, rest) = place.split_first_chunk::<8>().ok_or(BadCursor)?;
        let at = Timestamp::from_unix_millis(i64::from_be_bytes(*millis));
        Ok(Self::Time(at, id(rest)?))
    }
}

fn mark(query: Option<&Expression>, among: Among) -> [u8; MARK] {
    let what = match among {
        Among::Certificates => "certificates ",
        Among::Requests => "requests ",
    };
    let text = query.map(Expression::to_string).unwrap_or_default();
    let digest = sha256(format!("{what}{text}").as_bytes());
    let mut mark = [0; MARK];
    mark.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    mark
}
