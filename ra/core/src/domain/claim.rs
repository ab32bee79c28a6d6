//! Claims make retries and polls safe: one handle of one requester names one enrollment.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};

use super::actor::Requester;
use super::ids::{EndpointName, EnrollmentId};
use super::request::Operation;

/// What a client returns with: an order id, a transaction id, a digest. At most 256 octets.
#[derive(Clone, PartialEq, Eq, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub struct ClaimHandle(pub Vec<u8>);

impl ClaimHandle {
    /// The handle of whoever returns with the same request: each requester has its own.
    pub fn of_request(requester: &Requester, digest: &[u8; 32]) -> Self {
        let requester = requester.to_string();
        Self([b"request\0".as_slice(), digest, requester.as_bytes()].concat())
    }
}

/// The unique key of a claim: SHA-256 over endpoint, operation and handle, each with its length.
#[derive(Copy, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, BorshSerialize, BorshDeserialize)]
pub struct ClaimKey(pub [u8; 32]);

impl ClaimKey {
    /// The key for this endpoint, operation and handle.
    pub fn new(endpoint: &EndpointName, operation: Operation, handle: &ClaimHandle) -> Self {
        let mut input = Vec::with_capacity(128);
        for part in [
            endpoint.as_str().as_bytes(),
            operation.as_str().as_bytes(),
            &handle.0,
        ] {
            input.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            input.extend_from_slice(part);
        }
        Self(sha256(&input))
    }
}

/// A row that leads from a handle to an enrollment. It is an index: the enrollment's own signed events
/// repeat key, requester and digest, and those decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// The unique key.
    pub key: ClaimKey,
    /// Who made it.
    pub requester: Requester,
    /// SHA-256 of the request as received.
    pub digest: [u8; 32],
    /// The enrollment it leads to.
    pub enrollment: EnrollmentId,
    /// From here on the same handle may start a new enrollment.
    pub until: Timestamp,
}
