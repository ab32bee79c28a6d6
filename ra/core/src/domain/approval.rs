//! Approval policies: who must agree, in which order, and how long that holds.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;
use std::time::Duration;

use super::ids::{ApprovalPolicyName, OperatorName, RoleName, TeamName};
use super::object::ObjectKind;
use super::principal::Principal;
use super::right::{Right, Standing};
use super::seconds;

/// Who decides in one step.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Approvers {
    /// Whoever may approve at all.
    Anyone,
    /// Holders of this role.
    Role(RoleName),
    /// Members of this team.
    Team(TeamName),
    /// This operator.
    Operator(OperatorName),
    /// Operators who are superadmins; the host, which is one as well, is not among them.
    Superadmins,
}

impl Approvers {
    /// Whether somebody with this standing is among them. That says nothing of the right to approve, which is needed in
    /// every step.
    pub fn include(&self, standing: &Standing) -> bool {
        match self {
            Self::Anyone => true,
            Self::Role(role) => standing.holds(role),
            Self::Team(team) => standing.teams.contains(team),
            Self::Operator(name) => {
                matches!(&standing.principal, Principal::Operator(operator) if operator == name)
            }
            Self::Superadmins => {
                standing.principal != Principal::Host && standing.holds(&RoleName::superadmin())
            }
        }
    }
}

impl fmt::Display for Approvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("anyone"),
            Self::Role(name) => write!(f, "role {name}"),
            Self::Team(name) => write!(f, "team {name}"),
            Self::Operator(name) => write!(f, "operator {name}"),
            Self::Superadmins => f.write_str("operators who are superadmins"),
        }
    }
}

/// One step: so many of these people, none of whom has acted before.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Step {
    /// Who.
    pub who: Approvers,
    /// How many; at least 1.
    pub min: u8,
}

impl Step {
    /// Steps of one policy, at most.
    pub const MAX: usize = 8;
    /// People in one step, at most.
    pub const PEOPLE_MAX: u8 = 16;

    /// How many must approve, whatever was written.
    pub fn people(&self) -> usize {
        usize::from(self.min.max(1))
    }
}

/// Whether an approval must be signed by a key of the operator's own.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum EvidenceRule {
    /// A signature is checked and kept when there is one.
    Accepted,
    /// Without a signature there is no approval.
    Required,
}

impl EvidenceRule {
    /// The word in texts and in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Required => "required",
        }
    }
}

/// What a proposal keeps of the policy it was opened under: later changes of the policy do not touch it.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct ApprovalTerms {
    /// The policy.
    pub policy: ApprovalPolicyName,
    /// Its version.
    pub version: u32,
    /// The steps, in order; never empty.
    pub steps: Vec<Step>,
    /// Whether approvals must be signed.
    pub evidence: EvidenceRule,
    /// How long after the last approval what was approved may begin.
    #[borsh(serialize_with = "seconds::write", deserialize_with = "seconds::read")]
    pub issue_within: Duration,
}

impl ApprovalTerms {
    /// The version of terms that no policy object holds: a profile asks for people itself, and the policy has its name.
    pub const OF_PROFILE: u32 = 0;

    /// How many must approve in all.
    pub fn people(&self) -> usize {
        self.steps.iter().map(Step::people).sum()
    }
}

/// Who must agree before something happens: as the policy crate read it from its published text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ApprovalPolicy {
    /// What a proposal keeps of it.
    pub terms: ApprovalTerms,
    /// After this a proposal expires that was not decided.
    pub age_max: Duration,
}

/// Why somebody counts as one of those who ask, and may therefore not approve.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, BorshSerialize, BorshDeserialize)]
pub enum Exclusion {
    /// They ask themselves.
    Asks,
    /// It is asked for on their behalf.
    Owner,
    /// They issued the secret that was used.
    IssuedSecret,
    /// They wrote the registration that was used, and nobody else has confirmed it.
    WroteRegistration,
    /// They wrote this object by which it was judged, and nobody else has confirmed it.
    Wrote(ObjectKind, String),
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asks => f.write_str("asks for it"),
            Self::Owner => f.write_str("it is asked for on their behalf"),
            Self::IssuedSecret => f.write_str("issued the secret that was used"),
            Self::WroteRegistration => f.write_str("wrote the registration, which nobody else has confirmed"),
            Self::Wrote(kind, name) => {
                write!(
                    f,
                    "wrote {} {name}, which nobody else has confirmed",
                    kind.as_str()
                )
            }
        }
    }
}

/// Why a decision of somebody who signed in does not count.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum DecisionRejection {
    /// They lack the right, there.
    #[error("the right {0} is missing on what is to be decided")]
    Right(String),
    /// They are no step's approvers, or only those of steps that are done.
    #[error("no step of this proposal is yours")]
    NoStep,
    /// Their step comes later.
    #[error("an earlier step has to be approved first: {0}")]
    StepLater(String),
    /// They count as one of those who ask.
    #[error("you count as one of those who ask: {0}")]
    Excluded(Exclusion),
    /// They have decided on it before.
    #[error("you have decided on this before")]
    Twice,
    /// A denial must say why.
    #[error("a denial needs a comment")]
    CommentMissing,
    /// It must be signed, and is not.
    #[error("approvals of this policy must be signed by a key of your own")]
    EvidenceMissing,
    /// The signature does not verify, or is by no key of theirs.
    #[error("the evidence is not a signature over this decision by a key of yours")]
    EvidenceInvalid,
    /// A grant cannot be given so.
    #[error("no such grant can be given: {0}")]
    Grant(String),
    /// What was proposed is no longer what it was.
    #[error("what was proposed has been overtaken by another change")]
    Overtaken,
    /// Nobody does this alone.
    #[error("others must agree first, by the approval policy {0}")]
    ApprovalNeeded(String),
    /// There is nobody who could agree.
    #[error("nobody is there who could agree: {0}")]
    Nobody(String),
}

impl DecisionRejection {
    /// They lack this right.
    pub fn lacks(right: Right) -> Self {
        Self::Right(right.as_str().to_owned())
    }

    /// A stable word for logs and the operator API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Right(_) => "right_missing",
            Self::NoStep => "no_step",
            Self::StepLater(_) => "step_later",
            Self::Excluded(_) => "excluded",
            Self::Twice => "decided_before",
            Self::CommentMissing => "comment_missing",
            Self::EvidenceMissing => "evidence_missing",
            Self::EvidenceInvalid => "evidence_invalid",
            Self::Grant(_) => "grant_impossible",
            Self::Overtaken => "overtaken",
            Self::ApprovalNeeded(_) => "approval_needed",
            Self::Nobody(_) => "nobody_to_approve",
        }
    }
}

#[cfg(test)]
mod tests;
