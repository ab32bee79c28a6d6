//! Revocation: what is asked for, and the reasons of RFC 5280.

use borsh::{BorshDeserialize, BorshSerialize};

use super::actor::Origin;
use super::ids::EndpointName;
use super::request::{Alongside, Credential};

/// CRLReason (RFC 5280 section 5.3.1), without `removeFromCRL` which is no reason to revoke.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum RevocationReason {
    /// No reason given; written into a CRL as the absence of a reason.
    Unspecified = 0,
    /// The subject's key is known to somebody else.
    KeyCompromise = 1,
    /// The CA's key is.
    CaCompromise = 2,
    /// The subject's name or affiliation changed.
    AffiliationChanged = 3,
    /// Replaced by another certificate.
    Superseded = 4,
    /// No longer needed.
    CessationOfOperation = 5,
    /// On hold.
    CertificateHold = 6,
    /// A privilege was withdrawn.
    PrivilegeWithdrawn = 9,
    /// The attribute authority's key is known to somebody else.
    AaCompromise = 10,
}

impl RevocationReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The reason with the name of RFC 5280.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// The number of RFC 5280.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The reason with this number; 7 is unused and 8 (`removeFromCRL`) is refused.
    pub const fn from_number(number: u64) -> Option<Self> {
        Some(match number {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return None,
        })
    }

    /// The name of RFC 5280.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

/// Which certificate is meant.
#[derive(Clone, Debug)]
pub enum RevocationTarget {
    /// The certificate itself, in DER as received.
    Certificate(Vec<u8>),
}

/// A request to revoke one certificate.
#[derive(Debug)]
pub struct RevocationRequest {
    /// Where it arrived.
    pub endpoint: EndpointName,
    /// Who asks.
    pub credential: Credential,
    /// Which certificate.
    pub target: RevocationTarget,
    /// Why.
    pub reason: RevocationReason,
    /// From where.
    pub origin: Origin,
    /// What to commit in the same transaction.
    pub alongside: Alongside,
}
