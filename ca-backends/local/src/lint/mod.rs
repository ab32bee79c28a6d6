//! The lint: rules that a TBSCertificate must meet before it is stored and signed.
//!
//! It reads the octets that will be signed, not the structures they were made from. Each rule is small, has a name that
//! shows in the refusal and the clause it enforces. All rules are applied, so that everything wrong is said at once.

mod addresses;
mod extensions;
mod key;
mod names;
mod subject;
#[cfg(test)]
mod tests;
mod times;
mod usage;

use std::collections::BTreeSet;
use std::fmt;

use portreeve_pkix::signed::assemble;
use portreeve_pkix::{Certificate, DecodeError, Extension, Oid, SignatureAlgorithm, Timestamp};
use portreeve_ra::CertificateContents;

use crate::draft::Issuer;

/// Findings written into one refusal.
const FINDINGS_SAID_MAX: usize = 10;

/// One rule.
pub struct Rule {
    /// Its name, for refusals and for excusing it.
    pub name: &'static str,
    /// What demands it.
    pub clause: &'static str,
    check: fn(&Subject<'_>) -> Result<(), String>,
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: &'static str,
    /// What exactly.
    pub detail: String,
}

/// Everything that was found; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings(pub Vec<Finding>);

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().take(FINDINGS_SAID_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", finding.rule, finding.detail)?;
        }
        Ok(())
    }
}

/// What is linted.
pub(crate) struct Specimen<'a> {
    pub(crate) tbs: &'a [u8],
    pub(crate) contents: &'a CertificateContents,
    pub(crate) issuer: &'a Issuer<'a>,
    pub(crate) now: Timestamp,
}

/// The specimen with its decoded view, as rules see it.
struct Subject<'a> {
    specimen: &'a Specimen<'a>,
    certificate: Certificate,
}

impl Subject<'_> {
    fn extension(&self, oid: &Oid) -> Option<&Extension> {
        self.certificate.extension(oid)
    }
}

/// Every rule.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    let groups = [
        times::RULES,
        subject::RULES,
        names::RULES,
        key::RULES,
        usage::RULES,
        extensions::RULES,
        addresses::RULES,
    ];
    groups.into_iter().flatten()
}

/// Applies every rule that is not excused. What does not decode is refused whatever is excused.
pub(crate) fn lint(specimen: &Specimen<'_>, excused: &BTreeSet<String>) -> Result<(), Findings> {
    let certificate = unsigned(specimen.tbs, specimen.issuer.algorithm).map_err(|error| {
        Findings(vec![Finding {
            rule: "encoding",
            detail: error.to_string(),
        }])
    })?;
    let subject = Subject {
        specimen,
        certificate,
    };
    let applied = rules().filter(|rule| !excused.contains(rule.name));
    let found: Vec<Finding> = applied
        .filter_map(|rule| {
            let detail = (rule.check)(&subject).err()?;
            Some(Finding {
                rule: rule.name,
                detail,
            })
        })
        .collect();
    if found.is_empty() {
        Ok(())
    } else {
        Err(Findings(found))
    }
}

/// The decoded view of a TBSCertificate that has no signature yet. Decoding bounds sizes and refuses duplicate and
/// malformed extensions, serial numbers that are not positive or exceed 20 octets, and empty lists.
pub(crate) fn unsigned(tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<Certificate, DecodeError> {
    Certificate::from_der(&assemble(tbs, algorithm, &[0]))
}

/// A rule's verdict from a condition.
fn unless(fine: bool, detail: impl FnOnce() -> String) -> Result<(), String> {
    if fine { Ok(()) } else { Err(detail()) }
}

/// Whether no two are equal.
fn all_differ<T: Ord>(items: impl IntoIterator<Item = T>) -> bool {
    let mut seen = BTreeSet::new();
    items.into_iter().all(|item| seen.insert(item))
}
