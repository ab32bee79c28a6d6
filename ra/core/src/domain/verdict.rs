//! What policy may look at, and what it says.

use portreeve_pkix::{Identifier, Timestamp};
use std::sync::Arc;

use super::actor::Requester;
use super::approval::ApprovalPolicy;
use super::contents::CertificateContents;
use super::endpoint::Endpoint;
use super::ids::SecretId;
use super::object::ObjectVersion;
use super::refusal::Refusal;
use super::registration::KnownRegistration;

/// What policy may look at besides the profile and the request. Gathered once, never fetched by a rule.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The time of judgement.
    pub now: Timestamp,
    /// Where the request arrived.
    pub endpoint: Arc<Endpoint>,
    /// Whether people must agree.
    pub approval: Agreement,
    /// Who asks.
    pub requester: Requester,
    /// Identifiers of the request that this requester has proven and whose proof is live.
    pub validated: Vec<Identifier>,
    /// Whether the key is on the installation's own list of compromised keys.
    pub key_blocked: bool,
    /// Whether the key is yet to be made here: that of the request is of the same kind, and is otherwise no matter.
    pub key_to_be_made: bool,
    /// The end the client asked for.
    pub not_after_asked: Option<Timestamp>,
    /// The beginning the client asked for.
    pub not_before_asked: Option<Timestamp>,
    /// The registration on whose behalf it is asked, which is active, and may ask here.
    pub registration: Option<Arc<KnownRegistration>>,
    /// The secret of that registration that let the requester in.
    pub secret: Option<SecretId>,
}

/// Whether people must agree to a request, besides what its profile says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Agreement {
    /// The endpoint asks nobody.
    NotAsked,
    /// By this approval policy.
    By(Arc<ObjectVersion>),
    /// They have agreed: the request is judged once more before it is issued.
    Given,
}

/// What one rule came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The rule holds.
    Held,
    /// The rule set or changed something.
    Applied,
    /// The rule dropped something that was asked for.
    Dropped,
    /// The rule leaves the decision to people.
    Referred,
    /// The rule refuses.
    Refused,
}

/// What one rule said, in words for the operator and the audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// What it came to.
    pub outcome: Outcome,
    /// Why.
    pub text: String,
}

/// What policy says, with what each rule said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Issue this.
    Permit {
        /// What will be certified.
        contents: CertificateContents,
        /// What each rule said.
        findings: Vec<Finding>,
    },
    /// Issue this when people agree.
    Refer {
        /// What will be certified.
        contents: CertificateContents,
        /// Who must agree.
        approval: Arc<ApprovalPolicy>,
        /// What each rule said.
        findings: Vec<Finding>,
    },
    /// Do not issue.
    Refuse {
        /// Why.
        refusal: Refusal,
        /// What each rule said.
        findings: Vec<Finding>,
    },
}
