//! `portreeve export DIR`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::apply::PLACES;
use super::object::Resource;
use super::{CliError, Exit, Surroundings, Table, Target, plain};

/// Writes every object in force into a directory, as `apply` reads it.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The directory; it is made, and must be empty unless --force is given.
    directory: PathBuf,
    /// Replaces files that are there. Files of objects that are no longer in force stay.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Serialize)]
struct Exported {
    kind: &'static str,
    name: String,
    version: u32,
    file: PathBuf,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let client = arguments.target.client()?;
    let directory = &arguments.directory;
    if !arguments.force && is_occupied(directory)? {
        let shown = directory.display();
        return Err(CliError::Usage(format!(
            "{shown} is not empty: with --force the files in it are replaced"
        )));
    }
    let mut exported = Vec::new();
    for place in PLACES {
        let resource = Resource {
            kind: place.kind,
            client: client.clone(),
        };
        // Version 0 is built in, and has no text.
        for object in resource
            .in_force()
            .await?
            .into_iter()
            .filter(|one| one.version > 0)
        {
            // A name that could lead out of the directory is refused.
            resource.of(&object.name)?;
            let file = directory
                .join(place.directory)
                .join(format!("{}.toml", object.name));
            write(&file, &object.body)?;
            exported.push(Exported {
                kind: place.kind.as_str(),
                name: object.name,
                version: object.version,
                file,
            });
        }
    }
    around.output.show(&exported, |exported| {
        let mut table = Table::new(["KIND", "NAME", "VERSION", "FILE"]);
        for one in exported {
            table.row([
                one.kind.to_owned(),
                plain(&one.name),
                one.version.to_string(),
                one.file.display().to_string(),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

fn is_occupied(directory: &Path) -> Result<bool, CliError> {
    match std::fs::read_dir(directory) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(CliError::File {
            path: directory.to_owned(),
            source,
        }),
    }
}

fn write(file: &Path, body: &str) -> Result<(), CliError> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).map_err(CliError::file(parent))?;
    }
    std::fs::write(file, body).map_err(CliError::file(file))
}
