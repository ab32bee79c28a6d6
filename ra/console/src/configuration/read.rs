//! Reading objects, versions and what changed between them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use portreeve_ra::access::Target;
use portreeve_ra::ports::Cursor;
use portreeve_ra::{ObjectHistory, ObjectKind, ObjectVersion, Right};

use super::views::{self, ConfigurationView, DiffView, VersionView};
use super::{DiffQuery, ListQuery};
use crate::ConsoleParts;
use crate::etag::tag;
use crate::paging::{List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// Versions in an answer, at most: the newest.
const VERSIONS_MAX: usize = 1_000;

pub(super) async fn may_read(parts: &ConsoleParts, signed_in: &SignedIn) -> Result<(), Problem> {
    signed_in
        .require(&parts.ra, Right::ConfigurationRead, Target::Installation)
        .await
}

/// Objects by name. A cursor is the name after which the list goes on.
pub(super) async fn list(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, query): (ObjectKind, ListQuery),
) -> Result<List<ConfigurationView>, Problem> {
    may_read(parts, signed_in).await?;
    let wanted = wanted(query.state.as_deref())?;
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    let after = match page.cursor()? {
        Some(Cursor(octets)) => Some(String::from_utf8(octets).map_err(|_| Problem::BadCursor)?),
        None => None,
    };
    let limit = usize::try_from(page.limit()?).unwrap_or(1);
    let mut found: Vec<ConfigurationView> = parts
        .ra
        .objects()
        .histories(kind)
        .await?
        .iter()
        .filter_map(views::object)
        .filter(|object| wanted(object) && after.as_ref().is_none_or(|after| object.name > *after))
        .collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more);
    let next = next.map(|last| Cursor(last.name.as_bytes().to_vec()));
    Ok(List::new(found, next))
}

fn wanted(state: Option<&str>) -> Result<fn(&ConfigurationView) -> bool, Problem> {
    match state {
        None | Some("in_force") => Ok(|object| object.state == "in_force"),
        Some("draft") => Ok(|object| !object.drafts.is_empty()),
        Some("retired") => Ok(|object| object.state == "retired"),
        Some("all") => Ok(|_| true),
        Some(_) => Err(Problem::Malformed(
            "state is in_force, draft, retired or all".to_owned(),
        )),
    }
}

/// The object; with a tag when it is in force.
pub(super) async fn show(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, name): (ObjectKind, &str),
) -> Result<Response, Problem> {
    let history = history(parts, signed_in, (kind, name)).await?;
    let found = views::object(&history).ok_or(Problem::NotFound("object"))?;
    Ok(match history.current() {
        Some(current) => (tag(current.version), Json(found)).into_response(),
        None => Json(found).into_response(),
    })
}

pub(super) async fn versions(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, name): (ObjectKind, &str),
) -> Result<List<VersionView>, Problem> {
    let history = history(parts, signed_in, (kind, name)).await?;
    let newest = history.revisions().iter().rev().take(VERSIONS_MAX);
    let items = newest.map(|revision| views::version(&history, revision));
    Ok(List::new(items.collect(), None))
}

pub(super) async fn version(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, name, number): (ObjectKind, &str, u32),
) -> Result<VersionView, Problem> {
    let history = history(parts, signed_in, (kind, name)).await?;
    let revision = history.revision(number).ok_or(Problem::NotFound("version"))?;
    Ok(VersionView {
        body: Some(revision.object.body.clone()),
        ..views::version(&history, revision)
    })
}

/// What changes from the version in force to the latest one, or between two others.
pub(super) async fn diff(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    ((kind, name), query): ((ObjectKind, &str), DiffQuery),
) -> Result<DiffView, Problem> {
    let history = history(parts, signed_in, (kind, name)).await?;
    let numbered = |number| history.version(number).ok_or(Problem::NotFound("version"));
    let from = query.from.map(numbered).transpose()?.or(history.current());
    let latest = history.revisions().last().map(|revision| &revision.object);
    let to = query.to.map(numbered).transpose()?.or(latest);
    let to = to.ok_or(Problem::NotFound("version"))?;
    compared(parts, from, to)
}

/// What changes between two versions.
pub(super) fn compared(
    parts: &ConsoleParts,
    from: Option<&ObjectVersion>,
    to: &ObjectVersion,
) -> Result<DiffView, Problem> {
    let changes = match from {
        Some(from) => parts.workbench.compare(from, to).map_err(Problem::Object)?,
        None => Vec::new(),
    };
    Ok(DiffView {
        from: from.map_or(0, |from| from.version),
        to: to.version,
        widens: parts.ra.policy().widens(from, to),
        changes,
    })
}

pub(super) async fn history(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, name): (ObjectKind, &str),
) -> Result<ObjectHistory, Problem> {
    may_read(parts, signed_in).await?;
    let found = parts.ra.objects().history(kind, name).await?;
    found.ok_or(Problem::NotFound("object"))
}
