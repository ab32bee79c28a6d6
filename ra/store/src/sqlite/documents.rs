//! Documents: writing them, and finding them by a key.

use portreeve_ra::ports::{
    Conflict, Cursor, DocumentId, DocumentKey, DocumentWrite, Page, StoreError, StoredDocument,
};
use sqlx::sqlite::SqliteRow;

use super::plan::{Expected, Plan};
use super::readers::Readers;
use crate::cursor;
use crate::row::{column, number, octets, stored};
use crate::sealed::{Bodies, SealedDocument};

const CREATE: &str = "INSERT INTO document (kind, id, version, sealed, expires_at) VALUES (?, ?, ?, ?, ?) \
                      ON CONFLICT DO NOTHING";

const REPLACE: &str = "UPDATE document SET version = ?, sealed = ?, expires_at = ? \
                       WHERE kind = ? AND id = ? AND version = ?";

const DELETE: &str = "DELETE FROM document WHERE kind = ? AND id = ? AND version = ?";

pub(crate) const DROP_KEYS: &str = "DELETE FROM document_key \
                         WHERE document = (SELECT sequence FROM document WHERE kind = ? AND id = ?)";

const ADD_KEY: &str = "INSERT INTO document_key (kind, name, value, document, only) \
                       SELECT kind, ?, ?, sequence, ? FROM document WHERE kind = ? AND id = ? \
                       ON CONFLICT (kind, name, value, document) DO NOTHING";

pub(crate) const FIND: &str = "SELECT d.id, d.version, d.sealed, d.sequence \
                    FROM document_key k JOIN document d ON d.sequence = k.document \
                    WHERE k.kind = ? AND k.name = ? AND k.value = ? AND k.document < ? \
                    ORDER BY k.document DESC LIMIT ?";

/// Creates, replaces or deletes a document.
pub(crate) fn write(plan: &mut Plan, write: &DocumentWrite, bodies: &Bodies) -> Result<(), StoreError> {
    let id = &write.id;
    let moved_on = || Expected::OneRow(Conflict::Document(id.clone()));
    let predecessor = write.version.checked_sub(1).map_or(-1, stored);
    let expires_at = write.expires_at.map(|at| at.unix_millis());
    match bodies.seal(write)? {
        None => {
            plan.step(DELETE, moved_on())
                .text(id.kind)
                .blob(id.id)
                .integer(predecessor);
            return Ok(());
        }
        Some(sealed) if write.version == 1 => {
            plan.step(CREATE, moved_on())
                .text(id.kind)
                .blob(id.id)
                .integer(1)
                .blob(sealed)
                .integer_or_null(expires_at);
        }
        Some(sealed) => {
            plan.step(REPLACE, moved_on())
                .integer(stored(write.version))
                .blob(sealed)
                .integer_or_null(expires_at)
                .text(id.kind)
                .blob(id.id)
                .integer(predecessor);
            drop_other_keys(plan, write);
        }
    }
    for key in &write.keys {
        plan.step(ADD_KEY, Expected::NoConstraint(Conflict::DocumentKey(key.index)))
            .text(key.index)
            .blob(key.value.as_slice())
            .integer(key.unique.into())
            .text(id.kind)
            .blob(id.id);
    }
    Ok(())
}

/// Drops the keys that the new version does not have; those that stay are not written again.
fn drop_other_keys(plan: &mut Plan, write: &DocumentWrite) {
    if write.keys.is_empty() {
        plan.step(DROP_KEYS, Expected::Whatever)
            .text(write.id.kind)
            .blob(write.id.id);
        return;
    }
    let kept = vec!["(?, ?, ?)"; write.keys.len()].join(", ");
    let sql = format!("{DROP_KEYS} AND (name, value, only) NOT IN (VALUES {kept})");
    plan.step(&sql, Expected::Whatever)
        .text(write.id.kind)
        .blob(write.id.id);
    for key in &write.keys {
        plan.text(key.index)
            .blob(key.value.as_slice())
            .integer(key.unique.into());
    }
}

/// Which documents are looked for.
pub(crate) struct Search<'a> {
    pub(crate) kind: &'static str,
    pub(crate) key: &'a DocumentKey,
    pub(crate) after: Option<&'a Cursor>,
    pub(crate) limit: u32,
}

/// Documents with this key, opened, newest first.
pub(crate) async fn find(
    readers: &Readers,
    bodies: &Bodies,
    search: Search<'_>,
) -> Result<Page<StoredDocument>, StoreError> {
    let before = search
        .after
        .map(cursor::octets)
        .transpose()?
        .map_or(i64::MAX, i64::from_be_bytes);
    let question = sqlx::query(FIND)
        .bind(search.kind)
        .bind(search.key.index)
        .bind(search.key.value.clone())
        .bind(before)
        .bind(cursor::rows_wanted(search.limit));
    let rows = readers.rows(question).await?;
    let found = rows
        .iter()
        .map(|row| found(row, search.kind))
        .collect::<Result<Vec<_>, _>>()?;
    let page = cursor::page(found, search.limit, |(_, sequence)| {
        sequence.to_be_bytes().to_vec()
    });
    let items = page
        .items
        .iter()
        .map(|(document, _)| bodies.open(document))
        .collect::<Result<_, _>>()?;
    Ok(Page {
        items,
        next: page.next,
    })
}

fn found(row: &SqliteRow, kind: &'static str) -> Result<(SealedDocument, i64), StoreError> {
    let id = DocumentId {
        kind,
        id: octets(row, 0)?,
    };
    Ok((
        SealedDocument {
            id,
            version: number(row, 1)?,
            sealed: column(row, 2)?,
        },
        column(row, 3)?,
    ))
}
