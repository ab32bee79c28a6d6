//! Objects in force, as texts, and texts to put in force.

use portreeve_ra::ObjectVersion;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The version of an object that is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ObjectView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Its text, TOML.
    pub body: String,
    /// Who wrote it, or what it came from, and was not confirmed by another person.
    #[serde(default)]
    pub unconfirmed_authors: Vec<String>,
}

/// A text to publish.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The name of the object.
    pub name: String,
    /// Its text, TOML.
    pub body: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Only says what it would come to: nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
}

pub(crate) fn view(version: ObjectVersion, unconfirmed_authors: Vec<String>) -> ObjectView {
    ObjectView {
        sha256: hex::encode(version.digest()),
        name: version.name,
        version: version.version,
        body: version.body,
        unconfirmed_authors,
    }
}
