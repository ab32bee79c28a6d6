//! Reading records, claims and reservations. Each question is one statement, so it sees one state of the store.

use borsh::BorshDeserialize;
use portreeve_ra::ports::{Cursor, Page, Space, StoreError};
use portreeve_ra::{Claim, ClaimKey, EnrollmentId, Record, Requester, StoredRecord, StreamId, StreamKind};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;

use super::readers::Readers;
use super::row::{column, number, octets, stream, time};
use crate::cursor;

/// Streams of one question, at most.
const STREAMS_MAX: usize = 4_096;

pub(crate) const CLAIM: &str = "SELECT requester, digest, enrollment, until FROM claim WHERE key = ?";

pub(crate) const RESERVED: &str = "SELECT kind, stream FROM reservation WHERE space = ? AND key = ?";

pub(crate) const STREAMS: &str = "SELECT kind, stream FROM record WHERE kind = ? AND stream < ? AND position = 1 \
                       ORDER BY stream DESC LIMIT ?";

/// Questions for several things at once are asked for a power of two of them, the rest NULL, so that few different
/// statements are prepared. These are the rows `(0, ?, ?), (1, ?, ?)` for this many things: each with its place.
pub(crate) fn places(count: usize) -> (usize, String) {
    let places = count.next_power_of_two();
    let rows: Vec<String> = (0..places).map(|place| format!("({place}, ?, ?)")).collect();
    (places, rows.join(", "))
}

/// Questions for up to this many things stay prepared.
pub(crate) const PLACES_KEPT: usize = 64;

/// The statement that loads the streams of these rows. The cross join makes SQLite go through the rows and look each
/// up in the index of places.
pub(crate) fn load_statement(rows: &str) -> String {
    format!(
        "WITH wanted (place, kind, stream) AS (VALUES {rows}) \
         SELECT w.place, r.header, r.payload_digest, r.salt, r.payload, r.key, r.signature \
         FROM wanted w CROSS JOIN record r ON r.kind = w.kind AND r.stream = w.stream \
         ORDER BY w.place, r.position"
    )
}

/// The records of these streams, each in order; answers in the order asked.
pub(crate) async fn load(readers: &Readers, streams: &[StreamId]) -> Result<Vec<Vec<Record>>, StoreError> {
    if streams.is_empty() {
        return Ok(Vec::new());
    }
    if streams.len() > STREAMS_MAX {
        return Err(StoreError::Broken(format!("{} streams at once", streams.len())));
    }
    let (places, rows) = places(streams.len());
    let mut question = sqlx::query(AssertSqlSafe(load_statement(&rows))).persistent(places <= PLACES_KEPT);
    for stream in streams
        .iter()
        .map(Some)
        .chain(std::iter::repeat(None))
        .take(places)
    {
        question = question
            .bind(stream.map(|stream| i64::from(stream.kind.number())))
            .bind(stream.map(|stream| stream.id.to_vec()));
    }
    let mut found = vec![Vec::new(); streams.len()];
    for row in &readers.rows(question).await? {
        if let Some(records) = found.get_mut(number::<usize>(row, 0)?) {
            records.push(record(row)?);
        }
    }
    Ok(found)
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    Record::from_stored(StoredRecord {
        header: column(row, 1)?,
        payload_digest: column(row, 2)?,
        salt: column(row, 3)?,
        payload: column(row, 4)?,
        key: column(row, 5)?,
        signature: column(row, 6)?,
    })
    .map_err(|error| StoreError::Broken(error.to_string()))
}

/// The claim with this key.
pub(crate) async fn claim(readers: &Readers, key: &ClaimKey) -> Result<Option<Claim>, StoreError> {
    let query = sqlx::query(CLAIM).bind(key.0.to_vec());
    let Some(row) = readers.row(query).await? else {
        return Ok(None);
    };
    let requester = Requester::try_from_slice(column(&row, 0)?)
        .map_err(|_| StoreError::Broken("the requester of a claim".to_owned()))?;
    Ok(Some(Claim {
        key: *key,
        requester,
        digest: octets(&row, 1)?,
        enrollment: EnrollmentId::from_bytes(octets(&row, 2)?),
        until: time(&row, 3)?,
    }))
}

/// Where a reservation leads.
pub(crate) async fn reserved(
    readers: &Readers,
    space: Space,
    key: &[u8; 32],
) -> Result<Option<StreamId>, StoreError> {
    let query = sqlx::query(RESERVED)
        .bind(i64::from(space.number()))
        .bind(key.to_vec());
    readers.row(query).await?.map(|row| stream(&row, 0)).transpose()
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
