//! Where an issued certificate stands: good, on hold, revoked.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::Timestamp;

use super::Enrollment;
use crate::domain::{Principal, RevocationReason};

/// A change of where a certificate stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum StatusChange {
    /// Revoke it for this reason; `certificateHold` puts it on hold.
    Revoke(RevocationReason),
    /// Take it off hold.
    Release,
}

impl StatusChange {
    /// Whether it is about a hold.
    pub const fn is_about_hold(self) -> bool {
        matches!(
            self,
            Self::Revoke(RevocationReason::CertificateHold) | Self::Release
        )
    }
}

/// A change that an operator asked a console for that does not revoke itself.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct RequestedStatus {
    /// What.
    pub change: StatusChange,
    /// Who.
    pub by: Principal,
    /// Why.
    pub comment: String,
}

impl Enrollment {
    /// Whether the certificate can come to stand so. What is revoked for good stays so: its reason may only become
    /// `keyCompromise`. What is on hold may be released or revoked for good, nothing else may be released.
    pub fn may_become(&self, change: StatusChange) -> bool {
        const HOLD: RevocationReason = RevocationReason::CertificateHold;
        const COMPROMISE: RevocationReason = RevocationReason::KeyCompromise;
        let now = self.revoked.map(|(reason, _)| reason);
        match (change, now) {
            (StatusChange::Revoke(_), None) => true,
            (StatusChange::Revoke(reason), Some(HOLD)) => reason != HOLD,
            (StatusChange::Revoke(reason), Some(earlier)) => reason == COMPROMISE && earlier != COMPROMISE,
            (StatusChange::Release, now) => now == Some(HOLD),
        }
    }

    /// When it was last taken off hold, if it is not revoked or on hold again.
    pub fn released(&self) -> Option<Timestamp> {
        self.released.filter(|_| self.revoked.is_none())
    }

    /// A change that an operator asked for and no worker has carried out yet.
    pub fn status_due(&self) -> Option<&RequestedStatus> {
        self.status_requested
            .as_ref()
            .filter(|wish| self.may_become(wish.change))
    }

    pub(super) fn release(&mut self, at: Timestamp) {
        if self.may_become(StatusChange::Release) {
            self.revoked = None;
            self.released = Some(at);
        }
    }
}
