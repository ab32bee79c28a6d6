//! Writing objects: drafts, what is in force, agreement, the end.

use std::path::{Path, PathBuf};

use portreeve_console::{ChangeView, RemarkView, VersionView, WriteBody, WriteMode};

use super::super::request::parameter;
use super::super::{CliError, Exit, Format, Output, Surroundings, Table, plain};
use super::{Resource, name_of, read_text};
use crate::control::{ClientError, OnlyIf};

/// How texts are written.
#[derive(Clone, Debug)]
pub(in crate::cli) struct WriteOptions {
    pub(in crate::cli) mode: WriteMode,
    pub(in crate::cli) reason: String,
    /// What must be in force before; anything when not given.
    pub(in crate::cli) only_if: Option<OnlyIf>,
}

impl WriteOptions {
    pub(super) const fn draft(reason: String) -> Self {
        Self {
            mode: WriteMode::Draft,
            reason,
            only_if: None,
        }
    }

    pub(super) const fn publish(reason: String) -> Self {
        Self {
            mode: WriteMode::Publish,
            reason,
            only_if: None,
        }
    }
}

impl Resource {
    /// Writes a text over the version that is in force, which may have to be one that was looked at.
    pub(in crate::cli) async fn write(
        &self,
        (name, body, options): (&str, String, &WriteOptions),
    ) -> Result<ChangeView, ClientError> {
        let body = WriteBody {
            name: name.to_owned(),
            body,
            mode: options.mode,
            reason: options.reason.clone(),
        };
        match options.only_if {
            Some(version) => self.client.post_if(self.path(), (&body, version)).await,
            None => self.client.post(self.path(), &body).await,
        }
    }
}

pub(super) async fn one(
    resource: &Resource,
    (name, from, options): (String, &Path, &WriteOptions),
    around: Surroundings,
) -> Result<Exit, CliError> {
    resource.of(&name)?;
    let written = resource.write((&name, read_text(from)?, options)).await;
    shown(&[refused(written)?], around.output)
}

pub(super) async fn import(
    resource: &Resource,
    (files, options): (&[PathBuf], &WriteOptions),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let mut named = Vec::with_capacity(files.len());
    for file in files {
        let name = name_of(file, resource.kind)?;
        resource.of(&name)?;
        named.push((name, read_text(file)?));
    }
    let mut written = Vec::with_capacity(named.len());
    for (name, body) in named {
        written.push(refused(resource.write((&name, body, options)).await)?);
    }
    shown(&written, around.output)
}

pub(super) async fn lint(
    resource: &Resource,
    (name, file): (String, &Path),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let options = WriteOptions {
        mode: WriteMode::Check,
        reason: String::new(),
        only_if: None,
    };
    one(resource, (name, file, &options), around).await
}

pub(super) async fn release(
    resource: &Resource,
    (name, number, reason): (&str, u32, String),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let path = format!("{}/versions/{number}/publish", resource.of(name)?);
    let body = serde_json::json!({ "reason": reason });
    let released = resource.client.post::<ChangeView>(&path, &body).await;
    shown(&[refused(released)?], around.output)
}

pub(super) async fn confirm(
    resource: &Resource,
    (name, number, reason): (&str, u32, String),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let path = format!("{}/versions/{number}/confirm", resource.of(name)?);
    let body = serde_json::json!({ "reason": reason });
    let found: VersionView = resource.client.post(&path, &body).await?;
    around.output.show(&found, |found| {
        let mut table = Table::new(["NAME", "VERSION", "STATE", "AGREED"]);
        let agreed: Vec<String> = found.agreed.iter().map(|one| one.by.clone()).collect();
        table.row([
            plain(&found.name),
            found.version.to_string(),
            found.state.clone(),
            plain(&agreed.join(", ")),
        ]);
        table
    })?;
    Ok(Exit::Fine)
}

pub(super) async fn retire(
    resource: &Resource,
    (name, reason): (&str, &str),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let found = resource.read(name).await?;
    if found.state != "in_force" {
        return Err(CliError::Failed(format!(
            "{name} is not in force: {}",
            found.state
        )));
    }
    let path = format!("{}?{}", resource.of(name)?, parameter("reason", reason));
    resource.client.delete(&path, Some(OnlyIf(found.version))).await?;
    match around.output.format() {
        Format::Json => around
            .output
            .json(&serde_json::json!({ "name": name, "outcome": "retired" }))?,
        Format::Table => around.output.text(&format!("{name} was retired\n"))?,
    }
    Ok(Exit::Fine)
}

/// A refusal with what was said about the text, each on a line of its own.
fn refused(written: Result<ChangeView, ClientError>) -> Result<ChangeView, CliError> {
    match written {
        Err(ClientError::Problem(problem)) if !problem.remarks.is_empty() => {
            let lines: Vec<String> = problem.remarks.iter().map(told).collect();
            Err(CliError::Failed(format!(
                "it is not published ({}):\n  {}",
                problem.code,
                lines.join("\n  ")
            )))
        }
        other => Ok(other?),
    }
}

/// A remark on one line.
pub(in crate::cli) fn told(remark: &RemarkView) -> String {
    let weight = if remark.blocks { "blocks" } else { "warning" };
    let ending = match &remark.reason {
        Some(reason) => format!(" (accepted: {reason})"),
        None => format!(". {}", remark.remedy),
    };
    plain(&format!("{} ({weight}): {}{ending}", remark.code, remark.text))
}

fn shown(written: &[ChangeView], output: Output) -> Result<Exit, CliError> {
    output.show(&written, |written| {
        let mut table = Table::new(["NAME", "OUTCOME", "VERSION", "WAITS FOR APPROVAL"]);
        for one in *written {
            table.row([
                plain(&one.name),
                one.outcome.clone(),
                one.version.to_string(),
                one.proposal.clone().unwrap_or_default(),
            ]);
        }
        table
    })?;
    if output.format() == Format::Table {
        let remarks: Vec<String> = written.iter().flat_map(|one| &one.remarks).map(told).collect();
        if !remarks.is_empty() {
            output.text(&remarks.join("\n"))?;
        }
    }
    Ok(Exit::Fine)
}
