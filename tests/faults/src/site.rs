//! A gateway with what its clients need.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use portreeve_harness::process::{DevOptions, Gateway, default_binary};
use tempfile::TempDir;

use crate::FaultError;
use crate::client::Client;
use crate::database::Database;
use crate::ledger::Ledger;
use crate::responder::Responder;
use crate::wire::Wire;
use crate::{journal, os};

/// What happens when a file may not grow.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum FileLimit {
    /// The system ends the process, as is usual. There is no limit unless a test sets one.
    #[default]
    Ends,
    /// Writing fails.
    Fails,
}

/// A gateway, the server that answers its challenges, and the ledger of its clients.
pub struct Site {
    /// The gateway.
    pub gateway: Gateway,
    /// The server that answers challenges.
    pub responder: Responder,
    /// The clients' way to the gateway.
    pub wire: Wire,
    /// What the clients asked for and were given.
    pub ledger: Arc<Ledger>,
    folder: TempDir,
}

impl Site {
    /// Starts a gateway with these values of `--set`, in an empty folder.
    pub async fn start(settings: &[&str], limit: FileLimit) -> Result<Self, FaultError> {
        let (folder, responder) = (new_folder()?, Responder::start().await?);
        let mut options = options(&folder, &responder);
        options.settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        if limit == FileLimit::Fails {
            let script = folder.path().join("gateway");
            os::ignoring_limits(&default_binary(), &script)?;
            options.binary = Some(script);
        }
        let gateway = tokio::task::block_in_place(|| Gateway::start_dev(options))?;
        Self::around(gateway, responder, folder)
    }

    /// Starts a gateway in an empty folder after it was killed there while it set itself up, once after each of these
    /// times.
    pub async fn start_after_kills(times: &[Duration]) -> Result<Self, FaultError> {
        let (folder, responder) = (new_folder()?, Responder::start().await?);
        let mut gateway = Gateway::launch(options(&folder, &responder))?;
        for time in times {
            tokio::time::sleep(*time).await;
            gateway.relaunch()?;
        }
        tokio::task::block_in_place(|| gateway.restart())?;
        Self::around(gateway, responder, folder)
    }

    fn around(gateway: Gateway, responder: Responder, folder: TempDir) -> Result<Self, FaultError> {
        let wire = Wire::trusting(&gateway.tls_root()?)?;
        Ok(Self {
            gateway,
            responder,
            wire,
            ledger: Arc::default(),
            folder,
        })
    }

    /// A client with a new account at an endpoint.
    pub async fn client(&self, endpoint: &str) -> Result<Client, FaultError> {
        Client::open(self, endpoint).await
    }

    /// Kills the gateway if it runs, and starts it again.
    pub fn restart(&mut self) -> Result<(), FaultError> {
        Ok(tokio::task::block_in_place(|| self.gateway.restart())?)
    }

    /// Kills the gateway if it runs, starts it again, and kills it this soon.
    pub async fn restart_for(&mut self, time: Duration) -> Result<(), FaultError> {
        self.gateway.relaunch()?;
        tokio::time::sleep(time).await;
        self.gateway.kill();
        Ok(())
    }

    /// Asks the gateway to stop, and waits until it has.
    pub fn stop(&mut self) -> Result<(), FaultError> {
        let status = tokio::task::block_in_place(|| self.gateway.terminate())?;
        if status.success() {
            Ok(())
        } else {
            Err(FaultError::Absent(format!("clean end of the gateway: {status}")))
        }
    }

    /// The gateway's database.
    pub async fn database(&self) -> Result<Database, FaultError> {
        Database::open(self.gateway.data_dir()).await
    }

    /// The entries of all journals of signers.
    pub fn journals(&self) -> Result<Vec<journal::Entry>, FaultError> {
        journal::read_all(self.gateway.data_dir())
    }

    /// Where everything lies.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn new_folder() -> Result<TempDir, FaultError> {
    TempDir::with_prefix("portreeve-faults-").map_err(FaultError::system("folder"))
}

fn options(folder: &TempDir, responder: &Responder) -> DevOptions {
    DevOptions {
        data_dir: Some(folder.path().join("data")),
        http01_port: Some(responder.port()),
        reserved_ports: true,
        ..DevOptions::default()
    }
}

/// Every file of this name below a folder.
pub(crate) fn files(folder: &Path, name: &str) -> Result<Vec<PathBuf>, FaultError> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(FaultError::system(folder.display().to_string()))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                found.push(path);
            }
        }
    }
    Ok(found)
}
