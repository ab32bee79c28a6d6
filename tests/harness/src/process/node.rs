//! `portreeve serve` as a process of its own: one node of an installation, by its configuration file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{Finished, attempt, default_binary, until};
use crate::error::HarnessError;

const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LIMIT: Duration = Duration::from_secs(180);
const LOG_LINES_SHOWN: usize = 40;

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
    log: PathBuf,
    /// How many octets of the log are those of earlier runs.
    logged_before: usize,
    child: Child,
}

impl Node {
    /// Starts `portreeve serve --roles ROLES` and does not wait. Its log lies beside its configuration.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn launch(config: &Path, roles: &str) -> Result<Self, HarnessError> {
        let log = config.with_extension("log");
        Ok(Self {
            child: spawn(config, roles, &log)?,
            config: config.to_owned(),
            roles: roles.to_owned(),
            log,
            logged_before: 0,
        })
    }

    /// Waits until it says that it is ready: then it listens.
    ///
    /// # Errors
    /// When it ends or is not ready in time; the log is part of the error.
    pub fn wait_until_ready(&mut self) -> Result<(), HarnessError> {
        let ready = until("a ready node", START_LIMIT, || {
            let log = self.log();
            let run = log.get(self.logged_before..).unwrap_or_default();
            if run.contains("\"message\":\"ready\"") {
                return Ok(Some(()));
            }
            match self.child.try_wait() {
                Ok(Some(status)) => Err(HarnessError::Outcome {
                    program: format!("portreeve serve --roles {}", self.roles),
                    outcome: format!("ended before it was ready: {status}"),
                    output: run.to_owned(),
                }),
                _ => Ok(None),
            }
        });
        ready.map_err(|error| match error {
            HarnessError::Late { what, limit, .. } => HarnessError::Late {
                what,
                limit,
                detail: self.log(),
            },
            other => other,
        })
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
        self.kill();
        self.logged_before = self.log().len();
        self.child = spawn(&self.config, &self.roles, &self.log)?;
        Ok(())
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal(Signal::TERM);
        }
        let child = &mut self.child;
        until("the end of the node", STOP_LIMIT, || {
            child.try_wait().map_err(HarnessError::file("node"))
        })
    }

    /// Stops it where it is (SIGSTOP): connections stay, and nothing is done.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Self::pause`].
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
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
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It is a child that was not waited for: the id is its own, whether it still runs or not.
            let _ = kill_process(pid, signal);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.is_running() {
            self.resume();
            if self.terminate().is_err() {
                self.kill();
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN));
            let shown: Vec<&str> = shown.copied().collect();
            let name = self.config.display();
            let _ = writeln!(
                std::io::stderr(),
                "--- the last log lines of {name}:\n{}",
                shown.join("\n")
            );
        }
    }
}

fn spawn(config: &Path, roles: &str, log: &Path) -> Result<Child, HarnessError> {
    let binary = default_binary();
    let output = File::options()
        .create(true)
        .append(true)
        .open(log)
        .map_err(HarnessError::file(log))?;
    let errors = output.try_clone().map_err(HarnessError::file(log))?;
    let mut command = Command::new(&binary);
    command
        .args(["serve", "--roles", roles, "--config"])
        .arg(config)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    command.spawn().map_err(|source| HarnessError::Start {
        program: binary.to_string_lossy().into_owned(),
        source,
    })
}
