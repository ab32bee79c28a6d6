//! A gateway as a process: it writes into a log, and is stopped when nobody needs it any more.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::until;
use crate::error::HarnessError;

/// From its start until it is ready, on a machine that is slow and busy.
const START_LIMIT: Duration = Duration::from_secs(180);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const LINES_SHOWN: usize = 60;

/// A process with its log; it is stopped when this is dropped, and the end of its log shown if the test failed.
#[derive(Debug)]
pub(super) struct Logged {
    name: String,
    log: PathBuf,
    /// How many octets of the log are those of earlier runs.
    before: usize,
    child: Child,
}

impl Logged {
    /// Starts it; the log is appended to.
    pub(super) fn start(name: String, command: &mut Command, log: PathBuf) -> Result<Self, HarnessError> {
        Ok(Self {
            child: spawn(command, &log)?,
            name,
            log,
            before: 0,
        })
    }

    /// Kills it if it runs, and starts it again.
    pub(super) fn start_again(&mut self, command: &mut Command) -> Result<(), HarnessError> {
        self.kill();
        self.before = self.log().len();
        self.child = spawn(command, &self.log)?;
        Ok(())
    }

    /// Asks again and again what shows that it is ready; knows its process id and what it has logged in this run.
    pub(super) fn until_ready<T>(
        &mut self,
        mut ask: impl FnMut(u32, &str) -> Option<T>,
    ) -> Result<T, HarnessError> {
        let ready = until(&format!("{} is ready", self.name), START_LIMIT, || {
            let ended = self.child.try_wait();
            let log = self.log();
            let run = log.get(self.before..).unwrap_or_default();
            match ended {
                Ok(Some(status)) => Err(HarnessError::Outcome {
                    program: self.name.clone(),
                    outcome: format!("ended before it was ready: {status}"),
                    output: run.to_owned(),
                }),
                _ => Ok(ask(self.child.id(), run)),
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

    pub(super) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    pub(super) fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        if self.is_running() {
            self.signal(Signal::TERM);
        }
        until(&format!("the end of {}", self.name), STOP_LIMIT, || {
            self.child.try_wait().map_err(HarnessError::file(&self.log))
        })
    }

    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It is a child that was not waited for: the id is its own, whether it still runs or not.
            let _ = kill_process(pid, signal);
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Everything it has logged, in all its runs.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Logged {
    fn drop(&mut self) {
        if self.is_running() {
            // It may have been stopped where it is.
            self.signal(Signal::CONT);
            if self.terminate().is_err() {
                self.kill();
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown: Vec<&str> = lines.into_iter().rev().take(LINES_SHOWN).collect();
            let shown: Vec<&str> = shown.into_iter().rev().collect();
            let _ = writeln!(
                std::io::stderr(),
                "--- the last log lines of {}:\n{}",
                self.name,
                shown.join("\n")
            );
        }
    }
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child, HarnessError> {
    let output = File::options().create(true).append(true).open(log);
    let output = output.map_err(HarnessError::file(log))?;
    let errors = output.try_clone().map_err(HarnessError::file(log))?;
    command
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors);
    command.spawn().map_err(|source| HarnessError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn each_run_is_looked_at_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let says_so = |_, run: &str| run.contains("ready").then_some(());
        let mut runs = shell("echo ready; exec sleep 600");
        let mut process = Logged::start("sh".to_owned(), &mut runs, log).unwrap();
        process.until_ready(says_so).unwrap();
        process
            .start_again(&mut shell("echo broken >&2; exit 3"))
            .unwrap();
        match process.until_ready(says_so).unwrap_err() {
            HarnessError::Outcome { output, .. } => assert_eq!(output, "broken\n"),
            other => panic!("{other}"),
        }
        assert_eq!(process.log(), "ready\nbroken\n");
    }
}
