//! Reading columns, by position, of rows of either engine.

use portreeve_pkix::{SerialNumber, Timestamp};
use portreeve_ra::ports::StoreError;
use portreeve_ra::{StreamId, StreamKind};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{ColumnIndex, Decode, Row, Type};

/// Octets of a serial number as stored: padded in front, so that octets sort as numbers do.
pub(crate) const SERIAL_LENGTH: usize = 20;

/// A row from which numbers and octets can be read.
pub(crate) trait Columns {
    /// A number.
    fn integer(&self, index: usize) -> Result<i64, sqlx::Error>;
    /// Octets or NULL.
    fn blob(&self, index: usize) -> Result<Option<&[u8]>, sqlx::Error>;
    /// A number or NULL.
    fn integer_or_null(&self, index: usize) -> Result<Option<i64>, sqlx::Error>;
    /// Text.
    fn text(&self, index: usize) -> Result<String, sqlx::Error>;
    /// Text or NULL.
    fn text_or_null(&self, index: usize) -> Result<Option<String>, sqlx::Error>;
}

impl Columns for SqliteRow {
    fn integer(&self, index: usize) -> Result<i64, sqlx::Error> {
        self.try_get(index)
    }
    fn blob(&self, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
        self.try_get(index)
    }
    fn integer_or_null(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(index)
    }
    fn text(&self, index: usize) -> Result<String, sqlx::Error> {
        self.try_get(index)
    }
    fn text_or_null(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        self.try_get(index)
    }
}

impl Columns for PgRow {
    fn integer(&self, index: usize) -> Result<i64, sqlx::Error> {
        self.try_get(index)
    }
    fn blob(&self, index: usize) -> Result<Option<&[u8]>, sqlx::Error> {
        self.try_get(index)
    }
    fn integer_or_null(&self, index: usize) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(index)
    }
    fn text(&self, index: usize) -> Result<String, sqlx::Error> {
        self.try_get(index)
    }
    fn text_or_null(&self, index: usize) -> Result<Option<String>, sqlx::Error> {
        self.try_get(index)
    }
}

fn unreadable(error: sqlx::Error) -> StoreError {
    StoreError::Broken(error.to_string())
}

/// A value of this type in this column.
pub(crate) fn column<'r, T, R>(row: &'r R, index: usize) -> Result<T, StoreError>
where
    R: Row,
    usize: ColumnIndex<R>,
    T: Decode<'r, R::Database> + Type<R::Database>,
{
    row.try_get(index).map_err(unreadable)
}

/// Octets.
pub(crate) fn blob(row: &impl Columns, index: usize) -> Result<&[u8], StoreError> {
    blob_or_null(row, index)?.ok_or_else(|| StoreError::Broken(format!("column {index} is NULL")))
}

/// Octets or NULL.
pub(crate) fn blob_or_null(row: &impl Columns, index: usize) -> Result<Option<&[u8]>, StoreError> {
    row.blob(index).map_err(unreadable)
}

/// Text.
pub(crate) fn text(row: &impl Columns, index: usize) -> Result<String, StoreError> {
    row.text(index).map_err(unreadable)
}

/// Text or NULL.
pub(crate) fn text_or_null(row: &impl Columns, index: usize) -> Result<Option<String>, StoreError> {
    row.text_or_null(index).map_err(unreadable)
}

/// A time or NULL.
pub(crate) fn time_or_null(row: &impl Columns, index: usize) -> Result<Option<Timestamp>, StoreError> {
    let millis = row.integer_or_null(index).map_err(unreadable)?;
    Ok(millis.map(Timestamp::from_unix_millis))
}

/// A number or NULL.
pub(crate) fn number_or_null(row: &impl Columns, index: usize) -> Result<Option<i64>, StoreError> {
    row.integer_or_null(index).map_err(unreadable)
}

/// Octets of a fixed number.
pub(crate) fn octets<const N: usize>(row: &impl Columns, index: usize) -> Result<[u8; N], StoreError> {
    let value = blob(row, index)?;
    value
        .try_into()
        .map_err(|_| StoreError::Broken(format!("{} octets instead of {N}", value.len())))
}

/// A number that is never negative.
pub(crate) fn number<T: TryFrom<i64>>(row: &impl Columns, index: usize) -> Result<T, StoreError> {
    let value = row.integer(index).map_err(unreadable)?;
    T::try_from(value).map_err(|_| StoreError::Broken(format!("number {value} out of range")))
}

/// A time.
pub(crate) fn time(row: &impl Columns, index: usize) -> Result<Timestamp, StoreError> {
    let millis = row.integer(index).map_err(unreadable)?;
    Ok(Timestamp::from_unix_millis(millis))
}

/// A stream: its kind in this column, its id in the next.
pub(crate) fn stream(row: &impl Columns, index: usize) -> Result<StreamId, StoreError> {
    let kind = StreamKind::from_number(number(row, index)?)
        .ok_or_else(|| StoreError::Broken("unknown kind of stream".to_owned()))?;
    Ok(StreamId {
        kind,
        id: octets(row, index + 1)?,
    })
}

/// A number to store; what does not fit is stored as the largest, which no row has.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A serial number to store.
pub(crate) fn padded(serial: &SerialNumber) -> Vec<u8> {
    let octets = serial.as_bytes();
    let mut stored = vec![0; SERIAL_LENGTH.saturating_sub(octets.len())];
    stored.extend_from_slice(octets);
    stored
}

/// A serial number as stored by [`padded`].
pub(crate) fn serial(row: &impl Columns, index: usize) -> Result<SerialNumber, StoreError> {
    let stored = blob(row, index)?;
    let zeros = stored.iter().take_while(|octet| **octet == 0).count();
    let octets = stored.get(zeros..).unwrap_or_default();
    SerialNumber::from_bytes(octets).map_err(|error| StoreError::Broken(format!("serial number: {error}")))
}
