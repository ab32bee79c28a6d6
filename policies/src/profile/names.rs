//! Rules for subject alternative names.

use std::fmt;

use ipnet::IpNet;
use portreeve_pkix::DnsName;
use serde::{Deserialize, Deserializer, de::Error};

use super::pattern::Pattern;

/// Rules for subject alternative names. A form without a section is refused; so is every form without a rule here
/// (other names, directory names, registered identifiers).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NameRules {
    /// Fewest names, over all forms.
    pub count_min: usize,
    /// Most names, over all forms.
    pub count_max: usize,
    /// DNS names.
    pub dns: Option<DnsRules>,
    /// IP addresses.
    pub ip: Option<IpRules>,
    /// E-mail addresses.
    pub email: Option<EmailRules>,
    /// URIs.
    pub uri: Option<UriRules>,
}

impl Default for NameRules {
    fn default() -> Self {
        Self {
            count_min: 0,
            count_max: 100,
            dns: None,
            ip: None,
            email: None,
            uri: None,
        }
    }
}

/// Rules for DNS names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsRules {
    /// Names must lie in one of these.
    pub allow: Vec<DnsScope>,
    /// And in none of these. A wildcard that would stand for a denied name is denied too.
    #[serde(default)]
    pub deny: Vec<DnsName>,
    /// Whether `*.` names are allowed.
    #[serde(default)]
    pub wildcards: bool,
    /// Whether names of one label, and wildcards over them, are allowed.
    #[serde(default)]
    pub single_labels: bool,
}

/// A part of the DNS: `"*"` is all of it, `"example.com"` that name and everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsScope {
    /// Any name.
    Any,
    /// This name and those below it.
    Under(DnsName),
}

impl DnsScope {
    /// Whether the name lies in it; a wildcard counts as its base.
    pub fn contains(&self, name: &DnsName) -> bool {
        match self {
            Self::Any => true,
            Self::Under(suffix) => name.is_under(suffix),
        }
    }
}

impl fmt::Display for DnsScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Under(suffix) => suffix.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for DnsScope {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "*" {
            return Ok(Self::Any);
        }
        match DnsName::parse(&text) {
            Ok(name) if !name.is_wildcard() => Ok(Self::Under(name)),
            Ok(name) => Err(D::Error::custom(format!(
                "write \"{}\" in place of \"{name}\"",
                name.base()
            ))),
            Err(error) => Err(D::Error::custom(format!("\"{text}\": {error}"))),
        }
    }
}

/// Rules for IP addresses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpRules {
    /// Addresses must lie in one of these networks.
    pub allow: Vec<IpNet>,
    /// And in none of these.
    #[serde(default)]
    pub deny: Vec<IpNet>,
}

/// Rules for e-mail addresses.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailRules {
    /// The domain must lie in one of these.
    pub allow: Vec<DnsScope>,
}

/// Rules for URIs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UriRules {
    /// The whole URI must match one of these.
    pub allow: Vec<Pattern>,
}
