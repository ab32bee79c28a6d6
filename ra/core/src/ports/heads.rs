//! What a node has seen, kept over restarts.

use crate::domain::{Digest, StreamId};

/// How far a stream of configuration went when this node last read it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Head {
    /// The position of its last record.
    pub position: u64,
    /// The hash of that record.
    pub hash: Digest,
}

/// What a node has seen of the streams of objects, so that one that was brought back to an earlier state is noticed: its
/// records verify, but they end too early. Kept outside of the store, over restarts.
pub trait HeadMemory: Send + Sync {
    /// How far the stream went when it was read last; `None` when it never was.
    fn seen(&self, stream: &StreamId) -> Option<Head>;
    /// Remembers that it goes further; a head that is not further changes nothing. Never fails: what cannot be kept is logged, and remembered until the end of the
    /// process.
    fn remember(&self, stream: StreamId, head: Head);
}
