//! Reading columns, by position.

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::StoreError;
use portreeve_ra::{StreamId, StreamKind};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{Decode, Row, Type};

/// A value of this type in this column.
pub(crate) fn column<'r, T>(row: &'r SqliteRow, index: usize) -> Result<T, StoreError>
where
    T: Decode<'r, Sqlite> + Type<Sqlite>,
{
    row.try_get(index)
        .map_err(|error| StoreError::Broken(error.to_string()))
}

/// Octets of a fixed number.
pub(crate) fn octets<const N: usize>(row: &SqliteRow, index: usize) -> Result<[u8; N], StoreError> {
    let value: &[u8] = column(row, index)?;
    value
        .try_into()
        .map_err(|_| StoreError::Broken(format!("{} octets instead of {N}", value.len())))
}

/// A number that is never negative.
pub(crate) fn number<T: TryFrom<i64>>(row: &SqliteRow, index: usize) -> Result<T, StoreError> {
    let value: i64 = column(row, index)?;
    T::try_from(value).map_err(|_| StoreError::Broken(format!("number {value} out of range")))
}

/// A time.
pub(crate) fn time(row: &SqliteRow, index: usize) -> Result<Timestamp, StoreError> {
    column(row, index).map(Timestamp::from_unix_millis)
}

/// A stream: its kind in this column, its id in the next.
pub(crate) fn stream(row: &SqliteRow, index: usize) -> Result<StreamId, StoreError> {
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
