//! Conditions of a profile that are written as expressions, and who decides where one refers to people.

use std::time::Duration;

use portreeve_pkix::duration;
use serde::{Deserialize, Deserializer, de::Error};

use super::check::CONDITIONS_MAX;
use super::{Profile, ProfileError};
use crate::expression::Expression;

const NAME_BYTES_MAX: usize = 64;
const MESSAGE_CHARS_MAX: usize = 200;
/// As for the approval of an endpoint.
const AGE_MAX: Duration = Duration::from_secs(30 * 86_400);

/// A condition that must be true of a request and of what would be certified.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// Its name, unique in the profile: lower-case letters, digits and hyphens.
    pub name: String,
    /// The condition.
    #[serde(deserialize_with = "compiled")]
    pub expression: Expression,
    /// What the requester and the operator are told when it is not true.
    pub message: String,
    /// What happens when it is not true. When it cannot be evaluated the request is refused in any case.
    #[serde(default)]
    pub outcome: Otherwise,
}

/// What happens to a request of which a condition is not true.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Otherwise {
    /// It is refused.
    #[default]
    Refuse,
    /// People decide.
    Refer,
}

/// Who decides on a request that a condition refers to people, where the endpoint does not say so of every request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Referral {
    /// How many different principals must approve; at least 1.
    pub approvals: u8,
    /// After this the proposal expires: 1 s to 30 days.
    #[serde(with = "duration")]
    pub age_max: Duration,
}

fn compiled<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Expression, D::Error> {
    Expression::compile(&String::deserialize(deserializer)?)
        .map_err(|error| D::Error::custom(format!("expression: {error}")))
}

/// Checks what one condition alone does not show.
pub(super) fn check(profile: &Profile) -> Result<(), ProfileError> {
    let conditions = &profile.conditions;
    if conditions.len() > CONDITIONS_MAX {
        return Err(ProfileError::Conditions);
    }
    for (index, condition) in conditions.iter().enumerate() {
        let twice = conditions
            .iter()
            .take(index)
            .any(|other| other.name == condition.name);
        if let Some(reason) = objection(condition).or(twice.then_some("two have this name")) {
            return Err(ProfileError::Condition {
                name: crate::shown::text(&condition.name),
                reason: reason.to_owned(),
            });
        }
    }
    let refers = conditions
        .iter()
        .any(|condition| condition.outcome == Otherwise::Refer);
    match &profile.referral {
        None if refers => Err(ProfileError::Referral(
            "a condition refers to people, so it must be there",
        )),
        Some(_) if !refers => Err(ProfileError::Referral("no condition refers to people")),
        Some(referral) if referral.approvals == 0 => Err(ProfileError::Referral("at least one approval")),
        Some(Referral { age_max, .. }) if !(Duration::from_secs(1)..=AGE_MAX).contains(age_max) => {
            Err(ProfileError::Referral("age_max from 1s to 30d"))
        }
        _ => Ok(()),
    }
}

fn objection(condition: &Condition) -> Option<&'static str> {
    let name = condition.name.as_bytes();
    let plain = |octet: &u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || *octet == b'-';
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || !name.iter().all(plain) {
        return Some("the name must have 1 to 64 lower-case letters, digits or hyphens");
    }
    let message = &condition.message;
    if !(1..=MESSAGE_CHARS_MAX).contains(&message.chars().count()) || message.chars().any(char::is_control) {
        return Some("the message must have 1 to 200 characters in one line");
    }
    None
}
