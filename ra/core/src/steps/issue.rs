//! Issuance: from verified events to an order, and from an order to a backend. The only caller of
//! [`CaBackend::issue`].

use portreeve_pkix::Timestamp;
use std::time::Duration;

use crate::domain::{
    Application, CertificateContents, Enrollment, EnrollmentId, EnrollmentState, GrantSubject, Intent,
    Proposal, ProposalState, ProposalSubject,
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

/// Mints the order for an enrollment in `Issuing`. When people were asked, their verified proposal must be approved and name
/// this enrollment and all it asks for; when it passed by a grant, the proposal it was granted with must have granted this.
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
    let asked = this.proposal().or(this.granted_by());
    if let Some(id) = asked {
        let proposal = proposal.ok_or(NoOrder::NotApproved)?.value();
        let agreed = match this.proposal() {
            Some(_) => {
                agrees(proposal, this.id, application) && proposal.state(now) == ProposalState::Approved
            }
            // Counted with the intent; that somebody lost the right to grant since then does not undo it.
            None => granted(&proposal.as_decided(), application),
        };
        if proposal.id != id || !agreed {
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

/// Whether a proposal is about exactly this.
pub(crate) fn agrees(proposal: &Proposal, id: EnrollmentId, application: &Application) -> bool {
    proposal.subject == ProposalSubject::Enrollment(id) && proposal.digest == application.digest()
}

/// Whether what people granted with a proposal covers this.
pub(crate) fn granted(proposal: &Proposal, application: &Application) -> bool {
    let asked = GrantSubject::of(application, &proposal.terms);
    let covered = proposal
        .grantable
        .zip(asked)
        .is_some_and(|(granted, asked)| granted.covers(&asked));
    covered && proposal.granted().is_some()
}

/// Gives an order to a backend.
pub(crate) async fn issue(
    backend: &dyn CaBackend,
    order: &IssuanceOrder,
    handle: Option<&[u8]>,
) -> Result<IssueOutcome, CaError> {
    backend.issue(order, handle).await
}
