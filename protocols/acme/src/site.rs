//! One ACME directory: its endpoint and its URLs.

use portreeve_ra::{AccountId, EndpointName, ExternalAccounts, RateLimit};

use crate::document::{AuthorizationId, OrderId};
use crate::validator::ChallengeKind;

/// One ACME directory. All URLs are built here, from the configured public URL and never from a request.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// The endpoint, `acme/NAME`.
    pub(crate) endpoint: EndpointName,
    /// The path below which it lies, `/acme/NAME/`.
    pub(crate) prefix: String,
    /// The same as a URL.
    base: String,
    /// What of the endpoint's text matters before it is read.
    pub(crate) face: EndpointFace,
}

/// An endpoint of this edge, as far as it is known without reading it at every request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndpointFace {
    /// The last part of its name: `default` for `acme/default`.
    pub name: String,
    /// What the directory says of external accounts. Whether an account must be bound, the RA decides.
    pub external_accounts: ExternalAccounts,
    /// How many requests one network may send, counted before anything of them is verified.
    pub address_limit: Option<RateLimit>,
}

impl EndpointFace {
    /// One that binds accounts on request and counts nothing.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            external_accounts: ExternalAccounts::Optional,
            address_limit: None,
        }
    }
}

impl Site {
    /// The directory of this endpoint below this public URL.
    pub(crate) fn new(endpoint: EndpointName, external_url: &str, face: EndpointFace) -> Self {
        let prefix = format!("/{endpoint}/");
        let base = format!("{}{prefix}", external_url.trim_end_matches('/'));
        Self {
            endpoint,
            prefix,
            base,
            face,
        }
    }

    /// The URL of something below the directory.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub(crate) fn directory(&self) -> String {
        self.url("directory")
    }

    /// An account's URL: the `kid` of its requests.
    pub(crate) fn account(&self, id: AccountId) -> String {
        format!("{}account/{id}", self.base)
    }

    /// The account that this `kid` names; `None` when it is not one of this directory's account URLs.
    pub(crate) fn account_of(&self, kid: &str) -> Option<AccountId> {
        let text = kid.strip_prefix(&self.base)?.strip_prefix("account/")?;
        text.parse().ok().filter(|id: &AccountId| id.to_string() == text)
    }

    pub(crate) fn orders(&self, id: AccountId) -> String {
        format!("{}account/{id}/orders", self.base)
    }

    pub(crate) fn order(&self, id: OrderId) -> String {
        format!("{}order/{id}", self.base)
    }

    pub(crate) fn finalize(&self, id: OrderId) -> String {
        format!("{}order/{id}/finalize", self.base)
    }

    pub(crate) fn certificate(&self, id: OrderId) -> String {
        format!("{}certificate/{id}", self.base)
    }

    pub(crate) fn authorization(&self, id: AuthorizationId) -> String {
        format!("{}authorization/{id}", self.base)
    }

    pub(crate) fn challenge(&self, id: AuthorizationId, kind: ChallengeKind) -> String {
        format!("{}challenge/{id}/{kind}", self.base)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A directory for tests.
    pub(crate) fn site() -> Site {
        let name = EndpointName::new("acme/default").unwrap();
        Site::new(name, "https://ra.example/", EndpointFace::named("default"))
    }

    #[test]
    fn only_its_own_account_urls_are_key_ids() {
        let site = site();
        let id = AccountId::from_bytes([0x1a; 16]);
        let url = site.account(id);
        assert_eq!(
            url,
            "https://ra.example/acme/default/account/1a1a1a1a-1a1a-1a1a-1a1a-1a1a1a1a1a1a"
        );
        let rows = [
            ("its own", url.clone(), Some(id)),
            ("upper case", url.replace("1a1a-", "1A1A-"), None),
            (
                "without hyphens",
                format!("https://ra.example/acme/default/account/{}", "1a".repeat(16)),
                None,
            ),
            ("another host", url.replace("ra.example", "other.example"), None),
            ("another directory", url.replace("/default/", "/short/"), None),
            ("something below", format!("{url}/orders"), None),
            ("a query", format!("{url}?a"), None),
            (
                "not an id",
                "https://ra.example/acme/default/account/1".to_owned(),
                None,
            ),
            ("the id alone", id.to_string(), None),
        ];
        for (name, kid, expected) in rows {
            assert_eq!(site.account_of(&kid), expected, "{name}");
        }
    }
}
