//! What changes between two texts of an object, or two registrations, and whether more can be had by the new one.
//!
//! Texts are compared by meaning: absent keys have their defaults, remarks and order do not count. Each difference
//! either shows that the new text allows no more than the old one ([`Direction::Narrows`]), says nothing about who can
//! get what ([`Direction::Neutral`]), or counts as giving more ([`Direction::Widens`]): also whenever the opposite is
//! not plain. Changes that widen need the approval of others, so a wrong answer must be on that side.

mod anchors;
mod approval;
mod endpoint;
mod measure;
mod people;
mod profile;
mod registration;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use portreeve_ra::ObjectKind;

use crate::anchors::parse_trust_anchors;
use crate::approval::parse_approval_policy;
use crate::endpoint::{ANY_PROTOCOL, parse_endpoint_with_overrides};
use crate::operators::{parse_operator, parse_role, parse_team};
use crate::profile::Profile;
use measure::Measure;

pub use registration::{compare_registrations, registration_widens};

/// What a change means for who can get what.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Nothing.
    Neutral,
    /// Nobody can get more.
    Narrows,
    /// Somebody may get more.
    Widens,
}

impl Direction {
    /// The word for people and programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Neutral => "neutral",
            Self::Narrows => "narrows",
            Self::Widens => "widens",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key, dotted; an attribute or a condition stands with its name.
    pub path: String,
    /// What it was; `None`: it was not there.
    pub old: Option<String>,
    /// What it is; `None`: it is no longer there.
    pub new: Option<String>,
    /// What that means.
    pub direction: Direction,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            old,
            new,
            direction,
        } = self;
        let direction = direction.as_str();
        match (old, new) {
            (Some(old), Some(new)) => write!(f, "{path}: {old} becomes {new} ({direction})"),
            (None, Some(new)) => write!(f, "{path}: {new} is added ({direction})"),
            (Some(old), None) => write!(f, "{path}: {old} is removed ({direction})"),
            (None, None) => write!(f, "{path} ({direction})"),
        }
    }
}

/// Why two texts cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompareError {
    /// The first cannot be read.
    #[error("the old text: {0}")]
    Old(String),
    /// The second cannot be read.
    #[error("the new text: {0}")]
    New(String),
    /// Of a kind that has no meaning here.
    #[error("a {0} cannot be compared")]
    Kind(&'static str),
}

/// One key with its value.
pub(crate) struct Facet {
    path: String,
    measure: Measure,
    /// The key without which this one says nothing: where that one comes or goes, this one comes or goes with it.
    within: Option<String>,
}

impl Facet {
    pub(crate) fn new(path: impl Into<String>, measure: Measure) -> Self {
        Self {
            path: path.into(),
            measure,
            within: None,
        }
    }

    pub(crate) fn within(self, anchor: impl Into<String>) -> Self {
        Self {
            within: Some(anchor.into()),
            ..self
        }
    }
}

/// Every difference between two texts of an object, by key.
pub fn compare(kind: ObjectKind, old: &str, new: &str) -> Result<Vec<Change>, CompareError> {
    let old = facets(kind, old)?.map_err(CompareError::Old)?;
    let new = facets(kind, new)?.map_err(CompareError::New)?;
    Ok(differences(&old, &new))
}

fn differences(old: &Facets, new: &Facets) -> Vec<Change> {
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    paths
        .into_iter()
        .filter_map(|path| change(path, old, new))
        .collect()
}

/// Whether the new text may give somebody something that the old one does not. A first text does, and so does a change
/// that cannot be understood.
pub fn widens(kind: ObjectKind, old: Option<&str>, new: &str) -> bool {
    let Some(Ok(changes)) = old.map(|old| compare(kind, old, new)) else {
        return true;
    };
    changes.iter().any(|change| change.direction == Direction::Widens)
}

type Facets = BTreeMap<String, Facet>;

fn facets(kind: ObjectKind, text: &str) -> Result<Result<Facets, String>, CompareError> {
    let found = match kind {
        ObjectKind::Profile => Profile::parse(text)
            .map(|profile| profile::facets(&profile))
            .map_err(|error| error.to_string()),
        // Its name is no part of the text; the usual wait for a client that it implies changes nothing here.
        ObjectKind::Endpoint => parse_endpoint_with_overrides(&format!("{ANY_PROTOCOL}/compared"), 1, text)
            .map(|(endpoint, overrides)| endpoint::facets(&endpoint, &overrides))
            .map_err(|error| error.to_string()),
        ObjectKind::ApprovalPolicy => parse_approval_policy("compare", 1, text)
            .map(|policy| approval::facets(&policy))
            .map_err(|error| error.to_string()),
        ObjectKind::TrustAnchors => parse_trust_anchors("compare", text)
            .map(|set| anchors::facets(&set))
            .map_err(|error| error.to_string()),
        ObjectKind::Role => parse_role("compare", text)
            .map(|role| people::of_role(&role))
            .map_err(|error| error.to_string()),
        ObjectKind::Team => parse_team("compare", text)
            .map(|team| people::of_team(&team))
            .map_err(|error| error.to_string()),
        ObjectKind::Operator => parse_operator("compare", text)
            .map(|operator| people::of_operator(&operator))
            .map_err(|error| error.to_string()),
        ObjectKind::Ca => return Err(CompareError::Kind(kind.as_str())),
    };
    Ok(found.map(by_path))
}

fn by_path(facets: Vec<Facet>) -> Facets {
    facets
        .into_iter()
        .map(|facet| (facet.path.clone(), facet))
        .collect()
}

fn change(path: &str, old: &Facets, new: &Facets) -> Option<Change> {
    let (was, is) = (old.get(path), new.get(path));
    let direction = match (was, is) {
        (Some(was), Some(is)) if was.measure.equals(&is.measure) => return None,
        (Some(was), Some(is)) => was.measure.direction(&is.measure),
        (Some(one), None) | (None, Some(one)) => {
            let there = |facets: &Facets| {
                one.within
                    .as_ref()
                    .is_none_or(|anchor| facets.contains_key(anchor))
            };
            match (there(old) && there(new), is) {
                (false, _) => Direction::Neutral,
                (true, Some(is)) => is.measure.added(),
                (true, None) => one.measure.removed(),
            }
        }
        (None, None) => return None,
    };
    Some(Change {
        path: path.to_owned(),
        old: was.map(|facet| facet.measure.to_string()),
        new: is.map(|facet| facet.measure.to_string()),
        direction,
    })
}

#[cfg(test)]
mod tests;
