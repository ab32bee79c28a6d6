//! Rules for the subject.

use portreeve_pkix::{Oid, dn};
use serde::{Deserialize, Deserializer, de::Error};
use std::fmt;

use super::pattern::Pattern;

/// Rules for the subject.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectRules {
    /// What happens to requested attributes without a rule, other than the common name.
    #[serde(default)]
    pub unlisted: UnlistedAttributes,
    /// The common name.
    #[serde(default)]
    pub common_name: CommonNameRules,
    /// Rules by attribute type, at most one for each. Attributes that are added stand in this order, before those
    /// that were asked for; an added common name stands last.
    #[serde(default, rename = "attribute")]
    pub attributes: Vec<AttributeRule>,
}

/// What happens to requested attributes without a rule.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnlistedAttributes {
    /// Left out.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
    /// Certified as asked for.
    Keep,
}

/// Rules for the common name beyond those of an attribute.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommonNameRules {
    /// What it may be.
    #[serde(default)]
    pub rule: CommonNameRule,
    /// Where it comes from when none is asked for.
    #[serde(default)]
    pub default: CommonNameDefault,
    /// A common name that is a DNS name is also asked for as a subject alternative name. Where names must be
    /// proven this is always so (RFC 8555 section 7.4), so that no common name evades the proof.
    #[serde(default)]
    pub into_names: bool,
}

/// What the common name may be. It is never an IP address.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommonNameRule {
    /// One of the subject alternative names.
    #[default]
    AmongNames,
    /// Anything.
    Free,
    /// Left out.
    Drop,
}

/// Where the common name comes from when none is asked for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommonNameDefault {
    /// There is none.
    #[default]
    None,
    /// The first DNS name of at most 64 characters.
    FirstDns,
}

/// Rules for one attribute type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeRule {
    /// Which type: a short name such as `O`, or a dotted identifier.
    #[serde(rename = "type")]
    pub kind: AttributeType,
    /// Always exactly this value, whatever is asked for.
    pub fixed: Option<String>,
    /// This value when none is asked for.
    pub default: Option<String>,
    /// There must be one in the end.
    #[serde(default)]
    pub required: bool,
    /// Requested values must be among these.
    pub allowed: Option<Vec<String>>,
    /// Requested values must match this as a whole.
    pub pattern: Option<Pattern>,
    /// Most values that may be asked for.
    #[serde(default = "one")]
    pub count_max: usize,
    /// What happens to requested values.
    #[serde(default)]
    pub requested: RequestedAttribute,
}

/// What happens to requested values of an attribute.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedAttribute {
    /// Certified when they meet the rule, else the request is refused.
    #[default]
    Keep,
    /// Left out.
    Drop,
    /// The request is refused.
    Refuse,
}

/// An attribute type, written as short name or dotted identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeType(pub Oid);

impl fmt::Display for AttributeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match dn::keyword(&self.0) {
            Some(keyword) => f.write_str(keyword),
            None => self.0.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for AttributeType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let oid = dn::attribute_type(&text);
        oid.map(Self)
            .ok_or_else(|| D::Error::custom(format!("\"{text}\" is not an attribute type")))
    }
}

const fn one() -> usize {
    1
}
