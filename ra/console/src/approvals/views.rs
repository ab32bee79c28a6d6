//! How a proposal is shown.

use portreeve_pkix::Timestamp;
use portreeve_ra::authority::Constituency;
use portreeve_ra::{
    GrantTerms, Proposal, ProposalSubject, RegistrationAuthority, RegistrationId, Ruling, SecretOwner,
    StatusChange,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::configuration::DiffEntry;
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// What people decide on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProposalView {
    /// The proposal.
    pub id: String,
    /// What it is about.
    pub subject: SubjectView,
    /// What exactly, in hex: a decision names it.
    pub digest: String,
    /// Where it stands: `open`, `approved`, `rejected` or `expired`.
    pub state: String,
    /// The approval policy it was opened under.
    pub policy: String,
    /// The version of that policy; 0 when a profile asks for people itself.
    pub policy_version: u32,
    /// Whether approvals must be signed: `accepted` or `required`.
    pub evidence: String,
    /// The right that everybody needs who decides.
    pub right: String,
    /// Who must approve, in order.
    pub steps: Vec<StepView>,
    /// How many must approve in all.
    pub approvals: usize,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// Who asks.
    pub opened_by: String,
    /// When it expires.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Once it is approved: until when what was approved may begin.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub begins_until: Option<Timestamp>,
    /// Who decided what, in order.
    pub decisions: Vec<DecisionView>,
    /// Who may not decide, and why.
    pub excluded: Vec<ExcludedView>,
    /// Whether an approval can grant that the same requester passes again.
    pub grantable: bool,
    /// What is granted, once it is approved.
    pub granted: Option<GrantBody>,
    /// Where the grant stands that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantStandingView>,
    /// The principal who is looking: evidence names whoever decides.
    pub you: String,
    /// What is proposed: the text of an object, a registration or what is known of a secret. Only where one proposal is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
    /// What it changes, by meaning, in what is in force; nothing for what is new. Only where one proposal is shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<DiffEntry>,
}

/// Where a grant stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct GrantStandingView {
    /// How often it was used.
    pub used: u16,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Whether it was withdrawn: nothing passes by it.
    pub withdrawn: bool,
}

/// What a proposal is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SubjectView {
    /// A request.
    Request {
        /// Which.
        id: String,
    },
    /// A version of an object.
    Object {
        /// What kind.
        object: String,
        /// Its name.
        name: String,
        /// Its number.
        version: u32,
    },
    /// The status of certificates.
    Certificates {
        /// `release`, or the reason they are revoked for.
        change: String,
        /// The requests they came from.
        requests: Vec<String>,
    },
    /// What a registration is to be.
    Registration {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
    },
    /// A secret that was made.
    Secret {
        /// Its id.
        id: String,
        /// What it is for: `password`, `token` or the kind of a registration's secret.
        of: String,
        /// Whose: `operator:NAME`, or the name of a registration after `registration:`.
        whose: String,
    },
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Who approves: `anyone`, or a role, a team or an operator with its name.
    pub who: String,
    /// How many of them.
    pub min: usize,
    /// How many have.
    pub approved: usize,
    /// Whether it is this step's turn.
    pub open: bool,
}

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// The principal.
    pub by: String,
    /// `approve` or `reject`.
    pub decision: String,
    /// In which step, from 1.
    pub step: u32,
    /// Why.
    pub comment: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Their signature over it.
    pub evidence: Option<EvidenceBody>,
    /// What they grant besides.
    pub grant: Option<GrantBody>,
    /// Why it no longer counts, if it does not.
    pub discounted: Option<String>,
}

/// Somebody who may not decide.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExcludedView {
    /// The principal.
    pub principal: String,
    /// Why.
    pub why: String,
}

/// A signature over the text of a decision (see `docs/approvals.md`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceBody {
    /// `ES256`, `ES384`, `RS256` or `EdDSA`.
    pub algorithm: String,
    /// The SubjectPublicKeyInfo of the key, DER in hex.
    pub key: String,
    /// The signature, in hex; that of ECDSA is an ECDSA-Sig-Value.
    pub signature: String,
}

/// What is granted: the same requester passes again with the same contents and another key.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// How often; 1 to 100, 1 when not given.
    #[serde(default = "once")]
    pub uses: u16,
    /// For how many days; 1 to 7, 7 when not given.
    #[serde(default = "a_week")]
    pub days: u8,
}

const fn once() -> u16 {
    1
}

const fn a_week() -> u8 {
    GrantTerms::DAYS_MAX
}

/// What is shown of a proposal to somebody.
pub(crate) async fn view(
    ra: &RegistrationAuthority,
    proposal: &Proposal,
    signed_in: &SignedIn,
) -> Result<ProposalView, Problem> {
    let constituency = ra.constituency(proposal).await?;
    let subject = subject(ra, &proposal.subject).await?;
    let grant = ra.grant_standing(proposal).await?.map(|grant| GrantStandingView {
        used: grant.used,
        until: grant.until,
        withdrawn: grant.withdrawn,
    });
    Ok(ProposalView {
        grant,
        ..view_of(proposal, (subject, &constituency), (signed_in, ra.now()))
    })
}

fn view_of(
    proposal: &Proposal,
    (subject, constituency): (SubjectView, &Constituency),
    (signed_in, now): (&SignedIn, Timestamp),
) -> ProposalView {
    let terms = &proposal.terms;
    let steps = terms.steps.iter().enumerate().map(|(index, step)| StepView {
        who: step.who.to_string(),
        min: step.people(),
        approved: proposal.approved_in(index),
        open: proposal.open_step() == Some(index),
    });
    let excluded = constituency.excluded.iter().map(|(who, why)| ExcludedView {
        principal: who.to_string(),
        why: why.to_string(),
    });
    ProposalView {
        id: proposal.id.to_string(),
        subject,
        digest: hex::encode(proposal.digest),
        state: proposal.state(now).as_str().to_owned(),
        policy: terms.policy.to_string(),
        policy_version: terms.version,
        evidence: terms.evidence.as_str().to_owned(),
        right: proposal.subject.right().as_str().to_owned(),
        steps: steps.collect(),
        approvals: terms.people(),
        opened_at: proposal.opened_at,
        opened_by: proposal.opened_by.to_string(),
        until: proposal.until,
        begins_until: proposal.begins_until(),
        decisions: proposal.rulings.iter().map(ruling).collect(),
        excluded: excluded.collect(),
        grantable: proposal.grantable.is_some(),
        granted: proposal.granted().map(grant_view),
        grant: None,
        you: signed_in.principal().to_string(),
        proposed: None,
        changes: Vec::new(),
    }
}

async fn subject(ra: &RegistrationAuthority, subject: &ProposalSubject) -> Result<SubjectView, Problem> {
    Ok(match subject {
        ProposalSubject::Enrollment(id) => SubjectView::Request { id: id.to_string() },
        ProposalSubject::Object { kind, name, version } => SubjectView::Object {
            object: kind.as_str().to_owned(),
            name: name.clone(),
            version: *version,
        },
        ProposalSubject::Certificates { change, enrollments } => SubjectView::Certificates {
            change: match change {
                StatusChange::Revoke(reason) => reason.as_str(),
                StatusChange::Release => "release",
            }
            .to_owned(),
            requests: enrollments.iter().map(ToString::to_string).collect(),
        },
        ProposalSubject::Registration(id) => SubjectView::Registration {
            id: id.to_string(),
            name: registration_name(ra, *id).await?,
        },
        ProposalSubject::Secret(id) => {
            let known = ra
                .secrets()
                .secret(*id)
                .await?
                .ok_or(Problem::NotFound("secret"))?;
            let secret = &known.value().secret;
            SubjectView::Secret {
                id: id.to_string(),
                of: secret.kind.as_str().to_owned(),
                whose: match &secret.owner {
                    SecretOwner::Operator(name) => format!("operator:{name}"),
                    SecretOwner::Registration(id) => {
                        format!("registration:{}", registration_name(ra, *id).await?)
                    }
                },
            }
        }
    })
}

async fn registration_name(ra: &RegistrationAuthority, id: RegistrationId) -> Result<String, Problem> {
    let known = ra.registrations().registration(id).await?;
    let known = known.ok_or(Problem::NotFound("registration"))?;
    Ok(known.into_value().registration.name)
}

fn ruling(ruling: &Ruling) -> DecisionView {
    let evidence = ruling.evidence.as_ref().map(|evidence| EvidenceBody {
        algorithm: evidence.algorithm.as_str().to_owned(),
        key: hex::encode(&evidence.key),
        signature: hex::encode(&evidence.signature),
    });
    DecisionView {
        by: ruling.by.to_string(),
        decision: ruling.decision.as_str().to_owned(),
        step: u32::from(ruling.step).saturating_add(1),
        comment: ruling.comment.clone(),
        at: ruling.at,
        evidence,
        grant: ruling.grant.map(grant_view),
        discounted: ruling.discounted.clone(),
    }
}

const fn grant_view(grant: GrantTerms) -> GrantBody {
    GrantBody {
        uses: grant.uses,
        days: grant.days,
    }
}
