//! `backend.NAME`: certificate authorities.

mod est;

use std::collections::BTreeMap;

use portreeve_ra::BackendName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, SecretSource, SignerSection, invalid};

pub use est::{ChallengePasswordWord, EstSection};

/// A certificate authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BackendSection {
    /// What kind.
    pub kind: BackendKind,
    /// The name of the CA in the store, as given to `portreeve ca create`; empty: the name of the backend.
    pub ca: String,
    /// The signer that holds its key.
    pub signer: String,
    /// The EST server, when that is what it is.
    pub est: Option<EstSection>,
}

/// What kind of certificate authority.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// The internal CA: a certificate in the store, a key in a signer.
    #[default]
    Local,
    /// Somebody else's EST server, to which requests are forwarded.
    Est,
}

impl Default for BackendSection {
    fn default() -> Self {
        Self {
            kind: BackendKind::Local,
            ca: String::new(),
            signer: "soft".to_owned(),
            est: None,
        }
    }
}

impl BackendSection {
    pub(super) fn check(
        &self,
        name: &str,
        signers: &BTreeMap<String, SignerSection>,
    ) -> Result<(), ConfigError> {
        let key = |leaf: &str| format!("backend.{name}{leaf}");
        BackendName::new(name).map_err(|error| invalid(key(""), error.to_string()))?;
        if self.signer != "soft" && !signers.contains_key(&self.signer) {
            return Err(invalid(
                key(".signer"),
                format!("there is no signer.{}", self.signer),
            ));
        }
        match (self.kind, &self.est) {
            (BackendKind::Local, None) => Ok(()),
            (BackendKind::Local, Some(_)) => Err(invalid(key(".est"), "is for kind = \"est\"")),
            (BackendKind::Est, None) => Err(invalid(key(".est"), "is needed for kind = \"est\"")),
            (BackendKind::Est, Some(est)) => est.check(&key(".est")),
        }
    }

    /// The name of the CA in the store.
    pub fn ca<'a>(&'a self, name: &'a str) -> &'a str {
        if self.ca.is_empty() { name } else { &self.ca }
    }
}
