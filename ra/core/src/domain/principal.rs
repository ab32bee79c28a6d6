//! Principals: the people, programs and hosts that operate an installation.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;

use super::ids::{BadName, OperatorName};

/// Who operates: `host:root`, the one behind the host's Unix socket, or `operator:NAME`, one operator however they
/// signed in. A token, a password and a client certificate of one operator are the same principal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum Principal {
    /// Whoever may use the socket on the host.
    Host,
    /// An operator.
    Operator(OperatorName),
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host:root"),
            Self::Operator(name) => write!(f, "operator:{name}"),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for Principal {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        match text.split_once(':') {
            Some(("host", "root")) => Ok(Self::Host),
            Some(("operator", name)) => OperatorName::new(name).map(Self::Operator),
            _ => Err(BadName("principal")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for text in ["host:root", "operator:alice", "operator:a.b-c_d"] {
            assert_eq!(text.parse::<Principal>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "host",
            "host:alice",
            "operator:",
            "operator:a b",
            "alice",
            "team:a",
        ] {
            assert!(text.parse::<Principal>().is_err(), "{text}");
        }
    }
}
