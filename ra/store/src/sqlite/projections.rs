//! Rows that find and show: writing and reading them.

use portreeve_pkix::{SerialNumber, Timestamp};
use portreeve_ra::ports::{CertificateRow, Cursor, Page, RequestFilter, RequestRow, RevokedRow, StoreError};
use portreeve_ra::{EnrollmentId, ProposalId, RevocationReason};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;

use super::plan::{Expected, Plan};
use super::readers::Readers;
use super::row::{column, number, octets, time};
use crate::cursor;

/// Octets of a serial number as stored: padded in front, so that octets sort as numbers do.
const SERIAL_LENGTH: usize = 20;

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
    let rows = readers.rows(query.bind(cursor::rows_wanted(limit))).await?;
    let items = rows.iter().map(request_row).collect::<Result<_, _>>()?;
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

fn request_row(row: &SqliteRow) -> Result<RequestRow, StoreError> {
    let proposal: Option<&[u8]> = column(row, 6)?;
    Ok(RequestRow {
        enrollment: EnrollmentId::from_bytes(octets(row, 0)?),
        endpoint: column(row, 1)?,
        requester: column(row, 2)?,
        names: column(row, 3)?,
        profile: column(row, 4)?,
        state: column(row, 5)?,
        proposal: proposal
            .map(|_| octets(row, 6))
            .transpose()?
            .map(ProposalId::from_bytes),
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
    })
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
    let rows = readers.rows(query).await?;
    let items = rows.iter().map(certificate_row).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &CertificateRow| {
        row.enrollment.as_bytes().to_vec()
    }))
}

fn certificate_row(row: &SqliteRow) -> Result<CertificateRow, StoreError> {
    Ok(CertificateRow {
        enrollment: EnrollmentId::from_bytes(octets(row, 0)?),
        backend: column(row, 1)?,
        serial: serial(row, 2)?,
        names: column(row, 3)?,
        key: octets(row, 4)?,
        not_before: time(row, 5)?,
        not_after: time(row, 6)?,
    })
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
    let rows = readers.rows(query).await?;
    let items = rows.iter().map(revoked_row).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RevokedRow| {
        [padded(&row.serial).as_slice(), row.enrollment.as_bytes()].concat()
    }))
}

fn revoked_row(row: &SqliteRow) -> Result<RevokedRow, StoreError> {
    let reason = RevocationReason::from_number(number(row, 3)?)
        .ok_or_else(|| StoreError::Broken("unknown revocation reason".to_owned()))?;
    Ok(RevokedRow {
        enrollment: EnrollmentId::from_bytes(octets(row, 0)?),
        backend: column(row, 1)?,
        serial: serial(row, 2)?,
        reason,
        revoked_at: time(row, 4)?,
        not_after: time(row, 5)?,
    })
}

/// Where a list of enrollments goes on: at those made before this one.
fn before(after: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
    Ok(match after {
        Some(cursor) => cursor::octets::<16>(cursor)?.to_vec(),
        None => cursor::AFTER_ALL.to_vec(),
    })
}

fn padded(serial: &SerialNumber) -> Vec<u8> {
    let octets = serial.as_bytes();
    let mut stored = vec![0; SERIAL_LENGTH.saturating_sub(octets.len())];
    stored.extend_from_slice(octets);
    stored
}

fn serial(row: &SqliteRow, index: usize) -> Result<SerialNumber, StoreError> {
    let stored: &[u8] = column(row, index)?;
    let zeros = stored.iter().take_while(|octet| **octet == 0).count();
    let octets = stored.get(zeros..).unwrap_or_default();
    SerialNumber::from_bytes(octets).map_err(|error| StoreError::Broken(format!("serial number: {error}")))
}
