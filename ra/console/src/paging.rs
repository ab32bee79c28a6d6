//! Lists and cursors.

use portreeve_ra::ports::Cursor;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct List<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the list goes on, if it does.
    pub next_cursor: Option<String>,
}

impl<T> List<T> {
    pub(crate) fn new(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self {
            items,
            next_cursor: next.map(|cursor| hex::encode(cursor.0)),
        }
    }
}

/// Where a page begins and how long it is.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct PageQuery {
    pub(crate) cursor: Option<String>,
    pub(crate) limit: Option<u32>,
}

impl PageQuery {
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        let malformed = || Problem::Malformed("cursor is not one that a list gave".to_owned());
        if text.len() > 256 {
            return Err(malformed());
        }
        hex::decode(text)
            .map(|bytes| Some(Cursor(bytes)))
            .map_err(|_| malformed())
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_bounded() {
        let rows = [
            ("absent", None, 50),
            ("small", Some(3), 3),
            ("none", Some(0), 1),
            ("huge", Some(9_999), 200),
        ];
        for (name, limit, expected) in rows {
            assert_eq!(PageQuery { cursor: None, limit }.limit(), expected, "{name}");
        }
        let cursor = |text: &str| {
            PageQuery {
                cursor: Some(text.to_owned()),
                limit: None,
            }
            .cursor()
        };
        assert_eq!(cursor("0aff").unwrap(), Some(Cursor(vec![10, 255])));
        assert!(cursor("xyz").is_err());
        assert!(cursor(&"00".repeat(200)).is_err());
    }
}
