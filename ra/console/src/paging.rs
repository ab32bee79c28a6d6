//! Lists and cursors.

use std::future::Future;

use portreeve_ra::ports::{Cursor, Page};
use portreeve_ra::{Error, InternalError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Where an earlier page ended: its `next_cursor`.
    pub(crate) cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u32>,
}

impl PageQuery {
    pub(crate) fn cursor(&self) -> Result<Option<Cursor>, Problem> {
        let Some(text) = &self.cursor else { return Ok(None) };
        if text.len() > 256 {
            return Err(Problem::BadCursor);
        }
        hex::decode(text)
            .map(|bytes| Some(Cursor(bytes)))
            .map_err(|_| Problem::BadCursor)
    }

    pub(crate) fn limit(&self) -> Result<u32, Problem> {
        match self.limit.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(Problem::Malformed(format!("limit is from 1 to {LIMIT_MAX}"))),
        }
    }
}

/// The page that a query asks for. A cursor that the store cannot use, where it can read the list from its beginning, is
/// not one that this list gave.
pub(crate) async fn read<T, F>(
    query: &PageQuery,
    list: impl Fn(Option<Cursor>) -> F,
) -> Result<Page<T>, Problem>
where
    F: Future<Output = Result<Page<T>, Error>>,
{
    let cursor = query.cursor()?;
    let given = cursor.is_some();
    match list(cursor).await {
        Err(Error::Internal(InternalError::Store(_))) if given => {
            list(None).await?;
            Err(Problem::BadCursor)
        }
        found => Ok(found?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn a_cursor_of_another_list_is_told_from_a_broken_store() {
        let broken = || Error::Internal(InternalError::Store("not a cursor of this list".to_owned()));
        let read = |text: Option<&str>, works: fn(Option<Cursor>) -> bool| {
            let query = PageQuery {
                cursor: text.map(str::to_owned),
                limit: None,
            };
            let list = |cursor| {
                let page = Page {
                    items: vec![1],
                    next: None,
                };
                std::future::ready(if works(cursor) { Ok(page) } else { Err(broken()) })
            };
            match pin!(read(&query, list)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(read) => read,
                Poll::Pending => panic!("nothing here waits"),
            }
        };
        assert!(read(Some("0a"), |_| true).is_ok());
        let foreign = read(Some("0a"), |cursor| cursor.is_none());
        assert!(matches!(foreign, Err(Problem::BadCursor)), "{foreign:?}");
        for text in [None, Some("0a")] {
            let down = read(text, |_| false);
            assert!(matches!(down, Err(Problem::Ra(_))), "{text:?}: {down:?}");
        }
    }

    #[test]
    fn pages_are_bounded() {
        let rows = [
            ("absent", None, Some(50)),
            ("small", Some(3), Some(3)),
            ("none", Some(0), None),
            ("as many as there may be", Some(200), Some(200)),
            ("more", Some(201), None),
        ];
        for (name, limit, expected) in rows {
            let read = PageQuery { cursor: None, limit }.limit();
            assert_eq!(read.ok(), expected, "{name}");
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
