//! Runs the rules over one request.

use portreeve_pkix::{CertificationRequest, DistinguishedName, GeneralName, KeyUsage, Oid};
use portreeve_ra::{
    CertificateContents, Facts, Finding, NameRejection, Outcome, Publication, Refusal, ValidityPeriod,
    Verdict,
};

use crate::hygiene::Blocklist;
use crate::profile::Profile;
use crate::shown;

/// What rules look at.
pub(crate) struct Question<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) facts: &'a Facts,
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
    fn of(question: &Question<'_>) -> Self {
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
    };
    for rule in rules {
        reasons.rule = rule.name;
        (rule.judge)(question, &mut draft, &mut reasons);
    }
    let Reasons {
        findings, refusal, ..
    } = reasons;
    if let Some(refusal) = refusal {
        return Verdict::Refuse { refusal, findings };
    }
    let contents = draft.into_contents(question);
    match &question.facts.endpoint.approval {
        Some(approval) => Verdict::Refer {
            contents,
            approval: approval.clone(),
            findings,
        },
        None => Verdict::Permit { contents, findings },
    }
}
