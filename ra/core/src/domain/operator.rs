//! Operators and teams, as the policy crate read them from their published texts.

use portreeve_pkix::{Certificate, DistinguishedName};
use std::collections::BTreeSet;

use super::ids::{OperatorName, RoleName, TeamName};

/// A team: what its members own belongs to all of them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Team {
    /// Its name.
    pub name: TeamName,
    /// What it is called, for people.
    pub title: String,
    /// What it is for.
    pub description: String,
}

/// Somebody who operates the installation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operator {
    /// Their name.
    pub name: OperatorName,
    /// What they are called, for people.
    pub title: String,
    /// The roles they hold. One that is not published gives nothing.
    pub roles: BTreeSet<RoleName>,
    /// The teams they are in.
    pub teams: BTreeSet<TeamName>,
    /// The client certificates they sign in with.
    pub certificates: Vec<CertificateMatch>,
    /// Whether they may not sign in.
    pub disabled: bool,
}

impl Operator {
    /// Whether they hold the role that has every right.
    pub fn is_superadmin(&self) -> bool {
        !self.disabled && self.roles.contains(&RoleName::superadmin())
    }

    /// Whether this certificate is one of theirs. Says nothing about whether it is valid.
    pub fn owns(&self, certificate: &Certificate) -> bool {
        self.certificates.iter().any(|one| one.fits(certificate))
    }
}

/// Which certificate is meant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CertificateMatch {
    /// One for this key, by the SHA-256 of its SubjectPublicKeyInfo.
    Spki([u8; 32]),
    /// One that this issuer issued to this subject. Both are kept normalised
    /// ([`DistinguishedName::normalised`]).
    Names {
        /// The issuer.
        issuer: DistinguishedName,
        /// The subject.
        subject: DistinguishedName,
    },
}

impl CertificateMatch {
    /// One that this issuer issued to this subject.
    pub fn names(issuer: &DistinguishedName, subject: &DistinguishedName) -> Self {
        Self::Names {
            issuer: issuer.normalised(),
            subject: subject.normalised(),
        }
    }

    /// Whether this certificate is meant.
    pub fn fits(&self, certificate: &Certificate) -> bool {
        match self {
            Self::Spki(key) => certificate.public_key().fingerprint() == *key,
            Self::Names { issuer, subject } => {
                certificate.issuer().normalised() == *issuer && certificate.subject().normalised() == *subject
            }
        }
    }
}
