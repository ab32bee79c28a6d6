//! Lists of registrations and secrets.

use portreeve_ra::ports::{
    Cursor, Page, RegistrationFilter, RegistrationRow, SecretFilter, SecretRow, StoreError,
};

use super::pool::{Pool, Question};
use super::read::before;
use crate::cursor;
use crate::rows;

/// Parameters: before which, how many, name, state, teams. What is NULL does not narrow the list.
pub(crate) const REGISTRATIONS: &str = "SELECT registration, name, team, state, vouched, until FROM registration \
    WHERE registration < $1 AND ($3::text IS NULL OR position(lower($3) IN lower(name)) > 0) \
    AND ($4::text IS NULL OR state = $4) AND ($5::text[] IS NULL OR team = ANY ($5)) \
    ORDER BY registration DESC LIMIT $2";

/// The same of those that are vouched for.
pub(crate) const VOUCHED: &str = "SELECT registration, name, team, state, vouched, until FROM registration \
    WHERE registration < $1 AND ($3::text IS NULL OR position(lower($3) IN lower(name)) > 0) \
    AND ($4::text IS NULL OR state = $4) AND ($5::text[] IS NULL OR team = ANY ($5)) AND vouched = 1 \
    ORDER BY registration DESC LIMIT $2";

/// Registrations, newest first.
pub(crate) async fn registrations(
    pool: &Pool,
    filter: &RegistrationFilter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<RegistrationRow>, StoreError> {
    let statement = if filter.vouched_only {
        VOUCHED
    } else {
        REGISTRATIONS
    };
    let question = Question::new(statement)
        .bind(before(after)?)
        .bind(cursor::rows_wanted(limit))
        .bind(filter.name.clone())
        .bind(filter.state.clone())
        .bind(filter.teams.clone());
    let found = pool.read(&question).await?;
    let items = found.iter().map(rows::registration).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &RegistrationRow| {
        row.registration.as_bytes().to_vec()
    }))
}

/// Secrets, newest first.
pub(crate) async fn secrets(
    pool: &Pool,
    filter: &SecretFilter,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Page<SecretRow>, StoreError> {
    let mut question = Question::new(secrets_statement(filter))
        .bind(before(after)?)
        .bind(cursor::rows_wanted(limit));
    if let Some(owner) = &filter.owner {
        question = question.bind(owner.clone());
    }
    if let Some(kind) = filter.kind {
        question = question.bind(i64::from(kind.number()));
    }
    let found = pool.read(&question).await?;
    let items = found.iter().map(rows::secret).collect::<Result<_, _>>()?;
    Ok(cursor::page(items, limit, |row: &SecretRow| {
        row.secret.as_bytes().to_vec()
    }))
}

/// The statement that lists secrets by this filter; parameters: before which, how many, then owner and kind.
pub(crate) fn secrets_statement(filter: &SecretFilter) -> String {
    let (owner, kind) = match (filter.owner.is_some(), filter.kind.is_some()) {
        (false, false) => ("", ""),
        (true, false) => ("AND owner = $3", ""),
        (false, true) => ("", "AND kind = $3"),
        (true, true) => ("AND owner = $3", "AND kind = $4"),
    };
    format!(
        "SELECT secret, owner, kind, reference, state, until, created_at FROM secret \
         WHERE secret < $1 {owner} {kind} ORDER BY secret DESC LIMIT $2"
    )
}
