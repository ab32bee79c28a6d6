//! Publication of certificate status: CRLs and the certificates of CAs.
//!
//! [`CrlPublisher`] keeps the CRL of each CA fresh: one node signs under a lease and stores what it signed, every node
//! reads that and serves it. [`StatusEdge`] answers GET and HEAD from memory, over plain HTTP as well, since a CRL and
//! a certificate carry their own signatures (RFC 5280 section 4.2.1.13 and 4.2.2.1).

mod alarm;
mod config;
mod date;
mod edge;
mod list;
mod publisher;
mod revoked;
mod shelf;
mod turn;

pub use alarm::{Alarm, Releases};
pub use config::StatusConfig;
pub use edge::StatusEdge;
pub use publisher::{CrlPublisher, PublisherParts};
pub use shelf::{ListStanding, Shelf};
