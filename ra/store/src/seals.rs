//! Rows of the audit log as values, the same on either engine, and reading it without opening the store.

use portreeve_ra::StoredRecord;
use portreeve_ra::ports::{
    CheckpointRow, RecordPlace, SealProgress, SealedRecord, StoreError, TILE, UnsealedRecord,
};

use crate::row::{Columns, blob, blob_or_null, number, octets, stored, text, time};

/// `size, high, watermark, newest, checkpoint`.
pub(crate) fn progress(row: Option<&impl Columns>) -> Result<SealProgress, StoreError> {
    let row = row.ok_or_else(|| StoreError::Broken("the row of the audit tree is gone".to_owned()))?;
    Ok(SealProgress {
        size: number(row, 0)?,
        high: number(row, 1)?,
        watermark: number(row, 2)?,
        newest: number(row, 3)?,
        checkpoint: number(row, 4)?,
    })
}

/// The first place of a tile in its level, and the first after it.
pub(crate) fn tile_range(index: u64) -> Result<(i64, i64), StoreError> {
    let range = index
        .checked_mul(TILE)
        .and_then(|from| Some((from, from.checked_add(TILE)?)));
    let (from, to) = range.ok_or_else(|| StoreError::Broken("no such tile".to_owned()))?;
    Ok((stored(from), stored(to)))
}

/// Rows of `place, hash`, which must follow each other.
pub(crate) fn tile<R: Columns>(rows: &[R], from: i64) -> Result<Vec<[u8; 32]>, StoreError> {
    let mut hashes = Vec::with_capacity(rows.len());
    for (place, row) in (from..).zip(rows) {
        if number::<i64>(row, 0)? != place {
            return Err(StoreError::Broken(format!(
                "the audit tree lacks a hash at {place}"
            )));
        }
        hashes.push(octets(row, 1)?);
    }
    Ok(hashes)
}

/// `leaf, sequence, kind, stream, position, hash, header, payload_digest, salt, payload, key, signature`.
pub(crate) fn sealed(row: &impl Columns) -> Result<SealedRecord, StoreError> {
    let record = match blob_or_null(row, 6)? {
        None => None,
        Some(header) => Some(StoredRecord {
            header: header.to_vec(),
            payload_digest: blob(row, 7)?.to_vec(),
            salt: blob_or_null(row, 8)?.map(<[u8]>::to_vec),
            payload: blob_or_null(row, 9)?.map(<[u8]>::to_vec),
            key: blob(row, 10)?.to_vec(),
            signature: blob(row, 11)?.to_vec(),
        }),
    };
    Ok(SealedRecord {
        index: number(row, 0)?,
        sequence: number(row, 1)?,
        place: place(row, 2)?,
        hash: octets(row, 5)?,
        record,
    })
}

/// `sequence, kind, stream, position, header, payload_digest, key, signature`.
pub(crate) fn unsealed(row: &impl Columns) -> Result<UnsealedRecord, StoreError> {
    let record = StoredRecord {
        header: blob(row, 4)?.to_vec(),
        payload_digest: blob(row, 5)?.to_vec(),
        salt: None,
        payload: None,
        key: blob(row, 6)?.to_vec(),
        signature: blob(row, 7)?.to_vec(),
    };
    Ok(UnsealedRecord {
        sequence: number(row, 0)?,
        place: place(row, 1)?,
        hash: record.leaf_hash(),
    })
}

/// `number, size, at, note`.
pub(crate) fn checkpoint(row: &impl Columns) -> Result<CheckpointRow, StoreError> {
    Ok(CheckpointRow {
        number: number(row, 0)?,
        size: number(row, 1)?,
        at: time(row, 2)?,
        note: text(row, 3)?,
    })
}

fn place(row: &impl Columns, first: usize) -> Result<RecordPlace, StoreError> {
    Ok(RecordPlace {
        kind: number(row, first)?,
        stream: octets(row, first + 1)?,
        position: number(row, first + 2)?,
    })
}
