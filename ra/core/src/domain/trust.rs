//! Trust anchors: whose client certificates an endpoint believes.

use portreeve_pkix::{Certificate, Timestamp};

use super::ids::TrustAnchorsName;

/// A named set of trust anchors, as the policy crate read it from its published text.
#[derive(Clone, Debug)]
pub struct TrustAnchorSet {
    /// Its name.
    pub name: TrustAnchorsName,
    /// The certificates of CAs, none twice; at least one.
    pub certificates: Vec<Certificate>,
}

impl TrustAnchorSet {
    /// Anchors of one set, at most.
    pub const MAX: usize = 32;

    /// Those that cannot be used at this time: expired, or not valid yet.
    pub fn unusable_at(&self, now: Timestamp) -> impl Iterator<Item = &Certificate> {
        self.certificates
            .iter()
            .filter(move |certificate| !certificate.is_valid_at(now))
    }
}
