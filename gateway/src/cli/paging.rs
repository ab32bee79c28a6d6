//! Which page of a list to show.

use clap::Args;
use portreeve_console::List;
use serde::de::DeserializeOwned;

use super::CliError;
use super::request::parameter;
use crate::control::ControlClient;

/// Pages of a search that are asked for, at most: each looks at a bounded number of rows.
const STEPS_MAX: usize = 1_000;

/// What a page holds at most.
const PAGE_MAX: u32 = 200;

/// Everything on a list, page after page. The path may have no parameters but this further one.
pub(super) async fn everything<T: DeserializeOwned>(
    client: &ControlClient,
    path: &str,
    further: Option<String>,
) -> Result<Vec<T>, CliError> {
    let (mut items, mut paging) = (Vec::new(), Paging::from_the_start());
    loop {
        let page: List<T> = client.read(&paging.of(path, further.clone())).await?;
        items.extend(page.items);
        paging.cursor = page.next_cursor;
        if paging.cursor.is_none() {
            return Ok(items);
        }
    }
}

/// Which page of a list to show.
#[derive(Debug, Args)]
pub(super) struct Paging {
    /// How many, from 1 to 200.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGE_MAX)))]
    limit: u32,
    /// Where an earlier list ended.
    #[arg(long)]
    cursor: Option<String>,
}

impl Paging {
    /// As much as one page holds, from the beginning on.
    const fn from_the_start() -> Self {
        Self {
            limit: PAGE_MAX,
            cursor: None,
        }
    }

    /// The path of a list, which may have parameters, with this page of it and further ones.
    pub(super) fn of(&self, path: &str, further: impl IntoIterator<Item = String>) -> String {
        let mut query = vec![format!("limit={}", self.limit)];
        query.extend(further);
        query.extend(self.cursor.iter().map(|cursor| parameter("cursor", cursor)));
        let joint = if path.contains('?') { '&' } else { '?' };
        format!("{path}{joint}{}", query.join("&"))
    }

    /// What a query finds, as many as asked for. A page may hold fewer, or none, and the list still go on: then the next
    /// one is asked for.
    pub(super) async fn gathered<T: DeserializeOwned>(
        mut self,
        client: &ControlClient,
        path: &str,
        query: &str,
    ) -> Result<List<T>, CliError> {
        let mut gathered = Vec::new();
        for _ in 0..STEPS_MAX {
            let page: List<T> = client.read(&self.of(path, [parameter("q", query)])).await?;
            let count = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
            gathered.extend(page.items);
            self.limit = self.limit.saturating_sub(count);
            self.cursor = page.next_cursor;
            if self.limit == 0 || self.cursor.is_none() {
                break;
            }
        }
        Ok(List {
            items: gathered,
            next_cursor: self.cursor,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_asked_for() {
        let page = |cursor: Option<&str>| Paging {
            limit: 7,
            cursor: cursor.map(str::to_owned),
        };
        assert_eq!(page(None).of("/a", []), "/a?limit=7");
        assert_eq!(page(None).of("/a?state=issued", []), "/a?state=issued&limit=7");
        let further = ["state=issued".to_owned()];
        assert_eq!(
            page(Some("0f&x")).of("/a", further),
            "/a?limit=7&state=issued&cursor=0f%26x"
        );
    }
}
