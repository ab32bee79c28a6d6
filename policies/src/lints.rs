//! Lints: combinations that have given away more than was meant, in the manner of AD CS ESC1 to ESC16.
//!
//! A text with a lint of severity error is not published unless it carries the reason why it is right here:
//! `[lint.override]` with `CODE = "reason"` in the profile, or in the endpoint for lints of an offer. The reason stands
//! in the signed text, so whoever reads the audit log reads it.
//!
//! Most lints look at a profile alone. Those of an offer look at a profile and an endpoint that offers it: they are
//! run when either of them is published.

mod client_names;
mod client_subject;
mod client_wildcards;
mod names_unproven;
mod policies_mapped;
mod purpose_agent;
mod purpose_code_signing;
mod purpose_logon;
mod purpose_missing;
mod purpose_mixed;
mod purpose_ocsp;
mod revocation_missing;
mod subject_unchecked;
mod validity_long;
mod validity_server;

mod looks;
mod overrides;

use std::fmt;

use portreeve_ra::Endpoint;

use crate::profile::Profile;

pub use overrides::{OverrideError, Overrides};

/// What a lint means for publishing.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is shown.
    Warning,
    /// It blocks, unless the text carries a reason.
    Error,
}

impl Severity {
    /// The word for people and programs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a lint found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The stable name of the lint.
    pub code: &'static str,
    /// What it means for publishing.
    pub severity: Severity,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: &'static str,
    /// Why it is right here, where the text says so.
    pub reason: Option<String>,
}

impl Lint {
    /// Whether the text must not be published as it is.
    pub const fn blocks(&self) -> bool {
        matches!(self.severity, Severity::Error) && self.reason.is_none()
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.code, self.severity.as_str(), self.text)?;
        match &self.reason {
            Some(reason) => write!(f, " (accepted: {reason})"),
            None => write!(f, ". {}", self.remedy),
        }
    }
}

/// One lint.
struct Check {
    code: &'static str,
    severity: Severity,
    /// What it is about, in one sentence.
    meaning: &'static str,
    /// What to do about it.
    remedy: &'static str,
    look: Look,
}

enum Look {
    Profile(fn(&Profile) -> Option<String>),
    Offer(fn(&Profile, &Endpoint) -> Option<String>),
}

macro_rules! lints {
    ($($(#[doc = $doc:literal])+ $code:literal $severity:ident $look:ident($module:ident): $remedy:literal,)*) => {
        const CHECKS: &[Check] = &[$(Check {
            code: $code,
            severity: Severity::$severity,
            meaning: concat!($($doc),+),
            remedy: $remedy,
            look: Look::$look($module::look),
        },)*];
    };
}

lints! {
    /// ESC1: requesters choose who they are, for a purpose that signs in, and nobody looks at it.
    "client_subject" Error Offer(client_subject):
        "Use common_name.rule = \"among_names\" or a pattern, and unlisted = \"drop\"; or let people approve at the endpoint",
    /// ESC1: names that nobody proves, for a purpose that signs in, and nobody looks at them.
    "client_names" Error Offer(client_names):
        "Use names = \"proven\" or approval at the endpoint, or take clientAuth out of the profile",
    /// Names without a rule that nobody proves or approves.
    "names_unproven" Error Offer(names_unproven):
        "Use names = \"proven\" or approval at the endpoint, or list the domains, networks and patterns that are yours",
    /// Code and time stamps are signed in the name of the organization, and nobody looks at who may.
    "purpose_code_signing" Error Offer(purpose_code_signing):
        "Let people approve at the endpoint",
    /// ESC2: a certificate without extended key usage is good for every purpose.
    "purpose_missing" Error Profile(purpose_missing):
        "Set extended_key_usage.fixed or default",
    /// ESC3: an enrolment agent requests certificates in the name of others.
    "purpose_agent" Error Profile(purpose_agent):
        "Take 1.3.6.1.4.1.311.20.2.1 out, or keep the profile for one endpoint with approval",
    /// Whoever has OCSPSigning answers for the CA whether certificates are revoked.
    "purpose_ocsp" Error Profile(purpose_ocsp):
        "Take OCSPSigning out: the responder of a CA gets its certificate from the gateway",
    /// ESC9, ESC10, ESC14, ESC16: Windows and Kerberos logon rely on an identity that such a certificate does not bind.
    "purpose_logon" Error Profile(purpose_logon):
        "Take the logon purposes out: the extension that binds an account cannot be certified",
    /// ESC13: a certificate policy can be mapped to a group of a directory.
    "policies_mapped" Warning Profile(policies_mapped):
        "Make sure that no directory gives rights for these policies",
    /// One certificate for servers and clients: whoever runs a server can also act as a client.
    "purpose_mixed" Warning Profile(purpose_mixed):
        "Make two profiles, one for each purpose",
    /// A wildcard as the name of a client is many identities in one certificate.
    "client_wildcards" Warning Profile(client_wildcards):
        "Set names.dns.wildcards = false",
    /// Subject attributes that nobody has checked are certified.
    "subject_unchecked" Warning Profile(subject_unchecked):
        "Use subject.unlisted = \"drop\" and a rule for each attribute that is wanted",
    /// Nobody can revoke for so long what nobody remembers.
    "validity_long" Error Profile(validity_long):
        "Set validity.max to 1830d or less",
    /// Server certificates that live long are replaced by hand and forgotten.
    "validity_server" Warning Profile(validity_server):
        "Set validity.max to 398d or less",
    /// A certificate that cannot be found revoked lives on when its key is stolen.
    "revocation_missing" Warning Profile(revocation_missing):
        "Set publication.crl or publication.ocsp, or validity.max to 10d or less",
}

/// What is found in a profile alone, or where an endpoint is given, in the offer of this profile there.
pub fn lint(profile: &Profile, offered_by: Option<(&Endpoint, &Overrides)>) -> Vec<Lint> {
    let found = |check: &Check| {
        let text = match (&check.look, offered_by) {
            (Look::Profile(look), None) => look(profile),
            (Look::Offer(look), Some((endpoint, _))) => look(profile, endpoint),
            (Look::Profile(_), Some(_)) | (Look::Offer(_), None) => None,
        }?;
        let of_endpoint = offered_by.and_then(|(_, overrides)| overrides.reason(check.code));
        let reason = profile.lint.reason(check.code).or(of_endpoint);
        Some(Lint {
            code: check.code,
            severity: check.severity,
            text,
            remedy: check.remedy,
            reason: reason.map(str::to_owned),
        })
    };
    CHECKS.iter().filter_map(found).collect()
}

/// Every lint: code, severity, meaning, remedy.
pub fn lints() -> impl Iterator<Item = (&'static str, Severity, &'static str, &'static str)> {
    CHECKS
        .iter()
        .map(|check| (check.code, check.severity, check.meaning.trim(), check.remedy))
}

#[cfg(test)]
mod tests;
