//! What showed who asks, and for what: kept with the request, so that it can be judged again, and read later.

use borsh::{BorshDeserialize, BorshSerialize};

use crate::domain::actor::Requester;
use crate::domain::channel::Channel;
use crate::domain::client::RenewalWindow;
use crate::domain::ids::EnrollmentId;

/// What a request came with, besides what its requester says of itself. Empty for accounts.
#[derive(Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Shown {
    /// The certificates of the client as sent, its own first; empty when it was known otherwise.
    pub chain: Vec<Vec<u8>>,
    /// As whom it was known besides. The requester took precedence.
    pub besides: Vec<Requester>,
    /// The channel that the request came through, where it could be linked to one.
    pub channel: Option<Channel>,
    /// The request as received, where what was judged is one with a key that was made here.
    pub received: Option<Vec<u8>>,
    /// The certificate that this one takes the place of.
    pub renewal: Option<Renewal>,
    /// A certificate whose key may not have reached its requester: it is revoked when this one is issued.
    pub replaces: Option<EnrollmentId>,
    /// By the right to ask for others, as is what renews such a certificate: its holder never has that right by it.
    pub for_others: bool,
    /// When the certificate may be renewed: then the request no longer leads to it.
    pub window: RenewalWindow,
}

/// Of what a request is the renewal.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Renewal {
    /// The enrollment of the certificate that was shown.
    pub of: EnrollmentId,
    /// The first enrollment of which that one is a renewal, of a renewal, and so on; itself when it is none.
    pub lineage: EnrollmentId,
}
