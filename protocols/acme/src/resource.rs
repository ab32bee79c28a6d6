//! The paths below a directory.

use std::str::FromStr;

use portreeve_ra::AccountId;

use crate::document::{AuthorizationId, OrderId};
use crate::validator::ChallengeKind;

/// What a path names.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Resource {
    Directory,
    NewNonce,
    NewAccount,
    Account(AccountId),
    Orders(AccountId),
    KeyChange,
    NewOrder,
    Order(OrderId),
    Finalize(OrderId),
    Authorization(AuthorizationId),
    Challenge(AuthorizationId, ChallengeKind),
    Certificate(OrderId),
    RevokeCertificate,
}

impl Resource {
    /// Reads what follows the directory's prefix. Ids must be in their one written form.
    pub(crate) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.split('/');
        let first = parts.next()?;
        let rest = (parts.next(), parts.next(), parts.next());
        Some(match (first, rest) {
            ("directory", (None, ..)) => Self::Directory,
            ("new-nonce", (None, ..)) => Self::NewNonce,
            ("new-account", (None, ..)) => Self::NewAccount,
            ("new-order", (None, ..)) => Self::NewOrder,
            ("key-change", (None, ..)) => Self::KeyChange,
            ("revoke-cert", (None, ..)) => Self::RevokeCertificate,
            ("account", (Some(account), None, _)) => Self::Account(id(account)?),
            ("account", (Some(account), Some("orders"), None)) => Self::Orders(id(account)?),
            ("order", (Some(order), None, _)) => Self::Order(id(order)?),
            ("order", (Some(order), Some("finalize"), None)) => Self::Finalize(id(order)?),
            ("certificate", (Some(order), None, _)) => Self::Certificate(id(order)?),
            ("authorization", (Some(authorization), None, _)) => Self::Authorization(id(authorization)?),
            ("challenge", (Some(authorization), Some(kind), None)) => {
                let kind = ChallengeKind::ALL
                    .into_iter()
                    .find(|known| known.as_str() == kind)?;
                Self::Challenge(id(authorization)?, kind)
            }
            _ => return None,
        })
    }

    /// The methods it answers to, as in `Allow`. All but two resources are read by POST alone (RFC 8555 section 6.3).
    pub(crate) const fn methods(self) -> &'static str {
        match self {
            Self::Directory | Self::NewNonce => "GET, HEAD, POST, OPTIONS",
            _ => "POST, OPTIONS",
        }
    }

    /// Whether it may be read without a signature.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Directory | Self::NewNonce)
    }
}

fn id<T: FromStr + ToString>(text: &str) -> Option<T> {
    text.parse().ok().filter(|id: &T| id.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let order = OrderId::from_bytes([0xab; 16]);
        let authorization = AuthorizationId::from_bytes([0xab; 16]);
        let account = AccountId::from_bytes([0xab; 16]);
        let uuid = "abababab-abab-abab-abab-abababababab";
        let rows = [
            ("directory".to_owned(), Some(Resource::Directory)),
            ("directory/".to_owned(), None),
            ("new-nonce".to_owned(), Some(Resource::NewNonce)),
            ("new-account".to_owned(), Some(Resource::NewAccount)),
            ("new-order".to_owned(), Some(Resource::NewOrder)),
            ("key-change".to_owned(), Some(Resource::KeyChange)),
            ("revoke-cert".to_owned(), Some(Resource::RevokeCertificate)),
            (format!("account/{uuid}"), Some(Resource::Account(account))),
            (format!("account/{uuid}/orders"), Some(Resource::Orders(account))),
            (format!("account/{uuid}/order"), None),
            (format!("order/{uuid}"), Some(Resource::Order(order))),
            (format!("order/{uuid}/finalize"), Some(Resource::Finalize(order))),
            (format!("order/{uuid}/finalize/x"), None),
            (format!("order/{}", uuid.to_uppercase()), None),
            ("order/abababababababababababababababab".to_owned(), None),
            (format!("certificate/{uuid}"), Some(Resource::Certificate(order))),
            (
                format!("authorization/{uuid}"),
                Some(Resource::Authorization(authorization)),
            ),
            (
                format!("challenge/{uuid}/http-01"),
                Some(Resource::Challenge(authorization, ChallengeKind::Http01)),
            ),
            (
                format!("challenge/{uuid}/dns-01"),
                Some(Resource::Challenge(authorization, ChallengeKind::Dns01)),
            ),
            (format!("challenge/{uuid}/dns-02"), None),
            (format!("challenge/{uuid}"), None),
            ("order".to_owned(), None),
            ("order/".to_owned(), None),
            (String::new(), None),
            ("new-authz".to_owned(), None),
        ];
        for (path, expected) in rows {
            assert_eq!(Resource::parse(&path), expected, "{path}");
        }
    }
}
