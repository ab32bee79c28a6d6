//! Showing objects, their versions, and what changes between them.

use std::path::Path;

use portreeve_console::{ConfigurationView, DiffView, List, VersionView};
use portreeve_policies::{Direction, compare};
use portreeve_ra::ObjectKind;

use super::super::{CliError, Exit, Format, Surroundings, Table, beginning, plain};
use super::{Resource, read_text};
use crate::workbench::entry;

pub(super) async fn list(
    resource: &Resource,
    state: Option<&str>,
    around: Surroundings,
) -> Result<Exit, CliError> {
    let found = resource.all(state).await?;
    around.output.show(&found, |found| match resource.kind {
        ObjectKind::Endpoint => endpoints(found),
        _ => objects(found),
    })?;
    Ok(Exit::Fine)
}

fn objects(found: &List<ConfigurationView>) -> Table {
    let mut table = Table::new(["NAME", "STATE", "VERSION", "DRAFTS", "DESCRIPTION"]);
    for row in &found.items {
        table.row([
            plain(&row.name),
            row.state.clone(),
            row.version.to_string(),
            numbers(&row.drafts),
            beginning(&word(&row.body, "description")),
        ]);
    }
    table
}

fn endpoints(found: &List<ConfigurationView>) -> Table {
    let mut table = Table::new([
        "NAME", "STATE", "VERSION", "DRAFTS", "PROFILES", "BACKEND", "APPROVAL",
    ]);
    for row in &found.items {
        table.row([
            plain(&row.name),
            row.state.clone(),
            row.version.to_string(),
            numbers(&row.drafts),
            beginning(&word(&row.body, "profiles")),
            word(&row.body, "backend"),
            word(&row.body, "approval"),
        ]);
    }
    table
}

/// A value of a text, in words.
fn word(body: &str, key: &str) -> String {
    fn shown(value: &toml::Value) -> String {
        match value {
            toml::Value::String(text) => plain(text),
            toml::Value::Array(items) => items.iter().map(shown).collect::<Vec<_>>().join(", "),
            other => plain(&other.to_string()),
        }
    }
    let table: toml::Table = toml::from_str(body).unwrap_or_default();
    table.get(key).map(shown).unwrap_or_default()
}

fn numbers(numbers: &[u32]) -> String {
    let words: Vec<String> = numbers.iter().map(u32::to_string).collect();
    words.join(", ")
}

pub(super) async fn show(
    resource: &Resource,
    (name, version): (&str, Option<u32>),
    around: Surroundings,
) -> Result<Exit, CliError> {
    if let Some(number) = version {
        let found = version_of(resource, (name, number)).await?;
        match around.output.format() {
            Format::Json => around.output.json(&found)?,
            Format::Table => around.output.text(found.body.as_deref().unwrap_or_default())?,
        }
        return Ok(Exit::Fine);
    }
    let found = resource.read(name).await?;
    if around.output.format() == Format::Json {
        around.output.json(&found)?;
        return Ok(Exit::Fine);
    }
    let mut head = format!(
        "# {} version {}, {}\n",
        plain(&found.name),
        found.version,
        found.state
    );
    if !found.drafts.is_empty() {
        head.push_str(&format!("# drafts: {}\n", numbers(&found.drafts)));
    }
    if !found.unconfirmed_authors.is_empty() {
        let authors = found.unconfirmed_authors.join(", ");
        head.push_str(&format!(
            "# not confirmed by another person: {}\n",
            plain(&authors)
        ));
    }
    around.output.text(&format!("{head}{}", found.body))?;
    Ok(Exit::Fine)
}

async fn version_of(resource: &Resource, (name, number): (&str, u32)) -> Result<VersionView, CliError> {
    let path = format!("{}/versions/{number}", resource.of(name)?);
    Ok(resource.client.read(&path).await?)
}

pub(super) async fn versions(
    resource: &Resource,
    name: &str,
    around: Surroundings,
) -> Result<Exit, CliError> {
    let path = format!("{}/versions", resource.of(name)?);
    let found: List<VersionView> = resource.client.read(&path).await?;
    around.output.show(&found, |found| {
        let mut table = Table::new([
            "VERSION",
            "STATE",
            "WRITTEN",
            "BY",
            "IN FORCE BY",
            "AGREED",
            "REASON",
        ]);
        for row in &found.items {
            let agreed: Vec<String> = row.agreed.iter().map(|one| one.by.clone()).collect();
            table.row([
                row.version.to_string(),
                row.state.clone(),
                row.written_at.to_string(),
                plain(&row.written_by),
                plain(row.released_by.as_deref().unwrap_or("-")),
                plain(&agreed.join(", ")),
                beginning(&row.reason),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

pub(super) async fn diff(
    resource: &Resource,
    (name, from, to): (&str, Option<u32>, Option<u32>),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let query: Vec<String> = [("from", from), ("to", to)]
        .into_iter()
        .filter_map(|(key, number)| number.map(|number| format!("{key}={number}")))
        .collect();
    let path = format!("{}/diff?{}", resource.of(name)?, query.join("&"));
    let found: DiffView = resource.client.read(&path).await?;
    shown(&found, around)
}

pub(super) fn diff_of_files(
    kind: ObjectKind,
    (old, new): (&Path, &Path),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let (old, new) = (read_text(old)?, read_text(new)?);
    let changes = compare(kind, &old, &new).map_err(|error| CliError::Failed(error.to_string()))?;
    let found = DiffView {
        from: 0,
        to: 0,
        widens: changes.iter().any(|change| change.direction == Direction::Widens),
        changes: changes.into_iter().map(entry).collect(),
    };
    shown(&found, around)
}

fn shown(found: &DiffView, around: Surroundings) -> Result<Exit, CliError> {
    around.output.show(found, |found| {
        let mut table = Table::new(["KEY", "OLD", "NEW", "DIRECTION"]);
        for change in &found.changes {
            let value = |value: &Option<String>| plain(value.as_deref().unwrap_or("-"));
            table.row([
                plain(&change.path),
                value(&change.old),
                value(&change.new),
                change.direction.clone(),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

pub(super) async fn export(
    resource: &Resource,
    (name, version, to): (&str, Option<u32>, Option<&Path>),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let body = match version {
        Some(number) => version_of(resource, (name, number))
            .await?
            .body
            .unwrap_or_default(),
        None => resource.read(name).await?.body,
    };
    match to {
        Some(path) => std::fs::write(path, body).map_err(CliError::file(path))?,
        None => around.output.text(&body)?,
    }
    Ok(Exit::Fine)
}
