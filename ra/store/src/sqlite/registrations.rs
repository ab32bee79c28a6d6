//! Rows of registrations and secrets, that find and show: writing and reading them.

use portreeve_ra::ports::{
    Cursor, Page, RegistrationFilter, RegistrationRow, SecretFilter, SecretRow, StoreError,
};
use sqlx::AssertSqlSafe;

use super::plan::{Expected, Plan};
use super::projections::before;
use super::readers::Readers;
use crate::cursor;
use crate::rows;

const REGISTRATION: &str = "INSERT INTO registration (registration, name, team, state, vouched, until) \
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (registration) DO UPDATE SET name = excluded.name, team = excluded.team, \
    state = excluded.state, vouched = excluded.vouched, until = excluded.until";

const SECRET: &str = "INSERT INTO secret (secret, owner, kind, reference, state, until, created_at) \
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (secret) DO UPDATE SET owner = excluded.owner, kind = excluded.kind, \
    reference = excluded.reference, state = excluded.state, until = excluded.until, created_at = excluded.created_at";

/// Inserts or replaces a registration.
pub(crate) fn registration(plan: &mut Plan, row: &RegistrationRow) {
    plan.step(REGISTRATION, Expected::Whatever)
        .blob(*row.registration.as_bytes())
        .text(&row.name)
        .text_or_null(row.team.as_deref())
        .text(&row.state)
        .integer(row.vouched.into())
        .integer_or_null(row.until.map(|until| until.unix_millis()));
}

/// Inserts or replaces a secret.
pub(crate) fn secret(plan: &mut Plan, row: &SecretRow) {
    plan.step(SECRET, Expected::Whatever)
        .blob(*row.secret.as_bytes())
        .text(&row.owner)
        .integer(row.kind.number().into())
        .text(&row.reference)
        .text(&row.state)
        .integer_or_null(row.until.map(|until| until.unix_millis()))
        .integer(row.created_at.unix_millis());
}

/// Registrations, newest first.
pub(crate) async fn registrations(
    readers: &Readers,
    filter: &RegistrationFilter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<RegistrationRow>, StoreError> {
    let sql = registrations_statement(filter);
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(before(after)?);
    for word in [&filter.name, &filter.state].into_iter().flatten() {
        query = query.bind(word.clone());
    }
    for team in filter.teams.iter().flatten() {
        query = query.bind(team.clone());
    }
    let found = readers.rows(query.bind(cursor::rows_wanted(limit))).await?;
    let items = found.iter().map(rows::registration).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RegistrationRow| {
        row.registration.as_bytes().to_vec()
    }))
}

/// The statement that lists registrations by this filter; parameters: before which, name, state, teams, how many.
pub(crate) fn registrations_statement(filter: &RegistrationFilter) -> String {
    let name = match filter.name {
        Some(_) => "AND instr(lower(name), lower(?)) > 0",
        None => "",
    };
    let state = if filter.state.is_some() {
        "AND state = ?"
    } else {
        ""
    };
    let teams = filter
        .teams
        .as_ref()
        .map(|teams| format!("AND team IN ({})", vec!["?"; teams.len()].join(", ")))
        .unwrap_or_default();
    let vouched = if filter.vouched_only {
        "AND vouched = 1"
    } else {
        ""
    };
    format!(
        "SELECT registration, name, team, state, vouched, until FROM registration \
         WHERE registration < ? {name} {state} {teams} {vouched} ORDER BY registration DESC LIMIT ?"
    )
}

/// Secrets, newest first.
pub(crate) async fn secrets(
    readers: &Readers,
    filter: &SecretFilter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<SecretRow>, StoreError> {
    let sql = secrets_statement(filter);
    let mut query = sqlx::query(AssertSqlSafe(sql)).bind(before(after)?);
    if let Some(owner) = &filter.owner {
        query = query.bind(owner.clone());
    }
    if let Some(kind) = filter.kind {
        query = query.bind(i64::from(kind.number()));
    }
    let found = readers.rows(query.bind(cursor::rows_wanted(limit))).await?;
    let items = found.iter().map(rows::secret).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &SecretRow| {
        row.secret.as_bytes().to_vec()
    }))
}

/// The statement that lists secrets by this filter; parameters: before which, owner, kind, how many.
pub(crate) fn secrets_statement(filter: &SecretFilter) -> String {
    let owner = if filter.owner.is_some() {
        "AND owner = ?"
    } else {
        ""
    };
    let kind = if filter.kind.is_some() { "AND kind = ?" } else { "" };
    format!(
        "SELECT secret, owner, kind, reference, state, until, created_at FROM secret \
         WHERE secret < ? {owner} {kind} ORDER BY secret DESC LIMIT ?"
    )
}
