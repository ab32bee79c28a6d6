//! Where an enrollment stands.

/// Where an enrollment stands.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum EnrollmentState {
    /// An edge has handed it to the workers.
    Submitted,
    /// It arrived and was judged.
    Received,
    /// It waits for people.
    AwaitingApproval,
    /// It may be issued.
    Approved,
    /// The intent stands; a signature may or may not exist.
    Issuing,
    /// The certificate exists.
    Issued,
    /// The client has it.
    Confirmed,
    /// End: no.
    Refused,
    /// End: could not.
    Failed,
    /// End: too late.
    Expired,
    /// For an operator: the backend cannot tell.
    InDoubt,
    /// For an operator: another certificate came back.
    Quarantined,
    /// End, and what there was is erased.
    Erased,
}

impl EnrollmentState {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Submitted,
        Self::Received,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Issuing,
        Self::Issued,
        Self::Confirmed,
        Self::Refused,
        Self::Failed,
        Self::Expired,
        Self::InDoubt,
        Self::Quarantined,
        Self::Erased,
    ];

    /// The word in lists, logs and the operator API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Received => "received",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Issuing => "issuing",
            Self::Issued => "issued",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::InDoubt => "in_doubt",
            Self::Quarantined => "quarantined",
            Self::Erased => "erased",
        }
    }

    /// Whether nothing but a revocation can follow.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Issued | Self::Confirmed | Self::Refused | Self::Failed | Self::Expired | Self::Erased
        )
    }
}
