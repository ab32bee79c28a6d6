//! The steps of the one path, in order. A step's result cannot be made anywhere else, so a later step cannot run
//! without it.

pub(crate) mod accept;
pub(crate) mod admit;
pub(crate) mod client;
pub(crate) mod issue;
pub(crate) mod paths;
pub(crate) mod possession;
pub(crate) mod renewal;
pub(crate) mod verify;

pub use issue::IssuanceOrder;
pub use possession::ProvenRequest;
pub use verify::Verified;
