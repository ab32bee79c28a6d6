//! The log in the store, whether or not a gateway runs on it.

use std::fs::OpenOptions;
use std::io::BufWriter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use portreeve_audit::VerifierKey;
use portreeve_audit::export::{self, Title};
use portreeve_keyset::{KekSet, Keyset, WrappedKeyset};
use portreeve_store::AuditDatabase;
use serde::Serialize;

use super::super::{CliError, Exit, Output, Table, Target};
use super::verify::Told;
use crate::audit::{log_keys, origin};
use crate::config::Config;

/// A log in a store, with its public keys.
pub(super) struct StoredLog {
    pub(super) config: Config,
    pub(super) database: AuditDatabase,
    pub(super) keyset: Arc<Keyset>,
    pub(super) origin: String,
    pub(super) keys: Vec<VerifierKey>,
}

impl StoredLog {
    /// Opens the log of an installation. The key encryption key shows that the public keys are genuine.
    pub(super) async fn open(target: &Target) -> Result<Self, CliError> {
        let config = target.configuration()?;
        let failed = |error: &dyn std::fmt::Display| CliError::Failed(error.to_string());
        let store = config.database.store(config.data_dir())?;
        let database = store.audit().await.map_err(|error| failed(&error))?;
        let sources = config.keyset.sources(config.data_dir());
        let keks = KekSet::from_sources(&sources.shared, []).map_err(|error| failed(&error))?;
        let wrapped = WrappedKeyset::parse(&database.keyset).map_err(|error| failed(&error))?;
        let keyset = wrapped.open(&keks, &[]).map_err(|error| failed(&error))?;
        let origin = origin(&database.installation);
        let keys = log_keys(&origin, &keyset)
            .into_iter()
            .map(|(_, key)| key)
            .collect();
        Ok(Self {
            config,
            database,
            keyset: Arc::new(keyset),
            origin,
            keys,
        })
    }
}

#[derive(Serialize)]
struct Keys {
    origin: String,
    keys: Vec<String>,
}

/// Prints the verifier keys.
pub(super) async fn key(target: &Target, output: Output) -> Result<Exit, CliError> {
    let log = StoredLog::open(target).await?;
    let found = Keys {
        keys: log.keys.iter().map(VerifierKey::to_string).collect(),
        origin: log.origin,
    };
    match output.format() {
        super::super::Format::Json => output.json(&found)?,
        super::super::Format::Table => output.text(&found.keys.join("\n"))?,
    }
    Ok(Exit::Fine)
}

#[derive(Serialize)]
struct Exported {
    file: String,
    records: u64,
}

/// Writes the log to a file.
pub(super) async fn export(target: &Target, path: &Path, output: Output) -> Result<Exit, CliError> {
    let log = StoredLog::open(target).await?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let mut to = BufWriter::new(file.map_err(CliError::file(path))?);
    let title = Title::new(&log.origin, &log.keys, log.keyset.signing_keys());
    let mut told = Told::new("exported", output);
    let written = export::export(log.database.log.as_ref(), (title, &mut to), |done, all| {
        told.tell(done, all)
    })
    .await;
    told.end();
    let records = written.map_err(|error| CliError::Failed(error.to_string()))?;
    let file = to
        .into_inner()
        .map_err(|error| CliError::file(path)(error.into_error()))?;
    file.sync_all().map_err(CliError::file(path))?;
    let exported = Exported {
        file: path.display().to_string(),
        records,
    };
    output.show(&exported, |exported| {
        let mut table = Table::new(["FILE", "RECORDS"]);
        table.row([exported.file.clone(), exported.records.to_string()]);
        table
    })?;
    Ok(Exit::Fine)
}
