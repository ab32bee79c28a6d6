//! Rows that find and show: writing and reading them.

use portreeve_pkix::Timestamp;
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::{CertificateRow, Cursor, Page, RequestFilter, RequestRow, RevokedRow, StoreError};
use sqlx::AssertSqlSafe;

use super::plan::{Expected, Plan};
use super::readers::Readers;
use crate::cursor;
use crate::names;
use crate::row::{SERIAL_LENGTH, padded};
use crate::rows;

const REQUEST: &str = "INSERT INTO request \
    (enrollment, endpoint, requester, names, profile, state, proposal, created_at, updated_at, backend, key, \
    key_algorithm, cn, sans, registration, team) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (enrollment) DO UPDATE SET endpoint = excluded.endpoint, \
    requester = excluded.requester, names = excluded.names, profile = excluded.profile, state = excluded.state, \
    proposal = excluded.proposal, created_at = excluded.created_at, updated_at = excluded.updated_at, \
    backend = excluded.backend, key = excluded.key, key_algorithm = excluded.key_algorithm, cn = excluded.cn, \
    sans = excluded.sans, registration = coalesce(excluded.registration, registration), \
    team = coalesce(excluded.team, team)";

const CERTIFICATE: &str = "INSERT INTO certificate \
    (enrollment, backend, serial, names, key, not_before, not_after, key_algorithm, fingerprint, endpoint, profile, \
    profile_version, requester, cn, sans, registration, team, issued_at) \
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";

const NAME: &str =
    "INSERT INTO certificate_name (name, enrollment, kinds) VALUES (?, ?, ?) ON CONFLICT DO NOTHING";

const MARK: &str = "UPDATE certificate SET reason = ?, revoked_at = ? WHERE enrollment = ?";

const UNMARK: &str = "UPDATE certificate SET reason = NULL, revoked_at = NULL WHERE enrollment = ?";

const RELEASE: &str = "DELETE FROM revoked WHERE enrollment = ?";

const REVOKED: &str = "INSERT INTO revoked (enrollment, backend, serial, reason, revoked_at, not_after) \
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (enrollment) DO UPDATE SET backend = excluded.backend, \
    serial = excluded.serial, reason = excluded.reason, revoked_at = excluded.revoked_at, \
    not_after = excluded.not_after";

/// The statement that lists certificates; parameters: before which, how many.
pub(crate) fn certificates_statement() -> String {
    format!(
        "SELECT {} FROM certificate WHERE enrollment < ? ORDER BY enrollment DESC LIMIT ?",
        rows::CERTIFICATE
    )
}

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
        .integer(row.updated_at.unix_millis())
        .text(&row.backend)
        .blob(row.key)
        .text(&row.key_algorithm)
        .text(&names::joined(&row.searched.common, names::REQUEST_MAX))
        .text(&names::joined(&row.searched.alternative, names::REQUEST_MAX))
        .text_or_null(row.ownership.registration.as_deref())
        .text_or_null(row.ownership.team.as_deref());
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
        .integer(row.not_after.unix_millis())
        .text(&row.key_algorithm)
        .blob(row.fingerprint)
        .text(&row.endpoint)
        .text(&row.profile)
        .integer(row.profile_version.into())
        .text(&row.requester)
        .text(&names::joined(&row.searched.common, names::CERTIFICATE_MAX))
        .text(&names::joined(&row.searched.alternative, names::CERTIFICATE_MAX))
        .text_or_null(row.ownership.registration.as_deref())
        .text_or_null(row.ownership.team.as_deref())
        .integer(row.issued_at.unix_millis());
    for (name, kinds) in names::exact(&row.searched) {
        plan.step(NAME, Expected::Whatever)
            .text(&name)
            .blob(*row.enrollment.as_bytes())
            .integer(kinds);
    }
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
    plan.step(MARK, Expected::Whatever)
        .integer(row.reason.number().into())
        .integer(row.revoked_at.unix_millis())
        .blob(*row.enrollment.as_bytes());
}

/// Takes a revocation back.
pub(crate) fn released(plan: &mut Plan, enrollment: EnrollmentId) {
    for sql in [RELEASE, UNMARK] {
        plan.step(sql, Expected::Whatever).blob(*enrollment.as_bytes());
    }
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
        "SELECT {} FROM request WHERE enrollment < ? {state} {endpoint} ORDER BY enrollment DESC LIMIT ?",
        rows::REQUEST
    )
}

/// Certificates, newest first.
pub(crate) async fn certificates(
    readers: &Readers,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<CertificateRow>, StoreError> {
    let query = sqlx::query(AssertSqlSafe(certificates_statement()))
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
pub(crate) fn before(after: Option<&Cursor>) -> Result<Vec<u8>, StoreError> {
    Ok(match after {
        Some(cursor) => cursor::octets::<16>(cursor)?.to_vec(),
        None => cursor::AFTER_ALL.to_vec(),
    })
}
