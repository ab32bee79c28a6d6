//! Reasons for what a lint would block.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CHECKS, Look};

const REASON_CHARS_MIN: usize = 10;
const REASON_CHARS_MAX: usize = 300;

/// The section `[lint]` of a profile or an endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Overrides {
    /// The code of a lint with the reason why it is right here.
    #[serde(default, rename = "override")]
    reasons: BTreeMap<String, String>,
}

/// Why a section `[lint]` is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No such lint.
    #[error("lint.override: there is no lint {0}")]
    Unknown(String),
    /// A lint that looks at the profile alone is answered by the profile.
    #[error("lint.override: {0} is a matter of the profile, not of an endpoint")]
    OfProfile(String),
    /// Not a reason.
    #[error(
        "lint.override: the reason for {0} must have {REASON_CHARS_MIN} to {REASON_CHARS_MAX} characters in one line"
    )]
    Reason(String),
}

impl Overrides {
    /// The reason for this lint.
    pub fn reason(&self, code: &str) -> Option<&str> {
        self.reasons.get(code).map(String::as_str)
    }

    /// Every code with its reason.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.reasons
            .iter()
            .map(|(code, reason)| (code.as_str(), reason.as_str()))
    }

    /// Checks codes and reasons of a profile.
    pub(crate) fn check_profile(&self) -> Result<(), OverrideError> {
        self.iter()
            .try_for_each(|(code, reason)| check(code, reason).map(drop))
    }

    /// Checks codes and reasons of an endpoint.
    pub(crate) fn check_endpoint(&self) -> Result<(), OverrideError> {
        self.iter()
            .try_for_each(|(code, reason)| match check(code, reason)? {
                Look::Offer(_) => Ok(()),
                Look::Profile(_) => Err(OverrideError::OfProfile(code.to_owned())),
            })
    }
}

fn check(code: &str, reason: &str) -> Result<&'static Look, OverrideError> {
    let found = CHECKS.iter().find(|check| check.code == code);
    let found = found.ok_or_else(|| OverrideError::Unknown(crate::shown::text(code)))?;
    let length = reason.trim().chars().count();
    if !(REASON_CHARS_MIN..=REASON_CHARS_MAX).contains(&length) || reason.chars().any(char::is_control) {
        return Err(OverrideError::Reason(code.to_owned()));
    }
    Ok(&found.look)
}
