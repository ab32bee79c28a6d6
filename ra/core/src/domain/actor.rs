//! Who did something, and from where.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::ids::{AccountId, NodeId, RegistrationId};
use super::principal::Principal;

/// Who asks for a certificate.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub enum Requester {
    /// An account, known by its key.
    Account(AccountId),
    /// An end entity known beforehand.
    Registration(RegistrationId),
    /// The holder of a certificate, by the SHA-256 of the certificate.
    Certificate([u8; 32]),
    /// The holder of a key, by the SHA-256 of its SubjectPublicKeyInfo.
    Key([u8; 32]),
}

impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account:{id}"),
            Self::Registration(id) => write!(f, "registration:{id}"),
            Self::Certificate(digest) => write!(f, "certificate:{}", hex::encode(digest)),
            Self::Key(digest) => write!(f, "key:{}", hex::encode(digest)),
        }
    }
}

/// Who caused an event.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Actor {
    /// Somebody outside, through a protocol.
    Requester(Requester),
    /// A principal that operates the installation.
    Operator(Principal),
    /// The gateway itself: background work, recovery, its own start.
    Node,
}

impl Actor {
    /// The principal, if it was one.
    pub const fn principal(&self) -> Option<&Principal> {
        match self {
            Self::Operator(principal) => Some(principal),
            Self::Requester(_) | Self::Node => None,
        }
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Requester(requester) => requester.fmt(f),
            Self::Operator(principal) => principal.fmt(f),
            Self::Node => f.write_str("node"),
        }
    }
}

/// Where a cause came from.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Origin {
    /// The node that wrote the event.
    pub node: NodeId,
    /// The network address of the client, when there was one.
    pub address: Option<IpAddr>,
    /// The request id that the gateway gave the call and wrote into its log.
    pub request: Option<[u8; 16]>,
}

impl Origin {
    /// The node itself.
    pub const fn node(node: NodeId) -> Self {
        Self {
            node,
            address: None,
            request: None,
        }
    }
}

/// What counts as one client: an IPv4 address, or the /64 of an IPv6 address, of which a single host has all.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_one_client() {
        let rows = [
            ("an IPv4 address", "192.0.2.7", "192.0.2.7"),
            ("the same, mapped", "::ffff:192.0.2.7", "192.0.2.7"),
            ("a host", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("its neighbour", "2001:db8:1:2::9", "2001:db8:1:2::"),
            ("another network", "2001:db8:1:3::9", "2001:db8:1:3::"),
        ];
        for (name, address, expected) in rows {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected, "{name}");
        }
    }
}
