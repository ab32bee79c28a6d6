//! `auth`: how operators sign in.

use portreeve_ra::operators::Ways;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How operators sign in from outside. The host's own socket is always open to root and the gateway's user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSection {
    /// Accepts client certificates of the management CA alone: no passwords, and tokens only beside the certificate of their
    /// owner.
    pub enforce_x509: bool,
}

impl AuthSection {
    /// The ways that are open to operators.
    pub const fn ways(&self) -> Ways {
        match self.enforce_x509 {
            true => Ways::CertificatesOnly,
            false => Ways::All,
        }
    }
}
