//! `portreeve profile check`.

use std::path::Path;

use portreeve_policies::{Assumptions, Explanation, explain};
use portreeve_queue::SystemClock;
use portreeve_ra::Verdict;
use portreeve_ra::ports::Clock;
use serde::Serialize;

use super::super::{CliError, Exit, Format, Surroundings, plain};
use super::lint::{self, Linted};

#[derive(Debug, Serialize)]
struct Checked {
    verdict: &'static str,
    refusal: Option<String>,
    subject: String,
    names: Vec<String>,
    key: String,
    findings: Vec<Found>,
    lints: Vec<Linted>,
}

#[derive(Debug, Serialize)]
struct Found {
    rule: &'static str,
    outcome: String,
    text: String,
}

pub(super) fn run(profile: &Path, csr: &Path, around: &Surroundings) -> Result<Exit, CliError> {
    let text = super::text(profile)?;
    let request = std::fs::read(csr).map_err(CliError::file(csr))?;
    let assumptions = Assumptions {
        profile: super::name(profile),
        ..Assumptions::at(SystemClock.now())
    };
    let explained =
        explain(&text, &request, &assumptions).map_err(|error| CliError::Failed(error.to_string()))?;
    let lints = lint::found(&text, None)?;
    match around.output.format() {
        Format::Table => {
            let text = explained.to_string();
            let mut lines: Vec<String> = text.lines().map(plain).collect();
            if !lints.is_empty() {
                lines.push(String::new());
                lines.push("lints, where names are proven and nobody approves:".to_owned());
                lines.extend(lints.iter().map(|lint| format!("  {}", plain(&lint.to_string()))));
            }
            around.output.text(&lines.join("\n"))?;
        }
        Format::Json => around.output.json(&checked(&explained, lints))?,
    }
    Ok(if explained.refusal().is_some() {
        Exit::Failed
    } else {
        Exit::Fine
    })
}

fn checked(explained: &Explanation, lints: Vec<Linted>) -> Checked {
    let verdict = match explained.verdict {
        Verdict::Permit { .. } => "permit",
        Verdict::Refer { .. } => "refer",
        Verdict::Refuse { .. } => "refuse",
    };
    let findings = explained.findings().iter().map(|finding| Found {
        rule: finding.rule,
        outcome: format!("{:?}", finding.outcome).to_lowercase(),
        text: finding.text.clone(),
    });
    Checked {
        verdict,
        refusal: explained.refusal().map(ToString::to_string),
        subject: explained.subject.to_string(),
        names: explained.names.iter().map(ToString::to_string).collect(),
        key: explained.key.to_string(),
        findings: findings.collect(),
        lints,
    }
}
