//! Checking that a certificate leads to an issuer that is already trusted.

use crate::certificate::Certificate;
use crate::extension::KeyUsage;
use crate::time::Timestamp;

/// Most issuers of one path.
pub const ISSUERS_MAX: usize = 8;

/// Why a path does not hold; `depth` 0 is the leaf, 1 the first issuer.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// No issuer was given.
    #[error("no issuer")]
    NoIssuer,
    /// More than eight issuers were given.
    #[error("more than {ISSUERS_MAX} issuers")]
    TooLong,
    /// The issuer name of a certificate is not the subject of the next one.
    #[error("certificate {depth} was not issued under the name of the next one")]
    NameMismatch {
        /// Position of the certificate.
        depth: usize,
    },
    /// The signature of a certificate does not verify under the key of the next one.
    #[error("signature of certificate {depth} does not verify")]
    BadSignature {
        /// Position of the certificate.
        depth: usize,
    },
    /// An issuer lacks the CA flag or the keyCertSign usage.
    #[error("certificate {depth} may not issue certificates")]
    NotCa {
        /// Position of the certificate.
        depth: usize,
    },
    /// There are more CAs below an issuer than its path length constraint allows.
    #[error("path length constraint of certificate {depth} exceeded")]
    PathLengthExceeded {
        /// Position of the certificate.
        depth: usize,
    },
    /// A certificate is not valid yet.
    #[error("certificate {depth} is not valid yet")]
    NotYetValid {
        /// Position of the certificate.
        depth: usize,
    },
    /// A certificate has expired.
    #[error("certificate {depth} has expired")]
    Expired {
        /// Position of the certificate.
        depth: usize,
    },
}

/// The issuers of a CA that do not change, nearest first: what one certificate needs no second look at for the next.
///
/// Whether the last issuer is trusted is the caller's knowledge. This is for the fixed chains of our own backends: name
/// constraints, policies and revocation are not looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssuerChain {
    issuers: Vec<Certificate>,
}

impl IssuerChain {
    /// Checks each link among the issuers: name, signature, CA flag with keyCertSign, path length. There may be none,
    /// where they are not known yet; nothing leads to such a chain.
    pub fn new(issuers: Vec<Certificate>) -> Result<Self, PathError> {
        if issuers.len() > ISSUERS_MAX {
            return Err(PathError::TooLong);
        }
        let mut cas_below = 0;
        let mut below: Option<&Certificate> = None;
        for (index, issuer) in issuers.iter().enumerate() {
            if let Some(below) = below {
                check_link(below, issuer, index)?;
            }
            if issuer.path_len().is_some_and(|most| cas_below > most) {
                return Err(PathError::PathLengthExceeded { depth: index + 1 });
            }
            // Self-issued certificates do not count (RFC 5280 section 6.1.4 (l)).
            if issuer.subject() != issuer.issuer() {
                cas_below += 1;
            }
            below = Some(issuer);
        }
        Ok(Self { issuers })
    }

    /// From the one that issues to the last that is known.
    pub fn issuers(&self) -> &[Certificate] {
        &self.issuers
    }

    /// Checks that a certificate was issued by the first issuer, and that it and all issuers are valid at `now`.
    pub fn check(&self, leaf: &Certificate, now: Timestamp) -> Result<(), PathError> {
        let issuer = self.issuers.first().ok_or(PathError::NoIssuer)?;
        check_validity(leaf, 0, now)?;
        check_link(leaf, issuer, 0)?;
        self.issuers
            .iter()
            .enumerate()
            .try_for_each(|(index, issuer)| check_validity(issuer, index + 1, now))
    }
}

/// An issuer with nothing known above it.
impl From<Certificate> for IssuerChain {
    fn from(issuer: Certificate) -> Self {
        Self {
            issuers: vec![issuer],
        }
    }
}

fn check_link(below: &Certificate, issuer: &Certificate, depth: usize) -> Result<(), PathError> {
    if below.issuer() != issuer.subject() {
        return Err(PathError::NameMismatch { depth });
    }
    if !issuer.is_ca()
        || !issuer
            .key_usage()
            .is_some_and(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN))
    {
        return Err(PathError::NotCa { depth: depth + 1 });
    }
    below
        .verify_signed_by(issuer.public_key())
        .map_err(|_| PathError::BadSignature { depth })
}

fn check_validity(certificate: &Certificate, depth: usize, now: Timestamp) -> Result<(), PathError> {
    if now < certificate.not_before() {
        return Err(PathError::NotYetValid { depth });
    }
    if !certificate.is_valid_at(now) {
        return Err(PathError::Expired { depth });
    }
    Ok(())
}
