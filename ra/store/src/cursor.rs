//! Cursors: the key of the last row shown, as octets.

use portreeve_ra::ports::{Cursor, Page, StoreError};

/// Rows of one page, at most.
const LIMIT_MAX: u32 = 1_000;

/// Sorts after every identifier of 16 octets.
pub(crate) const AFTER_ALL: [u8; 17] = [0xff; 17];

/// How many rows a page has: what was asked for, within bounds.
pub(crate) fn page_size(limit: u32) -> usize {
    usize::try_from(limit.clamp(1, LIMIT_MAX)).unwrap_or(1)
}

/// How many rows to read for a page: one more shows whether the list goes on.
pub(crate) fn rows_wanted(limit: u32) -> i64 {
    i64::from(limit.clamp(1, LIMIT_MAX)) + 1
}

/// The octets of a cursor, which must be of this length.
pub(crate) fn octets<const N: usize>(cursor: &Cursor) -> Result<[u8; N], StoreError> {
    cursor
        .0
        .as_slice()
        .try_into()
        .map_err(|_| StoreError::Broken("not a cursor of this list".to_owned()))
}

/// A page of the rows read with [`rows_wanted`]; `key` gives the cursor octets of a row.
pub(crate) fn page<T>(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> Vec<u8>) -> Page<T> {
    let size = page_size(limit);
    let goes_on = rows.len() > size;
    rows.truncate(size);
    let next = rows.last().filter(|_| goes_on).map(|row| Cursor(key(row)));
    Page { items: rows, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_the_rows_end() {
        let rows = [
            ("empty", 0_u8, 3, None),
            ("fewer than a page", 2, 3, None),
            ("exactly a page", 3, 3, None),
            ("one more", 4, 3, Some(vec![2])),
            ("no limit counts as one", 2, 0, Some(vec![0])),
        ];
        for (name, count, limit, next) in rows {
            let page = page((0..count).collect(), limit, |row| vec![*row]);
            assert_eq!(page.next.map(|cursor| cursor.0), next, "{name}");
            assert!(page.items.len() <= page_size(limit), "{name}");
        }
    }

    #[test]
    fn cursors_of_other_lists_are_refused() {
        assert_eq!(octets::<2>(&Cursor(vec![1, 2])), Ok([1, 2]));
        for length in [0, 1, 3] {
            assert!(octets::<2>(&Cursor(vec![0; length])).is_err(), "{length}");
        }
    }
}
