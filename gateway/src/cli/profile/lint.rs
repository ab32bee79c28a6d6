//! `portreeve profile lint`.

use std::fmt;
use std::path::Path;

use portreeve_policies::lints::{Lint, lint};
use portreeve_policies::{Profile, parse_endpoint_with_overrides};
use serde::Serialize;

use super::super::{CliError, Exit, Surroundings, Table, plain};

/// What is assumed where no endpoint is given: names must be proven and nobody approves.
const ASSUMED: &str = "profiles = [\"assumed\"]\nbackend = \"assumed\"\n";

/// What a lint found, for programs.
#[derive(Debug, Serialize)]
pub(super) struct Linted {
    code: &'static str,
    severity: &'static str,
    blocks: bool,
    text: String,
    remedy: &'static str,
    reason: Option<String>,
}

impl fmt::Display for Linted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code, severity, text, ..
        } = self;
        write!(f, "{code} ({severity}): {text}{}", self.ending())
    }
}

impl Linted {
    fn ending(&self) -> String {
        match &self.reason {
            Some(reason) => format!(" (accepted: {reason})"),
            None => format!(". {}", self.remedy),
        }
    }
}

impl From<Lint> for Linted {
    fn from(lint: Lint) -> Self {
        Self {
            blocks: lint.blocks(),
            code: lint.code,
            severity: lint.severity.as_str(),
            text: lint.text,
            remedy: lint.remedy,
            reason: lint.reason,
        }
    }
}

pub(super) fn run(profile: &Path, endpoint: Option<&Path>, around: &Surroundings) -> Result<Exit, CliError> {
    let text = super::text(profile)?;
    let endpoint = endpoint.map(super::text).transpose()?;
    let found = found(&text, endpoint.as_deref())?;
    around.output.show(&found, |found| {
        let mut table = Table::new(["CODE", "SEVERITY", "BLOCKS", "FOUND"]);
        for lint in found {
            table.row([
                lint.code.to_owned(),
                lint.severity.to_owned(),
                if lint.blocks { "yes" } else { "no" }.to_owned(),
                plain(&format!("{}{}", lint.text, lint.ending())),
            ]);
        }
        table
    })?;
    Ok(if found.iter().any(|lint| lint.blocks) {
        Exit::Failed
    } else {
        Exit::Fine
    })
}

/// What is found in a profile, and where this endpoint offers it.
pub(super) fn found(profile: &str, endpoint: Option<&str>) -> Result<Vec<Linted>, CliError> {
    let failed = |what: &str, error: &dyn fmt::Display| CliError::Failed(format!("{what}: {error}"));
    let profile = Profile::parse(profile).map_err(|error| failed("profile", &error))?;
    let (endpoint, overrides) = parse_endpoint_with_overrides("an/endpoint", 1, endpoint.unwrap_or(ASSUMED))
        .map_err(|error| failed("endpoint", &error))?;
    let alone = lint(&profile, None);
    let offered = lint(&profile, Some((&endpoint, &overrides)));
    Ok(alone.into_iter().chain(offered).map(Linted::from).collect())
}
