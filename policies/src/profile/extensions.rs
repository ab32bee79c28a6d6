//! Requested extensions without a rule of their own, and the addresses of the CA.

use portreeve_ra::Publication;
use serde::Deserialize;

/// What happens to requested extensions without a rule of their own. They are never copied.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtensionRules {
    /// Any extension other than names, usages and basic constraints.
    #[serde(default)]
    pub unlisted: Handling,
    /// A request to become a CA.
    #[serde(default)]
    pub ca: Handling,
}

/// What happens to something that is asked for and not granted.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handling {
    /// Left out.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
}

/// Which addresses of the CA are written, where the CA has them.
#[derive(Copy, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PublicationRules {
    /// A CRL distribution point.
    pub crl: bool,
    /// Where the CA certificate is.
    pub ca_issuers: bool,
    /// The OCSP responder.
    pub ocsp: bool,
}

impl From<PublicationRules> for Publication {
    fn from(rules: PublicationRules) -> Self {
        Self {
            crl: rules.crl,
            ca_issuers: rules.ca_issuers,
            ocsp: rules.ocsp,
        }
    }
}
