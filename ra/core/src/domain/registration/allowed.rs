//! Which names an end entity may be certified for.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{DnsName, Identifier};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// The names a registration may be certified for.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum AllowedNames {
    /// Any that the profile allows.
    Any,
    /// These and no others; empty allows none.
    Only(Vec<AllowedName>),
}

impl AllowedNames {
    /// The names as texts; `None` for any.
    pub fn words(&self) -> Option<Vec<String>> {
        match self {
            Self::Any => None,
            Self::Only(names) => Some(names.iter().map(AllowedName::to_string).collect()),
        }
    }
}

/// An identifier, or all names below a domain.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum AllowedName {
    /// This one; a wildcard name stands for itself alone.
    Exactly(Identifier),
    /// Every name below this domain, at any depth; not the domain itself. Wildcard names count only where the
    /// registration says so.
    Below(DnsName),
}

/// A text that is no allowed name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a DNS name, an IP address, or a DNS name after a dot for all names below it")]
pub struct BadAllowedName(pub String);

impl AllowedName {
    /// Whether this identifier is meant.
    pub fn covers(&self, identifier: &Identifier, wildcards: bool) -> bool {
        match (self, identifier) {
            (Self::Exactly(one), identifier) => one == identifier,
            (Self::Below(domain), Identifier::Dns(name)) if name.is_wildcard() => {
                wildcards && name.is_under(domain)
            }
            (Self::Below(domain), Identifier::Dns(name)) => name != domain && name.is_under(domain),
            (Self::Below(_), Identifier::Ip(_)) => false,
        }
    }
}

impl FromStr for AllowedName {
    type Err = BadAllowedName;

    fn from_str(text: &str) -> Result<Self, BadAllowedName> {
        let bad = || BadAllowedName(text.chars().take(253).collect());
        let dns = |text: &str| DnsName::parse(text).map_err(|_| bad());
        if let Some(domain) = text.strip_prefix('.') {
            let domain = dns(domain)?;
            return if domain.is_wildcard() {
                Err(bad())
            } else {
                Ok(Self::Below(domain))
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self::Exactly(Identifier::Ip(address.to_canonical())));
        }
        dns(text).map(Identifier::Dns).map(Self::Exactly)
    }
}

impl fmt::Display for AllowedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(identifier) => identifier.fmt(f),
            Self::Below(domain) => write!(f, ".{domain}"),
        }
    }
}
