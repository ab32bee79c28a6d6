//! Runs the rules over one request.

use portreeve_pkix::{CertificationRequest, DistinguishedName, GeneralName, KeyUsage, Oid};
use portreeve_ra::{
    Agreement, ApprovalPolicy, ApprovalPolicyName, ApprovalTerms, Approvers, CertificateContents,
    EvidenceRule, Facts, Finding, NameRejection, Outcome, Publication, Refusal, Step, ValidityPeriod,
    Verdict,
};

use crate::approval::{AutomaticRule, ReadApproval};
use crate::expression::Variables;
use crate::hygiene::Blocklist;
use crate::profile::{Profile, Referral};
use crate::shown;
use std::sync::Arc;
use std::time::Duration;

/// What rules look at.
pub(crate) struct Question<'a> {
    /// The name of the profile.
    pub(crate) name: &'a str,
    pub(crate) profile: &'a Profile,
    pub(crate) facts: &'a Facts,
    /// The approval policy of the endpoint; `None` asks nobody.
    pub(crate) approval: Option<&'a ReadApproval>,
    pub(crate) request: &'a CertificationRequest,
    pub(crate) blocklist: &'a Blocklist,
}

/// What will be certified, as far as the rules have come. Begins with what is asked for in names and subject, and
/// with nothing in everything else.
pub(crate) struct Draft {
    pub(crate) subject: DistinguishedName,
    pub(crate) names: Vec<GeneralName>,
    pub(crate) validity: ValidityPeriod,
    pub(crate) key_usage: KeyUsage,
    pub(crate) extended_key_usage: Vec<Oid>,
    pub(crate) policies: Vec<Oid>,
    pub(crate) basic_constraints: bool,
    pub(crate) publication: Publication,
}

impl Draft {
    pub(crate) fn of(question: &Question<'_>) -> Self {
        let shortest = question.profile.validity.min;
        Self {
            subject: question.request.subject().clone(),
            names: question.request.names().to_vec(),
            validity: ValidityPeriod {
                backdate: std::time::Duration::ZERO,
                lifetime: shortest,
            },
            key_usage: KeyUsage::NONE,
            extended_key_usage: Vec::new(),
            policies: Vec::new(),
            basic_constraints: false,
            publication: Publication::default(),
        }
    }

    fn into_contents(self, question: &Question<'_>) -> CertificateContents {
        CertificateContents {
            subject: self.subject,
            names: self.names,
            public_key: question.request.public_key().clone(),
            validity: self.validity,
            key_usage: self.key_usage,
            extended_key_usage: self.extended_key_usage,
            policies: self.policies,
            basic_constraints: self.basic_constraints,
            publication: self.publication,
        }
    }
}

/// One rule: its name, and what it does with a draft.
pub(crate) struct Rule {
    /// The name in findings.
    pub(crate) name: &'static str,
    /// Judges; says at least one thing unless the rule has no bearing on the request.
    pub(crate) judge: fn(&Question<'_>, &mut Draft, &mut Reasons),
}

/// What the rules said so far. The first refusal counts; rules after it still run, so that an operator sees
/// everything and a client every name that is wrong.
pub(crate) struct Reasons {
    rule: &'static str,
    findings: Vec<Finding>,
    refusal: Option<Refusal>,
    referred: bool,
}

impl Reasons {
    /// The rule holds.
    pub(crate) fn held(&mut self, text: impl Into<String>) {
        self.say(Outcome::Held, text.into());
    }

    /// The rule set or changed something.
    pub(crate) fn applied(&mut self, text: impl Into<String>) {
        self.say(Outcome::Applied, text.into());
    }

    /// The rule dropped something that was asked for.
    pub(crate) fn dropped(&mut self, text: impl Into<String>) {
        self.say(Outcome::Dropped, text.into());
    }

    /// The rule leaves the decision to people.
    pub(crate) fn refer(&mut self, text: impl Into<String>) {
        self.say(Outcome::Referred, text.into());
        self.referred = true;
    }

    /// The rule refuses the request, in the words of the refusal.
    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.say(Outcome::Refused, refusal.to_string());
        self.refusal.get_or_insert(refusal);
    }

    /// The rule refuses one name: all such names are collected in one refusal.
    pub(crate) fn reject(&mut self, name: String, reason: &str) {
        self.say(Outcome::Refused, format!("{name}: {reason}"));
        let rejections = self.refusal.get_or_insert_with(|| Refusal::Names(Vec::new()));
        if let Refusal::Names(list) = rejections {
            collect(list, name, reason);
        }
    }

    /// The rule misses the proof of one name: all such names are collected in one refusal.
    pub(crate) fn miss_proof(&mut self, name: String, reason: &str) {
        self.say(Outcome::Refused, format!("{name}: {reason}"));
        let rejections = self
            .refusal
            .get_or_insert_with(|| Refusal::NamesUnproven(Vec::new()));
        if let Refusal::NamesUnproven(list) = rejections {
            collect(list, name, reason);
        }
    }

    /// Whether a rule has refused.
    pub(crate) fn refused(&self) -> bool {
        self.refusal.is_some()
    }

    fn say(&mut self, outcome: Outcome, text: String) {
        self.findings.push(Finding {
            rule: self.rule,
            outcome,
            text,
        });
    }
}

/// A client is told the first reason for each name; the findings hold the others.
fn collect(list: &mut Vec<NameRejection>, name: String, reason: &str) {
    let name = shown::text(&name);
    if list.iter().all(|rejection| rejection.name != name) {
        list.push(NameRejection {
            name,
            reason: reason.to_owned(),
        });
    }
}

/// Judges a request by these rules, in their order.
pub(crate) fn judge(question: &Question<'_>, rules: impl IntoIterator<Item = &'static Rule>) -> Verdict {
    let mut draft = Draft::of(question);
    let mut reasons = Reasons {
        rule: "",
        findings: Vec::new(),
        refusal: None,
        referred: false,
    };
    for rule in rules {
        reasons.rule = rule.name;
        (rule.judge)(question, &mut draft, &mut reasons);
    }
    if let Some(refusal) = reasons.refusal {
        return Verdict::Refuse {
            refusal,
            findings: reasons.findings,
        };
    }
    let agreed = matches!(question.facts.approval, Agreement::Given);
    let of_profile = question
        .profile
        .referral
        .as_ref()
        .filter(|_| reasons.referred && !agreed);
    let nobody = reasons.referred && !agreed && question.profile.referral.is_none();
    let of_endpoint = question
        .approval
        .filter(|policy| !agreed && !passes_unasked(question, (&draft, policy), &mut reasons));
    let (contents, findings) = (draft.into_contents(question), reasons.findings);
    match (of_endpoint, of_profile) {
        (None, None) if nobody => Verdict::Refuse {
            refusal: Refusal::Condition("people must decide, and nobody is named who could".to_owned()),
            findings,
        },
        (None, None) => Verdict::Permit { contents, findings },
        (Some(policy), None) => Verdict::Refer {
            contents,
            approval: Arc::clone(&policy.policy),
            findings,
        },
        (of_endpoint, Some(referral)) => match referred(question.name, of_endpoint, referral) {
            Some(approval) => Verdict::Refer {
                contents,
                approval: Arc::new(approval),
                findings,
            },
            None => Verdict::Refuse {
                refusal: Refusal::Condition("people must decide, and nobody is named who could".to_owned()),
                findings,
            },
        },
    }
}

/// Whether an automatic rule of the approval policy says that nobody need be asked. One that cannot be judged says
/// nothing.
fn passes_unasked(
    question: &Question<'_>,
    (draft, policy): (&Draft, &ReadApproval),
    reasons: &mut Reasons,
) -> bool {
    if policy.automatic.is_empty() {
        return false;
    }
    reasons.rule = "approval";
    let variables = match Variables::of(question, draft) {
        Ok(variables) => variables,
        Err(reason) => {
            reasons.held(format!("automatic rules cannot be judged: {reason}"));
            return false;
        }
    };
    for AutomaticRule {
        name,
        expression,
        reason,
    } in &policy.automatic
    {
        match expression.holds(&variables) {
            Ok(true) => {
                reasons.applied(format!("nobody is asked ({name}): {reason}"));
                return true;
            }
            Ok(false) => {}
            Err(error) => reasons.held(format!("automatic {name} cannot be judged: {error}")),
        }
    }
    false
}

/// How long what was approved because a profile asked for it may wait to begin, where no policy says so.
const BEGINS_WITHIN: Duration = Duration::from_secs(3600);

/// Who decides where a profile refers to people: those of the endpoint's policy, and more when the profile asks for more,
/// within the shorter time.
fn referred(
    profile: &str,
    of_endpoint: Option<&ReadApproval>,
    referral: &Referral,
) -> Option<ApprovalPolicy> {
    let wanted = usize::from(referral.approvals.max(1));
    let mut policy = match of_endpoint {
        Some(read) => (*read.policy).clone(),
        None => ApprovalPolicy {
            terms: ApprovalTerms {
                policy: ApprovalPolicyName::new(profile).ok()?,
                version: ApprovalTerms::OF_PROFILE,
                steps: Vec::new(),
                evidence: EvidenceRule::Accepted,
                issue_within: BEGINS_WITHIN,
            },
            age_max: referral.age_max,
        },
    };
    let missing = wanted.saturating_sub(policy.terms.people());
    if missing > 0 {
        policy.terms.steps.push(Step {
            who: Approvers::Anyone,
            min: u8::try_from(missing).unwrap_or(u8::MAX),
        });
    }
    policy.age_max = policy.age_max.min(referral.age_max);
    Some(policy)
}
