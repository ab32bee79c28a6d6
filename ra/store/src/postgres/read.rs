//! Reading records, claims, reservations and lists. Each question is one statement, so it sees one state of the store.

use std::sync::Arc;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{
    Answers, CertificateRow, Cursor, Page, RequestFilter, RequestRow, RevokedRow, Space, StoreError, Wanted,
};
use portreeve_ra::{ClaimKey, StreamId, StreamKind};

use super::gather::Gatherer;
use super::pool::{Pool, Question};
use crate::cursor;
use crate::row::{SERIAL_LENGTH, padded, stream};
use crate::rows;

/// Things of one question, at most.
const THINGS_MAX: usize = 4_096;

/// Records, claims and reservations, by place. What a place asks for is told by its number: the kind of a stream, 0 for a
/// claim, below 0 the space of a reservation. The columns are those of a record: position, header and so on; for a claim
/// until, requester, digest, enrollment; for a reservation the stream it leads to. The lateral question keeps PostgreSQL
/// from joining in another way than place by place, each along one index.
pub(crate) const READ: &str = "SELECT w.place, f.* \
    FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS w (number, id, place) CROSS JOIN LATERAL \
    (SELECT position AS number, header, payload_digest, salt, payload, key, signature FROM record \
    WHERE w.number > 0 AND kind = w.number AND stream = w.id \
    UNION ALL SELECT until, requester, digest, enrollment, NULL, NULL, NULL FROM claim \
    WHERE w.number = 0 AND claim.key = w.id \
    UNION ALL SELECT kind, stream, NULL, NULL, NULL, NULL, NULL FROM reservation \
    WHERE w.number < 0 AND space = -w.number AND reservation.key = w.id) f \
    ORDER BY w.place, f.number";

/// What [`READ`] reads.
#[derive(Clone)]
pub(crate) enum Thing {
    Stream(StreamId),
    Claim(ClaimKey),
    Reserved(Space, [u8; 32]),
}

impl Thing {
    fn number(&self) -> i64 {
        match self {
            Self::Stream(stream) => stream.kind.number().into(),
            Self::Claim(_) => 0,
            Self::Reserved(space, _) => -i64::from(space.number()),
        }
    }

    const fn id(&self) -> &[u8] {
        match self {
            Self::Stream(stream) => &stream.id,
            Self::Claim(ClaimKey(key)) | Self::Reserved(_, key) => key,
        }
    }
}

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

/// All of this, in one message.
pub(crate) async fn read(gatherer: &Arc<Gatherer<Thing>>, wanted: &Wanted) -> Result<Answers, StoreError> {
    let mut answers = Answers::to(wanted);
    if wanted.is_empty() {
        return Ok(answers);
    }
    if wanted.len() > THINGS_MAX {
        return Err(StoreError::Broken(format!("{} things at once", wanted.len())));
    }
    let things: Vec<Thing> = (wanted.streams.iter().copied().map(Thing::Stream))
        .chain(wanted.claims.iter().copied().map(Thing::Claim))
        .chain(
            wanted
                .reservations
                .iter()
                .map(|(space, key)| Thing::Reserved(*space, *key)),
        )
        .collect();
    let answer = gatherer.ask(&things).await?;
    let claims_from = wanted.streams.len();
    let reservations_from = claims_from + wanted.claims.len();
    for row in answer.rows() {
        let (place, row) = row?;
        match things.get(place) {
            Some(Thing::Stream(_)) => {
                if let Some(records) = answers.streams.get_mut(place) {
                    records.push(rows::record(row, 2)?);
                }
            }
            Some(Thing::Claim(key)) => {
                if let Some(slot) = answers.claims.get_mut(place - claims_from) {
                    *slot = Some(rows::claim(row, *key)?);
                }
            }
            Some(Thing::Reserved(..)) => {
                if let Some(slot) = answers.reservations.get_mut(place - reservations_from) {
                    *slot = Some(stream(row, 1)?);
                }
            }
            None => {}
        }
    }
    Ok(answers)
}

/// Asks for these things.
pub(crate) fn question(things: &[Thing]) -> Question {
    let numbers: Vec<i64> = things.iter().map(Thing::number).collect();
    let ids: Vec<&[u8]> = things.iter().map(Thing::id).collect();
    Question::new(READ).bind(numbers).bind(ids)
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
