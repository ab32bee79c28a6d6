//! Reading documents.

use std::sync::Arc;

use portreeve_ra::ports::{Cursor, DocumentId, DocumentKey, Page, StoreError, StoredDocument};
use sqlx::postgres::PgRow;

use super::gather::Gatherer;
use super::pool::{Pool, Question};
use crate::cursor;
use crate::row::{column, number, octets};
use crate::sealed::{Bodies, SealedDocument};

pub(crate) const READ: &str = "SELECT w.place, d.version, d.sealed \
    FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS w (kind, id, place) CROSS JOIN LATERAL \
    (SELECT version, sealed FROM document WHERE kind = w.kind AND id = w.id LIMIT 1) d";

pub(crate) const FIND: &str = "SELECT d.id, d.version, d.sealed, d.sequence \
    FROM document_key k JOIN document d ON d.sequence = k.document \
    WHERE k.kind = $1 AND k.name = $2 AND k.value = $3 AND k.document < $4 \
    ORDER BY k.document DESC LIMIT $5";

/// These documents, opened, in the order asked.
pub(crate) async fn read(
    gatherer: &Arc<Gatherer<DocumentId>>,
    bodies: &Bodies,
    ids: &[DocumentId],
) -> Result<Vec<Option<StoredDocument>>, StoreError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let answer = gatherer.ask(ids).await?;
    let mut opened = vec![None; ids.len()];
    for row in answer.rows() {
        let (place, row) = row?;
        if let (Some(slot), Some(id)) = (opened.get_mut(place), ids.get(place)) {
            let sealed = SealedDocument {
                id: id.clone(),
                version: number(row, 1)?,
                sealed: column(row, 2)?,
            };
            *slot = Some(bodies.open(&sealed)?);
        }
    }
    Ok(opened)
}

/// Asks for these documents.
pub(crate) fn question(ids: &[DocumentId]) -> Question {
    let kinds: Vec<&str> = ids.iter().map(|id| id.kind).collect();
    let octets: Vec<[u8; 16]> = ids.iter().map(|id| id.id).collect();
    Question::new(READ).bind(kinds).bind(octets)
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
    pool: &Pool,
    bodies: &Bodies,
    search: Search<'_>,
) -> Result<Page<StoredDocument>, StoreError> {
    let before = search
        .after
        .map(cursor::octets)
        .transpose()?
        .map_or(i64::MAX, i64::from_be_bytes);
    let question = Question::new(FIND)
        .bind(search.kind)
        .bind(search.key.index)
        .bind(search.key.value.clone())
        .bind(before)
        .bind(cursor::rows_wanted(search.limit));
    let rows = pool.read(&question).await?;
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

fn found(row: &PgRow, kind: &'static str) -> Result<(SealedDocument, i64), StoreError> {
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
