//! Rows that find and show: writing and reading them.

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{CertificateRow, Cursor, Page, RequestFilter, RequestRow, RevokedRow, StoreError};
use sqlx::AssertSqlSafe;

use super::plan::{Expected, Plan};
use super::readers::Readers;
use crate::cursor;
use crate::row::{SERIAL_LENGTH, padded};
use crate::rows;

const REQUEST: &str = "INSERT INTO request \
    (enrollment, endpoint, requester, names, profile, state, proposal, created_at, updated_at) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (enrollment) DO UPDATE SET endpoint = excluded.endpoint, \
    requester = excluded.requester, names = excluded.names, profile = excluded.profile, state = excluded.state, \
    proposal = excluded.proposal, created_at = excluded.created_at, updated_at = excluded.updated_at";

const CERTIFICATE: &str = "INSERT INTO certificate \
    (enrollment, backend, serial, names, key, not_before, not_after) VALUES (?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT DO NOTHING";

const REVOKED: &str = "INSERT INTO revoked (enrollment, backend, serial, reason, revoked_at, not_after) \
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (enrollment) DO UPDATE SET backend = excluded.backend, \
    serial = excluded.serial, reason = excluded.reason, revoked_at = excluded.revoked_at, \
    not_after = excluded.not_after";

pub(crate) const CERTIFICATES: &str = "SELECT enrollment, backend, serial, names, key, not_before, not_after \
    FROM certificate WHERE enrollment < ? ORDER BY enrollment DESC LIMIT ?";

pub(crate) const ALL_REVOKED: &str = "SELECT enrollment, backend, serial, reason, revoked_at, not_after FROM revoked \
    WHERE backend = ? AND (serial, enrollment) > (?, ?) AND not_after > ? ORDER BY serial, enrollment LIMIT ?";

/// Inserts or replaces a request.
pub(crate) fn request(plan: &mut Plan, row: &RequestRow) {
    plan.step(REQUEST, Expected::Whatever)
        .blob(*row.enrollment.as_bytes())
        .text(&row.endpoint)
        .text(&row.requester)
        .text(&row.names)
        .text(&row.profile)
        .text(&row.state)
        .blob_or_null(row.proposal.map(|id| id.as_bytes().to_vec()))
        .integer(row.created_at.unix_millis())
        .integer(row.updated_at.unix_millis());
}

/// Inserts a certificate.
pub(crate) fn certificate(plan: &mut Plan, row: &CertificateRow) {
    plan.step(CERTIFICATE, Expected::Whatever)
        .blob(*row.enrollment.as_bytes())
        .text(&row.backend)
        .blob(padded(&row.serial))
        .text(&row.names)
        .blob(row.key)
        .integer(row.not_before.unix_millis())
        .integer(row.not_after.unix_millis());
}

/// Inserts or replaces a revocation.
pub(crate) fn revoked(plan: &mut Plan, row: &RevokedRow) {
    plan.step(REVOKED, Expected::Whatever)
        .blob(*row.enrollment.as_bytes())
        .text(&row.backend)
        .blob(padded(&row.serial))
        .integer(row.reason.number().into())
        .integer(row.revoked_at.unix_millis())
        .integer(row.not_after.unix_millis());
}

/// Requests, newest first.
pub(crate) async fn requests(
    readers: &Readers,
    filter: &RequestFilter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<RequestRow>, StoreError> {
    let sql = requests_statement(filter);
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(before(after)?);
    for word in [&filter.state, &filter.endpoint].into_iter().flatten() {
        query = query.bind(word.clone());
    }
    let found = readers.rows(query.bind(cursor::rows_wanted(limit))).await?;
    let items = found.iter().map(rows::request).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RequestRow| {
        row.enrollment.as_bytes().to_vec()
    }))
}

/// The statement that lists requests by this filter; parameters: before which, state, endpoint, how many.
pub(crate) fn requests_statement(filter: &RequestFilter) -> String {
    let state = if filter.state.is_some() {
        "AND state = ?"
    } else {
        ""
    };
    let endpoint = if filter.endpoint.is_some() {
        "AND endpoint = ?"
    } else {
        ""
    };
    format!(
        "SELECT enrollment, endpoint, requester, names, profile, state, proposal, created_at, updated_at \
         FROM request WHERE enrollment < ? {state} {endpoint} ORDER BY enrollment DESC LIMIT ?"
    )
}

/// Certificates, newest first.
pub(crate) async fn certificates(
    readers: &Readers,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<CertificateRow>, StoreError> {
    let query = sqlx::query(CERTIFICATES)
        .bind(before(after)?)
        .bind(cursor::rows_wanted(limit));
    let found = readers.rows(query).await?;
    let items = found.iter().map(rows::certificate).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &CertificateRow| {
        row.enrollment.as_bytes().to_vec()
    }))
}

/// Revoked certificates of a backend that end after `not_after_min`, by serial.
pub(crate) async fn all_revoked(
    readers: &Readers,
    (backend, not_after_min): (&str, Timestamp),
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<RevokedRow>, StoreError> {
    let position: [u8; SERIAL_LENGTH + 16] = after.map_or(Ok([0; _]), cursor::octets)?;
    let (from_serial, from_enrollment) = position.split_at(SERIAL_LENGTH);
    let query = sqlx::query(ALL_REVOKED)
        .bind(backend.to_owned())
        .bind(from_serial.to_vec())
        .bind(from_enrollment.to_vec())
        .bind(not_after_min.unix_millis())
        .bind(cursor::rows_wanted(limit));
    let found = readers.rows(query).await?;
    let items = found.iter().map(rows::revoked).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RevokedRow| {
        [padded(&row.serial).as_slice(), row.enrollment.as_bytes()].concat()
    }))
}

/// Where a list of enrollments goes on: at those made before this one.
fn before(after: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
    Ok(match after {
        Some(cursor) => cursor::octets::<16>(cursor)?.to_vec(),
        None => cursor::AFTER_ALL.to_vec(),
    })
}
