//! `portreeve serve` as a process of its own: one node of an installation, by its configuration file.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::Signal;

use super::logged::Logged;
use super::{Finished, attempt, default_binary};
use crate::error::HarnessError;

const COMMAND_LIMIT: Duration = Duration::from_secs(180);

/// Runs a command about the installation of a configuration file.
///
/// # Errors
/// When it cannot be run or takes too long; its exit status is for the caller to judge.
pub fn portreeve(config: &Path, arguments: &[&str]) -> Result<Finished, HarnessError> {
    let mut command = Command::new(default_binary());
    command.args(arguments).arg("--config").arg(config);
    attempt(command.env("NO_COLOR", "1"), COMMAND_LIMIT)
}

/// One node; it is stopped when this is dropped, and its log shown if the test failed.
#[derive(Debug)]
pub struct Node {
    config: PathBuf,
    roles: String,
    process: Logged,
}

impl Node {
    /// Starts `portreeve serve --roles ROLES` and does not wait. Its log lies beside its configuration.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(config: &Path, roles: &str) -> Result<Self, HarnessError> {
        let name = format!("portreeve serve --roles {roles} --config {}", config.display());
        let log = config.with_extension("log");
        Ok(Self {
            process: Logged::start(name, &mut serve(config, roles), log)?,
            config: config.to_owned(),
            roles: roles.to_owned(),
        })
    }

    /// Waits until it says that it is ready: then it listens.
    ///
    /// # Errors
    /// When it ends or is not ready in time; the log is part of the error.
    pub fn wait_until_ready(&mut self) -> Result<(), HarnessError> {
        self.process
            .until_ready(|_, log| log.contains("\"message\":\"ready\"").then_some(()))
    }

    /// Kills it if it runs, starts it again, and waits until it is ready.
    ///
    /// # Errors
    /// As [`Self::wait_until_ready`].
    pub fn restart(&mut self) -> Result<(), HarnessError> {
        self.relaunch()?;
        self.wait_until_ready()
    }

    /// Kills it if it runs, starts it again, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn relaunch(&mut self) -> Result<(), HarnessError> {
        self.process.start_again(&mut serve(&self.config, &self.roles))
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        self.process.terminate()
    }

    /// Stops it where it is (SIGSTOP): connections stay, and nothing is done.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Runs a command that talks to this node, found by its configuration.
    ///
    /// # Errors
    /// As [`portreeve`].
    pub fn control(&self, arguments: &[&str]) -> Result<Finished, HarnessError> {
        portreeve(&self.config, arguments)
    }

    /// Everything it has logged, in all its runs.
    pub fn log(&self) -> String {
        self.process.log()
    }
}

/// The command of a node.
fn serve(config: &Path, roles: &str) -> Command {
    let mut command = Command::new(default_binary());
    command.args(["serve", "--roles", roles, "--config"]).arg(config);
    command
}
