//! Key usages and extended key usages.

use std::fmt;

use portreeve_pkix::{KeyAlgorithm, KeyUsage, Oid};
use serde::{Deserialize, Deserializer, de::Error};

use super::extensions::Handling;

/// Key usages, by kind of key.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyUsageRules {
    /// For every key.
    #[serde(default)]
    pub always: KeyUsage,
    /// Besides, for RSA keys.
    #[serde(default)]
    pub rsa: KeyUsage,
    /// Besides, for elliptic-curve keys other than Ed25519.
    #[serde(default)]
    pub ec: KeyUsage,
    /// What is done with usages that are asked for.
    #[serde(default)]
    pub requested: RequestedKeyUsage,
}

impl KeyUsageRules {
    /// The usages of such a key.
    pub fn of(&self, algorithm: KeyAlgorithm) -> KeyUsage {
        match algorithm {
            KeyAlgorithm::Rsa { .. } => self.always | self.rsa,
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => self.always | self.ec,
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Unsupported => self.always,
        }
    }
}

/// What is done with key usages that are asked for.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestedKeyUsage {
    /// They are left out of account.
    #[default]
    Ignore,
    /// Of the profile's usages those are certified that are asked for; all of them when it is none.
    Narrow,
}

/// Extended key usages.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtendedKeyUsageRules {
    /// Always, whatever is asked for.
    #[serde(default)]
    pub fixed: Vec<Purpose>,
    /// When asked for.
    #[serde(default)]
    pub allowed: Vec<Purpose>,
    /// When none of the allowed ones is asked for.
    #[serde(default)]
    pub default: Vec<Purpose>,
    /// What is done with others that are asked for.
    #[serde(default)]
    pub unlisted: Handling,
}

/// A purpose, written by its RFC 5280 name or as dotted identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose(pub Oid);

const PURPOSES: [(&str, Oid); 7] = [
    ("serverAuth", Oid::EKU_SERVER_AUTH),
    ("clientAuth", Oid::EKU_CLIENT_AUTH),
    ("codeSigning", Oid::EKU_CODE_SIGNING),
    ("emailProtection", Oid::EKU_EMAIL_PROTECTION),
    ("timeStamping", Oid::EKU_TIME_STAMPING),
    ("OCSPSigning", Oid::EKU_OCSP_SIGNING),
    ("anyExtendedKeyUsage", Oid::EKU_ANY),
];

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PURPOSES.iter().find(|(_, oid)| *oid == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for Purpose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let named = PURPOSES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, oid)| oid.clone());
        let oid = named.or_else(|| text.parse().ok());
        oid.map(Self)
            .ok_or_else(|| D::Error::custom(format!("\"{text}\" is not an extended key usage")))
    }
}
