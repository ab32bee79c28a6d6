//! Issuance: from verified events to an order, and from an order to a backend. The only caller of
//! [`CaBackend::issue`].

use portreeve_pkix::{Timestamp, sha256};
use std::time::Duration;

use crate::domain::{
    CertificateContents, Enrollment, EnrollmentId, EnrollmentState, Intent, Proposal, ProposalState,
};
use crate::ports::{CaBackend, CaError, IssueOutcome};
use crate::steps::Verified;

/// An intent older than this is not signed any more.
const INTENT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

/// The right to one certificate. Only `mint` makes one, and only from events that verified whole.
#[derive(Debug)]
pub struct IssuanceOrder {
    enrollment: EnrollmentId,
    intent: Intent,
    contents: CertificateContents,
    request: Vec<u8>,
}

impl IssuanceOrder {
    /// The enrollment it is for.
    pub const fn enrollment(&self) -> EnrollmentId {
        self.enrollment
    }

    /// What exactly to sign or send.
    pub const fn intent(&self) -> &Intent {
        &self.intent
    }

    /// What will be certified.
    pub const fn contents(&self) -> &CertificateContents {
        &self.contents
    }

    /// The request as received, for backends that forward it.
    pub fn request(&self) -> &[u8] {
        &self.request
    }
}

/// Why there is no right to a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoOrder {
    /// The events do not lead here.
    NotIssuing,
    /// People were asked and have not agreed to exactly this.
    NotApproved,
    /// The intent is too old.
    TooOld,
}

/// SHA-256 of the borsh form of the contents: what people agree to.
pub(crate) fn contents_digest(contents: &CertificateContents) -> [u8; 32] {
    borsh::to_vec(contents).map_or([0; 32], |bytes| sha256(&bytes))
}

/// Mints the order for an enrollment in `Issuing`. When people were asked, their verified proposal must be approved and name
/// this enrollment and these contents.
pub(crate) fn mint(
    enrollment: &Verified<Enrollment>,
    proposal: Option<&Verified<Proposal>>,
    now: Timestamp,
) -> Result<IssuanceOrder, NoOrder> {
    let this = enrollment.value();
    let (Some(EnrollmentState::Issuing), Some(application), Some(intent)) =
        (this.state(), this.application(), this.intent())
    else {
        return Err(NoOrder::NotIssuing);
    };
    if this.proposal().is_some() {
        let proposal = proposal.ok_or(NoOrder::NotApproved)?.value();
        let approved = proposal.enrollment == this.id
            && proposal.digest == contents_digest(&application.contents)
            && proposal.state(now) == ProposalState::Approved;
        if !approved {
            return Err(NoOrder::NotApproved);
        }
    }
    if this.handle().is_none() && now.since(intent.prepared_at) > INTENT_AGE_MAX {
        return Err(NoOrder::TooOld);
    }
    Ok(IssuanceOrder {
        enrollment: this.id,
        intent: intent.clone(),
        contents: application.contents.clone(),
        request: application.request.clone(),
    })
}

/// Gives an order to a backend.
pub(crate) async fn issue(
    backend: &dyn CaBackend,
    order: &IssuanceOrder,
    handle: Option<&[u8]>,
) -> Result<IssueOutcome, CaError> {
    backend.issue(order, handle).await
}
