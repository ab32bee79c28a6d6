//! Certificate profiles: what may be certified, as typed TOML.
//!
//! An absent section or key allows nothing; unknown keys are errors. Reading a profile also checks that it makes
//! sense ([`ProfileError`]): a profile that could never be met, or that would hand out a CA certificate or a
//! certificate for any purpose, cannot be published.

mod check;
mod conditions;
mod extensions;
mod key;
mod names;
mod pattern;
mod subject;
mod usage;
mod validity;

use portreeve_pkix::Oid;
use serde::Deserialize;

use crate::lints::Overrides;

pub use check::ProfileError;
pub use conditions::{Condition, Otherwise, Referral};
pub use extensions::{ExtensionRules, Handling, PublicationRules};
pub use key::{KeyRange, KeyRules};
pub use names::{DnsRules, DnsScope, EmailRules, IpRules, NameRules, UriRules};
pub use pattern::Pattern;
pub use subject::{
    AttributeRule, AttributeType, CommonNameDefault, CommonNameRule, CommonNameRules, RequestedAttribute,
    SubjectRules, UnlistedAttributes,
};
pub use usage::{ExtendedKeyUsageRules, KeyUsageRules, Purpose, RequestedKeyUsage};
pub use validity::{OutsideLimits, RequestedTimes, ValidityRules};

/// What may be certified, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// One sentence for people who choose a profile.
    pub description: String,
    /// The subject. Absent: every attribute asked for is dropped, the common name must be one of the names.
    #[serde(default)]
    pub subject: SubjectRules,
    /// The subject alternative names. Absent: none is allowed.
    #[serde(default)]
    pub names: NameRules,
    /// The keys.
    pub key: KeyRules,
    /// How long.
    pub validity: ValidityRules,
    /// Key usages.
    pub key_usage: KeyUsageRules,
    /// Extended key usages.
    pub extended_key_usage: ExtendedKeyUsageRules,
    /// Whether the basicConstraints extension, with cA false, is written.
    #[serde(default = "yes")]
    pub basic_constraints: bool,
    /// Certificate policies, in order.
    #[serde(default)]
    pub policies: Vec<Oid>,
    /// Which addresses of the CA are written.
    #[serde(default)]
    pub publication: PublicationRules,
    /// What happens to requested extensions that are not named above.
    #[serde(default)]
    pub extensions: ExtensionRules,
    /// Conditions that data cannot say.
    #[serde(default, rename = "condition")]
    pub conditions: Vec<Condition>,
    /// Who decides where a condition refers to people.
    pub referral: Option<Referral>,
    /// Reasons for what a lint would block.
    #[serde(default)]
    pub lint: Overrides,
}

impl Profile {
    /// Reads a profile and checks it.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text)?;
        check::check(&profile)?;
        Ok(profile)
    }
}

const fn yes() -> bool {
    true
}
