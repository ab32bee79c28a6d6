//! Who did something, and from where.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::net::IpAddr;

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
