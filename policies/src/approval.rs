//! Approval policies: their text form.

use std::sync::Arc;
use std::time::Duration;

use portreeve_pkix::duration;
use portreeve_ra::{
    ApprovalPolicy, ApprovalPolicyName, ApprovalTerms, Approvers, EvidenceRule, OperatorName, RoleName, Step,
    TeamName,
};
use serde::Deserialize;

use crate::expression::{Expression, ExpressionError};

/// The signer refuses an enrollment older than 31 days (ADR 4): waiting for people and for the CA takes 30 at most.
const WAITS_MAX: Duration = Duration::from_secs(30 * 86_400);
/// Automatic rules of one policy, at most.
const AUTOMATIC_MAX: usize = 8;
/// Characters of the name of an automatic rule, at most.
const NAME_MAX: usize = 64;
/// Characters of a description, at most.
const DESCRIPTION_MAX: usize = 1024;
/// Characters of a reason, at most.
const REASON_MAX: usize = 200;

/// Why a text is not an approval policy.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApprovalPolicyError {
    /// Not TOML, an unknown key, a missing one or a value of another kind.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] portreeve_ra::BadName),
    /// No step, or too many.
    #[error("step: 1 to {}", Step::MAX)]
    Steps,
    /// Nobody, or several kinds of people, in one step.
    #[error("step {0}: exactly one of role, team, operator, anyone = true")]
    Who(usize),
    /// Nobody, or too many people.
    #[error("step {0}: min from 1 to {max}, and 1 for one operator", max = Step::PEOPLE_MAX)]
    People(usize),
    /// The same operator in two steps: nobody acts twice, so it could never be complete.
    #[error("step {0}: operator {1} has a step already, and nobody acts twice")]
    Twice(usize, OperatorName),
    /// Too short or too long.
    #[error("age_max and issue_within: at least 1s each, at most 30d together")]
    Waits,
    /// Too long.
    #[error("description: at most {DESCRIPTION_MAX} characters")]
    Description,
    /// An automatic rule that cannot be used.
    #[error("automatic {0}: {1}")]
    Automatic(String, String),
}

/// An automatic rule: when it is true nobody is asked.
#[derive(Clone, Debug)]
pub struct AutomaticRule {
    /// Its name, unique in the policy.
    pub name: String,
    /// When nobody is asked.
    pub expression: Expression,
    /// Why not; it is recorded with the request.
    pub reason: String,
}

/// An approval policy with the rules by which nobody is asked.
#[derive(Clone, Debug)]
pub struct ReadApproval {
    /// What it is for.
    pub description: String,
    /// Who is asked, and how long.
    pub policy: Arc<ApprovalPolicy>,
    /// When nobody is asked.
    pub automatic: Vec<AutomaticRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    description: String,
    #[serde(with = "duration")]
    age_max: Duration,
    #[serde(default = "a_day", with = "duration")]
    issue_within: Duration,
    #[serde(default)]
    evidence: WrittenEvidence,
    #[serde(default)]
    step: Vec<WrittenStep>,
    #[serde(default)]
    automatic: Vec<WrittenAutomatic>,
}

#[derive(Copy, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenEvidence {
    #[default]
    Accepted,
    Required,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    role: Option<RoleName>,
    team: Option<TeamName>,
    operator: Option<OperatorName>,
    anyone: Option<bool>,
    #[serde(default = "one")]
    min: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAutomatic {
    name: String,
    expression: String,
    reason: String,
}

/// Reads the approval policy with this name and version.
///
/// Keys: `age_max` (after this a proposal expires), `issue_within` (how long after the last approval it may begin; 1 day),
/// `evidence` (`"accepted"`, the default, or `"required"`), `description`, `[[step]]` (1 to 8, in order) with exactly one
/// of `role`, `team`, `operator`, `anyone = true`, and `min` (1 to 16 people; 1), `[[automatic]]` (at most 8) with `name`,
/// `expression` (see [`crate::expression`]) and `reason`.
pub fn parse_approval_policy(
    name: &str,
    version: u32,
    text: &str,
) -> Result<ReadApproval, ApprovalPolicyError> {
    let policy = ApprovalPolicyName::new(name)?;
    let written: Written = toml::from_str(text)?;
    let Written {
        description,
        age_max,
        issue_within,
        evidence,
        step,
        automatic,
    } = written;
    let second = Duration::from_secs(1);
    if age_max < second || issue_within < second || age_max.saturating_add(issue_within) > WAITS_MAX {
        return Err(ApprovalPolicyError::Waits);
    }
    let terms = ApprovalTerms {
        policy,
        version,
        steps: steps(step)?,
        evidence: match evidence {
            WrittenEvidence::Accepted => EvidenceRule::Accepted,
            WrittenEvidence::Required => EvidenceRule::Required,
        },
        issue_within,
    };
    if description.chars().count() > DESCRIPTION_MAX {
        return Err(ApprovalPolicyError::Description);
    }
    Ok(ReadApproval {
        description,
        policy: Arc::new(ApprovalPolicy { terms, age_max }),
        automatic: automatic_rules(automatic)?,
    })
}

fn steps(written: Vec<WrittenStep>) -> Result<Vec<Step>, ApprovalPolicyError> {
    if written.is_empty() || written.len() > Step::MAX {
        return Err(ApprovalPolicyError::Steps);
    }
    let mut steps: Vec<Step> = Vec::new();
    for (index, one) in written.into_iter().enumerate() {
        let place = index.saturating_add(1);
        let min = one.min;
        let who = match (one.role, one.team, one.operator, one.anyone) {
            (Some(role), None, None, None) => Approvers::Role(role),
            (None, Some(team), None, None) => Approvers::Team(team),
            (None, None, Some(operator), None) => Approvers::Operator(operator),
            (None, None, None, Some(true)) => Approvers::Anyone,
            _ => return Err(ApprovalPolicyError::Who(place)),
        };
        if let Approvers::Operator(name) = &who {
            if min != 1 {
                return Err(ApprovalPolicyError::People(place));
            }
            if steps.iter().any(|step| step.who == who) {
                return Err(ApprovalPolicyError::Twice(place, name.clone()));
            }
        }
        if !(1..=Step::PEOPLE_MAX).contains(&min) {
            return Err(ApprovalPolicyError::People(place));
        }
        steps.push(Step { who, min });
    }
    Ok(steps)
}

fn automatic_rules(written: Vec<WrittenAutomatic>) -> Result<Vec<AutomaticRule>, ApprovalPolicyError> {
    let fail = |name: &str, reason: String| {
        let name = name.chars().take(NAME_MAX).collect();
        Err(ApprovalPolicyError::Automatic(name, reason))
    };
    let mut rules: Vec<AutomaticRule> = Vec::new();
    for one in written {
        let WrittenAutomatic {
            name,
            expression,
            reason,
        } = one;
        let plain = |text: &str, max: usize| {
            (1..=max).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        if rules.len() >= AUTOMATIC_MAX {
            return fail(&name, format!("at most {AUTOMATIC_MAX} are allowed"));
        }
        if !plain(&name, NAME_MAX) || rules.iter().any(|other| other.name == name) {
            return fail(&name, "the name must be unique, 1 to 64 characters".to_owned());
        }
        if !plain(&reason, REASON_MAX) {
            return fail(
                &name,
                "the reason must have 1 to 200 characters in one line".to_owned(),
            );
        }
        match Expression::compile(&expression) {
            Ok(expression) => rules.push(AutomaticRule {
                name,
                expression,
                reason,
            }),
            Err(error) => return fail(&name, in_words(&error)),
        }
    }
    Ok(rules)
}

fn in_words(error: &ExpressionError) -> String {
    format!("expression: {error}")
}

const fn a_day() -> Duration {
    Duration::from_secs(86_400)
}

const fn one() -> u8 {
    1
}

#[cfg(test)]
mod tests;
