//! Which page of a list to show.

use clap::Args;

use super::request::parameter;

/// Which page of a list to show.
#[derive(Debug, Args)]
pub(super) struct Paging {
    /// How many, from 1 to 200.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=200))]
    limit: u32,
    /// Where an earlier list ended.
    #[arg(long)]
    cursor: Option<String>,
}

impl Paging {
    /// The path of a list with this page of it and further query parameters.
    pub(super) fn of(&self, path: &str, further: impl IntoIterator<Item = String>) -> String {
        let mut query = vec![format!("limit={}", self.limit)];
        query.extend(further);
        query.extend(self.cursor.iter().map(|cursor| parameter("cursor", cursor)));
        format!("{path}?{}", query.join("&"))
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
        let further = ["state=issued".to_owned()];
        assert_eq!(
            page(Some("0f&x")).of("/a", further),
            "/a?limit=7&state=issued&cursor=0f%26x"
        );
    }
}
