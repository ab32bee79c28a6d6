//! The text form of an explanation.

use std::fmt;

use portreeve_ra::{CertificateContents, Finding, NameRejection, Outcome, Refusal, Verdict};

use super::Explanation;
use crate::profile::Purpose;
use crate::shown;
use portreeve_pkix::duration::Spelled;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "profile  {}", self.profile)?;
        writeln!(f, "subject  {}", or_none(&self.subject.to_string()))?;
        writeln!(f, "names    {}", or_none(&shown::names(&self.names)))?;
        writeln!(f, "key      {}", self.key)?;
        writeln!(f)?;
        write_findings(f, self.findings())?;
        writeln!(f)?;
        match &self.verdict {
            Verdict::Permit { contents, .. } => {
                writeln!(f, "verdict: permit")?;
                write_contents(f, contents)
            }
            Verdict::Refer {
                contents, approval, ..
            } => {
                let (approvals, age_max) = (approval.terms.people(), Spelled(approval.age_max));
                writeln!(f, "verdict: refer ({approvals} approvals within {age_max})")?;
                write_contents(f, contents)
            }
            Verdict::Refuse { refusal, .. } => write_refusal(f, refusal),
        }
    }
}

fn write_findings(f: &mut fmt::Formatter<'_>, findings: &[Finding]) -> fmt::Result {
    let width = findings
        .iter()
        .map(|finding| finding.rule.len())
        .max()
        .unwrap_or(0)
        .max("RULE".len());
    writeln!(f, "{:width$}  OUTCOME   REASON", "RULE")?;
    for finding in findings {
        writeln!(
            f,
            "{:width$}  {:8}  {}",
            finding.rule,
            word(finding.outcome),
            finding.text
        )?;
    }
    Ok(())
}

const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Held => "held",
        Outcome::Applied => "applied",
        Outcome::Dropped => "dropped",
        Outcome::Referred => "referred",
        Outcome::Refused => "refused",
    }
}

fn write_contents(f: &mut fmt::Formatter<'_>, contents: &CertificateContents) -> fmt::Result {
    let listed = |list: Vec<String>| {
        if list.is_empty() {
            "(none)".to_owned()
        } else {
            list.join(", ")
        }
    };
    let validity = contents.validity;
    let purposes = contents
        .extended_key_usage
        .iter()
        .map(|oid| Purpose(oid.clone()).to_string());
    let publication = contents.publication;
    let addresses = [
        (publication.crl, "CRL"),
        (publication.ca_issuers, "CA certificate"),
        (publication.ocsp, "OCSP"),
    ];
    let addresses = addresses
        .iter()
        .filter(|(written, _)| *written)
        .map(|(_, name)| (*name).to_owned());
    writeln!(
        f,
        "  subject             {}",
        or_none(&contents.subject.to_string())
    )?;
    writeln!(
        f,
        "  names               {}",
        or_none(&shown::names(&contents.names))
    )?;
    writeln!(
        f,
        "  validity            {}, beginning {} back",
        Spelled(validity.lifetime),
        Spelled(validity.backdate)
    )?;
    writeln!(
        f,
        "  key usage           {}",
        or_none(&contents.key_usage.to_string())
    )?;
    writeln!(f, "  extended key usage  {}", listed(purposes.collect()))?;
    writeln!(
        f,
        "  policies            {}",
        listed(contents.policies.iter().map(ToString::to_string).collect())
    )?;
    writeln!(
        f,
        "  basic constraints   {}",
        if contents.basic_constraints {
            "not a CA"
        } else {
            "(none)"
        }
    )?;
    writeln!(f, "  addresses           {}", listed(addresses.collect()))
}

fn write_refusal(f: &mut fmt::Formatter<'_>, refusal: &Refusal) -> fmt::Result {
    writeln!(f, "verdict: refuse ({}): {refusal}", refusal.code())?;
    if let Refusal::Names(rejections) | Refusal::NamesUnproven(rejections) = refusal {
        for NameRejection { name, reason } in rejections {
            writeln!(f, "  {name}: {reason}")?;
        }
    }
    Ok(())
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "(none)" } else { text }
}
