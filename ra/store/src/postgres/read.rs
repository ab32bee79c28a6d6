//! Reading records, claims, reservations and lists. Each question is one statement, so it sees one state of the store.

use std::sync::Arc;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{
    CertificateRow, Cursor, Page, RequestFilter, RequestRow, RevokedRow, Space, StoreError,
};
use portreeve_ra::{Claim, ClaimKey, Record, StreamId, StreamKind};

use super::gather::Gatherer;
use super::pool::{Pool, Question};
use crate::cursor;
use crate::row::{SERIAL_LENGTH, padded, stream};
use crate::rows;

/// Streams of one question, at most.
const STREAMS_MAX: usize = 4_096;

/// The ordered inner question keeps PostgreSQL from joining in another way than stream by stream, along the index.
pub(crate) const LOAD: &str = "SELECT w.place, r.header, r.payload_digest, r.salt, r.payload, r.key, r.signature \
    FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS w (kind, stream, place) CROSS JOIN LATERAL \
    (SELECT * FROM record WHERE kind = w.kind AND stream = w.stream ORDER BY position) r \
    ORDER BY w.place, r.position";

pub(crate) const CLAIM: &str = "SELECT requester, digest, enrollment, until FROM claim WHERE key = $1";

pub(crate) const RESERVED: &str = "SELECT kind, stream FROM reservation WHERE space = $1 AND key = $2";

pub(crate) const STREAMS: &str = "SELECT kind, stream FROM record \
    WHERE kind = $1 AND stream < $2 AND position = 1 ORDER BY stream DESC LIMIT $3";

/// The statement that lists certificates; parameters: before which, how many.
pub(crate) fn certificates_statement() -> String {
    format!(
        "SELECT {} FROM certificate WHERE enrollment < $1 ORDER BY enrollment DESC LIMIT $2",
        rows::CERTIFICATE
    )
}

pub(crate) const ALL_REVOKED: &str = "SELECT enrollment, backend, serial, reason, revoked_at, not_after FROM revoked \
    WHERE backend = $1 AND (serial, enrollment) > ($2, $3) AND not_after > $4 ORDER BY serial, enrollment LIMIT $5";

/// The records of these streams, each in order; answers in the order asked.
pub(crate) async fn load(
    gatherer: &Arc<Gatherer<StreamId>>,
    streams: &[StreamId],
) -> Result<Vec<Vec<Record>>, StoreError> {
    if streams.is_empty() {
        return Ok(Vec::new());
    }
    if streams.len() > STREAMS_MAX {
        return Err(StoreError::Broken(format!("{} streams at once", streams.len())));
    }
    let answer = gatherer.ask(streams).await?;
    let mut found = vec![Vec::new(); streams.len()];
    for row in answer.rows() {
        let (place, row) = row?;
        if let Some(records) = found.get_mut(place) {
            records.push(rows::record(row)?);
        }
    }
    Ok(found)
}

/// Asks for the records of these streams.
pub(crate) fn streams_question(streams: &[StreamId]) -> Question {
    let kinds: Vec<i64> = streams.iter().map(|stream| stream.kind.number().into()).collect();
    let ids: Vec<[u8; 16]> = streams.iter().map(|stream| stream.id).collect();
    Question::new(LOAD).bind(kinds).bind(ids)
}

/// The claim with this key.
pub(crate) async fn claim(pool: &Pool, key: &ClaimKey) -> Result<Option<Claim>, StoreError> {
    let found = pool.read(&Question::new(CLAIM).bind(key.0)).await?;
    found.first().map(|row| rows::claim(row, *key, 0)).transpose()
}

/// Where a reservation leads.
pub(crate) async fn reserved(
    pool: &Pool,
    space: Space,
    key: &[u8; 32],
) -> Result<Option<StreamId>, StoreError> {
    let question = Question::new(RESERVED).bind(i64::from(space.number())).bind(*key);
    let found = pool.read(&question).await?;
    found.first().map(|row| stream(row, 0)).transpose()
}

/// Streams of a kind, newest first.
pub(crate) async fn streams(
    pool: &Pool,
    kind: StreamKind,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<StreamId>, StoreError> {
    let question = Question::new(STREAMS)
        .bind(i64::from(kind.number()))
        .bind(before(after)?)
        .bind(cursor::rows_wanted(limit));
    let found = pool.read(&question).await?;
    let items = found.iter().map(|row| stream(row, 0)).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |stream: &StreamId| stream.id.to_vec()))
}

/// Requests, newest first.
pub(crate) async fn requests(
    pool: &Pool,
    filter: &RequestFilter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<RequestRow>, StoreError> {
    let mut question = Question::new(requests_statement(filter))
        .bind(before(after)?)
        .bind(cursor::rows_wanted(limit));
    for word in [&filter.state, &filter.endpoint].into_iter().flatten() {
        question = question.bind(word.clone());
    }
    let found = pool.read(&question).await?;
    let items = found.iter().map(rows::request).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RequestRow| {
        row.enrollment.as_bytes().to_vec()
    }))
}

/// The statement that lists requests by this filter; parameters: before which, how many, then state and endpoint.
pub(crate) fn requests_statement(filter: &RequestFilter) -> String {
    let (state, endpoint) = match (filter.state.is_some(), filter.endpoint.is_some()) {
        (false, false) => ("", ""),
        (true, false) => ("AND state = $3", ""),
        (false, true) => ("", "AND endpoint = $3"),
        (true, true) => ("AND state = $3", "AND endpoint = $4"),
    };
    format!(
        "SELECT {} FROM request WHERE enrollment < $1 {state} {endpoint} ORDER BY enrollment DESC LIMIT $2",
        rows::REQUEST
    )
}

/// Certificates, newest first.
pub(crate) async fn certificates(
    pool: &Pool,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<CertificateRow>, StoreError> {
    let question = Question::new(certificates_statement())
        .bind(before(after)?)
        .bind(cursor::rows_wanted(limit));
    let found = pool.read(&question).await?;
    let items = found.iter().map(rows::certificate).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &CertificateRow| {
        row.enrollment.as_bytes().to_vec()
    }))
}

/// Revoked certificates of a backend that end after `not_after_min`, by serial.
pub(crate) async fn all_revoked(
    pool: &Pool,
    (backend, not_after_min): (&str, Timestamp),
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<RevokedRow>, StoreError> {
    let position: [u8; SERIAL_LENGTH + 16] = after.map_or(Ok([0; _]), cursor::octets)?;
    let (from_serial, from_enrollment) = position.split_at(SERIAL_LENGTH);
    let question = Question::new(ALL_REVOKED)
        .bind(backend.to_owned())
        .bind(from_serial.to_vec())
        .bind(from_enrollment.to_vec())
        .bind(not_after_min.unix_millis())
        .bind(cursor::rows_wanted(limit));
    let found = pool.read(&question).await?;
    let items = found.iter().map(rows::revoked).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RevokedRow| {
        [padded(&row.serial).as_slice(), row.enrollment.as_bytes()].concat()
    }))
}

/// Where a list of identifiers goes on: at those made before this one.
pub(crate) fn before(after: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
    Ok(match after {
        Some(cursor) => cursor::octets::<16>(cursor)?.to_vec(),
        None => cursor::AFTER_ALL.to_vec(),
    })
}
