//! `portreeve profile check|list`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_console::{List, ObjectView};
use portreeve_policies::{Assumptions, Explanation, explain};
use portreeve_queue::SystemClock;
use portreeve_ra::Verdict;
use portreeve_ra::ports::Clock;
use serde::Serialize;

use super::{CliError, Exit, Format, Surroundings, Table, Target, plain};

/// Certificate profiles.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what a profile makes of a request, rule by rule. Exit code 1 when it would be refused.
    Check {
        /// The profile, a TOML file.
        profile: PathBuf,
        /// The request, PKCS #10 in PEM or DER.
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
    },
    /// Lists the profiles in force.
    List,
}

#[derive(Debug, Serialize)]
struct Checked {
    verdict: &'static str,
    refusal: Option<String>,
    subject: String,
    names: Vec<String>,
    key: String,
    findings: Vec<Found>,
}

#[derive(Debug, Serialize)]
struct Found {
    rule: &'static str,
    outcome: String,
    text: String,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    match arguments.verb {
        Verb::Check { profile, csr } => check(profile, csr, around),
        Verb::List => {
            let found: List<ObjectView> = arguments.target.client()?.read("/api/v1/profiles").await?;
            around.output.show(&found, |found| {
                let mut table = Table::new(["NAME", "VERSION", "SHA-256"]);
                for row in &found.items {
                    table.row([row.name.clone(), row.version.to_string(), row.sha256.clone()]);
                }
                table
            })?;
            Ok(Exit::Fine)
        }
    }
}

fn check(profile: PathBuf, csr: PathBuf, around: Surroundings) -> Result<Exit, CliError> {
    let text = std::fs::read_to_string(&profile).map_err(CliError::file(&profile))?;
    let request = std::fs::read(&csr).map_err(CliError::file(&csr))?;
    let explained = explain(&text, &request, &Assumptions::at(SystemClock.now()))
        .map_err(|error| CliError::Failed(error.to_string()))?;
    match around.output.format() {
        Format::Table => {
            let text = explained.to_string();
            let lines: Vec<String> = text.lines().map(plain).collect();
            around.output.text(&lines.join("\n"))?;
        }
        Format::Json => around.output.json(&checked(&explained))?,
    }
    Ok(if explained.refusal().is_some() {
        Exit::Failed
    } else {
        Exit::Fine
    })
}

fn checked(explained: &Explanation) -> Checked {
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
    }
}
