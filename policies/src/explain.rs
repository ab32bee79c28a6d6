//! What a profile makes of a request, for people who try it out.

mod table;

use std::sync::Arc;
use std::time::Duration;

use portreeve_pkix::{
    CertificationRequest, DecodeError, DistinguishedName, GeneralName, Identifier, KeyAlgorithm,
    PossessionError, Timestamp, pem,
};
use portreeve_ra::{
    Agreement, BackendName, BadName, ClientRules, Endpoint, EndpointName, ExternalAccounts, Facts, Finding,
    NameAuthority, Offer, Outcome, ProfileName, RateLimits, Refusal, RenewalRules, Requester, Verdict,
};

use crate::approval::ReadApproval;
use crate::engine::{Question, judge};
use crate::hygiene::Blocklist;
use crate::profile::{Profile, ProfileError};
use crate::rules::RULES;

const PEM_LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];
/// The first octet of any DER encoded request.
const SEQUENCE: u8 = 0x30;

/// What is assumed about everything that is in neither the profile nor the request.
#[derive(Clone, Debug)]
pub struct Assumptions {
    /// The time of judgement.
    pub now: Timestamp,
    /// The name of the profile.
    pub profile: String,
    /// Whether the endpoint asks for proven names.
    pub names: NameAuthority,
    /// What the requester has proven; `None`: every name of the request.
    pub validated: Option<Vec<Identifier>>,
    /// The beginning the client asks for, outside of the request.
    pub not_before_asked: Option<Timestamp>,
    /// The end the client asks for, outside of the request.
    pub not_after_asked: Option<Timestamp>,
    /// Who must agree at the endpoint.
    pub approval: Option<ReadApproval>,
    /// Whether the key was reported as compromised.
    pub key_blocked: bool,
}

impl Assumptions {
    /// An endpoint that asks for proven names, all of them proven, no times asked for, nobody to agree. The profile has
    /// no name.
    pub const fn at(now: Timestamp) -> Self {
        Self {
            now,
            profile: String::new(),
            names: NameAuthority::Proven,
            validated: None,
            not_before_asked: None,
            not_after_asked: None,
            approval: None,
            key_blocked: false,
        }
    }
}

/// Why there is nothing to explain.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ExplainError {
    /// The profile cannot be read.
    #[error("profile: {0}")]
    Profile(#[from] ProfileError),
    /// The request cannot be read; the RA refuses it as malformed.
    #[error("request: {0}")]
    Request(#[from] DecodeError),
    /// A name of the assumed endpoint is not acceptable; does not happen.
    #[error("endpoint: {0}")]
    Name(#[from] BadName),
}

/// What a profile makes of a request. Its text form is a table of the findings with the verdict below.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The description of the profile.
    pub profile: String,
    /// The subject that is asked for.
    pub subject: DistinguishedName,
    /// The names that are asked for.
    pub names: Vec<GeneralName>,
    /// The kind of key.
    pub key: KeyAlgorithm,
    /// What the RA would decide, with what each rule said.
    pub verdict: Verdict,
}

impl Explanation {
    /// What each rule said.
    pub fn findings(&self) -> &[Finding] {
        match &self.verdict {
            Verdict::Permit { findings, .. }
            | Verdict::Refer { findings, .. }
            | Verdict::Refuse { findings, .. } => findings,
        }
    }

    /// Why it would be refused, if it would.
    pub const fn refusal(&self) -> Option<&Refusal> {
        match &self.verdict {
            Verdict::Refuse { refusal, .. } => Some(refusal),
            Verdict::Permit { .. } | Verdict::Refer { .. } => None,
        }
    }
}

/// Judges a request (PKCS #10, DER or PEM) by a profile as the RA would, possession of the key included, and issues
/// nothing.
pub fn explain(
    profile: &str,
    request: &[u8],
    assumptions: &Assumptions,
) -> Result<Explanation, ExplainError> {
    let profile = Profile::parse(profile)?;
    let request = read(request)?;
    let facts = facts(&request, assumptions)?;
    let blocklist = Blocklist::embedded();
    let question = Question {
        name: &assumptions.profile,
        profile: &profile,
        facts: &facts,
        approval: assumptions.approval.as_ref(),
        request: &request,
        blocklist: &blocklist,
    };
    let verdict = with_possession(request.verify_possession(), judge(&question, RULES));
    Ok(Explanation {
        profile: profile.description.clone(),
        subject: request.subject().clone(),
        names: request.names().to_vec(),
        key: request.public_key().algorithm(),
        verdict,
    })
}

fn read(request: &[u8]) -> Result<CertificationRequest, DecodeError> {
    if request.first() == Some(&SEQUENCE) {
        return CertificationRequest::from_der(request);
    }
    let text = String::from_utf8_lossy(request);
    let blocks = PEM_LABELS.iter().map(|label| pem::decode_all(label, &text));
    let first = blocks
        .reduce(|one, other| one.or(other))
        .unwrap_or_else(|| Ok(Vec::new()))?;
    CertificationRequest::from_der(first.first().map(Vec::as_slice).unwrap_or_default())
}

fn facts(request: &CertificationRequest, assumptions: &Assumptions) -> Result<Facts, BadName> {
    let endpoint = Endpoint {
        name: EndpointName::new("check/check")?,
        version: 1,
        profiles: vec![ProfileName::new("check")?],
        backend: BackendName::new("none")?,
        approval: assumptions
            .approval
            .as_ref()
            .map(|read| read.policy.terms.policy.clone()),
        names: assumptions.names,
        inline_wait: Duration::ZERO,
        retry_after: Duration::from_secs(1),
        rate_limit: RateLimits::default(),
        eab: ExternalAccounts::default(),
        clients: ClientRules::default(),
        renewal: RenewalRules::default(),
        offer: Offer::default(),
    };
    let all = || {
        let common_names = request
            .subject()
            .common_names()
            .filter_map(|name| name.parse().ok().map(Identifier::Dns));
        request
            .names()
            .iter()
            .filter_map(GeneralName::identifier)
            .chain(common_names)
            .collect()
    };
    Ok(Facts {
        now: assumptions.now,
        endpoint: Arc::new(endpoint),
        approval: Agreement::NotAsked,
        requester: Requester::Key(request.public_key().fingerprint()),
        validated: assumptions.validated.clone().unwrap_or_else(all),
        key_blocked: assumptions.key_blocked,
        key_to_be_made: false,
        not_after_asked: assumptions.not_after_asked,
        not_before_asked: assumptions.not_before_asked,
        registration: None,
        secret: None,
    })
}

/// Possession is a step of the RA before policy; here it is shown as the first finding.
fn with_possession(possession: Result<(), PossessionError>, verdict: Verdict) -> Verdict {
    let finding = |outcome, text: &str| Finding {
        rule: "possession",
        outcome,
        text: text.to_owned(),
    };
    let refusal = match possession {
        Ok(()) => None,
        Err(PossessionError::WeakAlgorithm) => Some(Refusal::PossessionWeak),
        Err(PossessionError::BadSignature) => Some(Refusal::PossessionNotProven),
    };
    let first = match &refusal {
        None => finding(Outcome::Held, "signed with the key of the request"),
        Some(refusal) => finding(Outcome::Refused, &refusal.to_string()),
    };
    let before = |mut findings: Vec<Finding>| {
        findings.insert(0, first);
        findings
    };
    match (refusal, verdict) {
        (None, Verdict::Permit { contents, findings }) => Verdict::Permit {
            contents,
            findings: before(findings),
        },
        (
            None,
            Verdict::Refer {
                contents,
                approval,
                findings,
            },
        ) => Verdict::Refer {
            contents,
            approval,
            findings: before(findings),
        },
        (None, Verdict::Refuse { refusal, findings }) => Verdict::Refuse {
            refusal,
            findings: before(findings),
        },
        (
            Some(refusal),
            Verdict::Permit { findings, .. }
            | Verdict::Refer { findings, .. }
            | Verdict::Refuse { findings, .. },
        ) => Verdict::Refuse {
            refusal,
            findings: before(findings),
        },
    }
}

#[cfg(test)]
mod tests;
