//! Reading records, documents, claims and reservations. What is asked of one kind is one statement, so it sees one state of the
//! store.

use std::sync::Arc;

use portreeve_ra::ports::{Answers, Cursor, DocumentId, Page, StoreError, StoredDocument, Wanted};
use portreeve_ra::{StreamId, StreamKind};

use super::gather::{Gatherer, Things};
use super::readers::{Question, Readers};
use crate::cursor;
use crate::row::{column, number, stream};
use crate::rows;
use crate::sealed::{Bodies, SealedDocument};

/// Things of one question, at most.
const THINGS_MAX: usize = 4_096;

pub(crate) const STREAMS: &str = "SELECT kind, stream FROM record WHERE kind = ? AND stream < ? AND position = 1 \
                       ORDER BY stream DESC LIMIT ?";

/// The statements that answer for several things at once. Each has two parameters per place, and rows that begin with
/// the place. The cross join makes SQLite go through the places and look each up in an index.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Statement {
    Streams,
    Documents,
    Claims,
    Reserved,
}

impl Statement {
    pub(crate) const ALL: [Self; 4] = [Self::Streams, Self::Documents, Self::Claims, Self::Reserved];

    /// The statement for this many places, counted from `first`.
    pub(crate) fn sql(self, first: usize, places: usize) -> String {
        let rows: Vec<String> = (first..first.saturating_add(places))
            .map(|place| format!("({place}, ?, ?)"))
            .collect();
        let wanted = format!("WITH wanted (place, kind, id) AS (VALUES {})", rows.join(", "));
        let found = match self {
            Self::Streams => {
                "SELECT w.place, r.header, r.payload_digest, r.salt, r.payload, r.key, r.signature \
                 FROM wanted w CROSS JOIN record r ON r.kind = w.kind AND r.stream = w.id \
                 ORDER BY w.place, r.position"
            }
            Self::Documents => {
                "SELECT w.place, d.version, d.sealed \
                 FROM wanted w CROSS JOIN document d ON d.kind = w.kind AND d.id = w.id"
            }
            Self::Claims => {
                "SELECT w.place, c.until, c.requester, c.digest, c.enrollment \
                 FROM wanted w CROSS JOIN claim c ON c.key = w.id"
            }
            Self::Reserved => {
                "SELECT w.place, r.kind, r.stream \
                 FROM wanted w CROSS JOIN reservation r ON r.space = w.kind AND r.key = w.id"
            }
        };
        format!("{wanted} {found}")
    }

    /// The parameters of a place that asks for nothing.
    pub(crate) fn bind_nothing(self, question: Question<'_>) -> Question<'_> {
        match self {
            Self::Documents => question.bind(None::<&str>).bind(None::<Vec<u8>>),
            Self::Streams | Self::Claims | Self::Reserved => question.bind(None::<i64>).bind(None::<Vec<u8>>),
        }
    }
}

/// Places are asked for in powers of four, the rest of them empty, so that few different statements are prepared.
pub(crate) fn rounded(places: usize) -> usize {
    let mut rounded = 1;
    while rounded < places {
        rounded *= 4;
    }
    rounded
}

/// All of this, in one message.
pub(crate) async fn read(gatherer: &Arc<Gatherer>, wanted: &Wanted) -> Result<Answers, StoreError> {
    let mut answers = Answers::to(wanted);
    if wanted.is_empty() {
        return Ok(answers);
    }
    few_enough(wanted.len())?;
    let answer = gatherer.ask(Things::Wanted(wanted.clone())).await?;
    for row in answer.rows(Statement::Streams) {
        let (place, row) = row?;
        if let Some(records) = answers.streams.get_mut(place) {
            records.push(rows::record(row, 1)?);
        }
    }
    for row in answer.rows(Statement::Claims) {
        let (place, row) = row?;
        if let (Some(slot), Some(key)) = (answers.claims.get_mut(place), wanted.claims.get(place)) {
            *slot = Some(rows::claim(row, *key)?);
        }
    }
    for row in answer.rows(Statement::Reserved) {
        let (place, row) = row?;
        if let Some(slot) = answers.reservations.get_mut(place) {
            *slot = Some(stream(row, 1)?);
        }
    }
    Ok(answers)
}

fn few_enough(things: usize) -> Result<(), StoreError> {
    if things > THINGS_MAX {
        return Err(StoreError::Broken(format!("{things} things at once")));
    }
    Ok(())
}

/// These documents, opened, in the order asked.
pub(crate) async fn documents(
    gatherer: &Arc<Gatherer>,
    bodies: &Bodies,
    ids: &[DocumentId],
) -> Result<Vec<Option<StoredDocument>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    few_enough(ids.len())?;
    let answer = gatherer.ask(Things::Documents(ids.to_vec())).await?;
    let mut opened = vec![None; ids.len()];
    for row in answer.rows(Statement::Documents) {
        let (place, row) = row?;
        if let (Some(slot), Some(id)) = (opened.get_mut(place), ids.get(place)) {
            let sealed = SealedDocument {
                id: id.clone(),
                version: number(row, 1)?,
                sealed: column(row, 2)?,
            };
            *slot = Some(bodies.open(&sealed)?);
        }
    }
    Ok(opened)
}

/// Streams of a kind, newest first.
pub(crate) async fn streams(
    readers: &Readers,
    kind: StreamKind,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<StreamId>, StoreError> {
    let before = match after {
        Some(cursor) => cursor::octets::<16>(cursor)?.to_vec(),
        None => cursor::AFTER_ALL.to_vec(),
    };
    let query = sqlx::query(STREAMS)
        .bind(i64::from(kind.number()))
        .bind(before)
        .bind(cursor::rows_wanted(limit));
    let rows = readers.rows(query).await?;
    let items = rows.iter().map(|row| stream(row, 0)).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |stream: &StreamId| stream.id.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_rounded_up() {
        let rows = [
            (1, 1),
            (2, 4),
            (4, 4),
            (5, 16),
            (17, 64),
            (64, 64),
            (65, 256),
            (4_096, 4_096),
        ];
        for (places, expected) in rows {
            assert_eq!(rounded(places), expected, "{places}");
        }
    }
}
