//! Running a program to its end with a time limit.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::HarnessError;

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The program and its arguments.
    pub program: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to standard output.
    pub stdout: String,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Finished {
    /// Everything it printed.
    pub fn text(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Itself when it succeeded.
    ///
    /// # Errors
    /// [`HarnessError::Outcome`] with the output otherwise.
    pub fn success(self) -> Result<Self, HarnessError> {
        if self.status.success() {
            Ok(self)
        } else {
            Err(self.unexpected())
        }
    }

    /// Itself when it failed by its own decision, with a status other than 0.
    ///
    /// # Errors
    /// [`HarnessError::Outcome`] when it succeeded or was killed.
    pub fn failure(self) -> Result<Self, HarnessError> {
        if self.status.code().is_some_and(|code| code != 0) {
            Ok(self)
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> HarnessError {
        let (program, outcome) = (self.program.clone(), format!("unexpected {}", self.status));
        HarnessError::Outcome {
            program,
            outcome,
            output: self.text(),
        }
    }
}

/// A program that runs while the test does something else.
#[derive(Debug)]
pub struct Running {
    program: String,
    child: Child,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    limit: Duration,
    deadline: Instant,
}

/// Runs a program to its end, whatever that is.
///
/// # Errors
/// When it cannot be started or takes longer than `limit`; it is killed then.
pub fn attempt(command: &mut Command, limit: Duration) -> Result<Finished, HarnessError> {
    background(command, limit)?.finish()
}

/// Runs a program that must succeed.
///
/// # Errors
/// As [`attempt`], and when it does not succeed.
pub fn succeed(command: &mut Command, limit: Duration) -> Result<Finished, HarnessError> {
    attempt(command, limit)?.success()
}

/// Starts a program.
///
/// # Errors
/// When it cannot be started.
pub fn background(command: &mut Command, limit: Duration) -> Result<Running, HarnessError> {
    let program = words(command);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| HarnessError::Start {
        program: program.clone(),
        source,
    })?;
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    Ok(Running {
        program,
        child,
        stdout,
        stderr,
        limit,
        deadline: Instant::now() + limit,
    })
}

impl Running {
    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it takes longer than the limit it was started with; it is killed then.
    pub fn finish(mut self) -> Result<Finished, HarnessError> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Ok(self.finished(status)),
                Ok(None) if Instant::now() < self.deadline => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) => return Err(self.late()),
                Err(source) => {
                    return Err(HarnessError::Start {
                        program: self.program.clone(),
                        source,
                    });
                }
            }
        }
    }

    fn finished(&mut self, status: ExitStatus) -> Finished {
        let (stdout, stderr) = (text(self.stdout.take()), text(self.stderr.take()));
        Finished {
            program: self.program.clone(),
            status,
            stdout,
            stderr,
        }
    }

    fn late(&mut self) -> HarnessError {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let detail = format!("{}{}", text(self.stdout.take()), text(self.stderr.take()));
        HarnessError::Late {
            what: format!("the end of {}", self.program),
            limit: self.limit,
            detail,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

fn drain(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn text(handle: Option<JoinHandle<String>>) -> String {
    handle.and_then(|handle| handle.join().ok()).unwrap_or_default()
}

fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
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
    fn output_and_status_are_kept() {
        let limit = Duration::from_secs(60);
        let finished = attempt(&mut shell("echo out; echo err >&2; exit 3"), limit).unwrap();
        assert_eq!(
            (finished.stdout.as_str(), finished.stderr.as_str()),
            ("out\n", "err\n")
        );
        assert_eq!(finished.status.code(), Some(3));
        assert!(matches!(finished.success(), Err(HarnessError::Outcome { .. })));
        assert!(attempt(&mut shell("exit 3"), limit).unwrap().failure().is_ok());
        assert!(succeed(&mut shell("exit 0"), limit).unwrap().failure().is_err());
        assert!(
            attempt(&mut shell("kill -9 $$"), limit)
                .unwrap()
                .failure()
                .is_err()
        );
    }

    #[test]
    fn a_program_that_takes_too_long_is_killed() {
        let late = attempt(&mut shell("exec sleep 600"), Duration::from_millis(50));
        assert!(matches!(late, Err(HarnessError::Late { .. })));
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = attempt(
            &mut Command::new("portreeve-no-such-program"),
            Duration::from_secs(60),
        )
        .unwrap_err();
        assert!(error.to_string().contains("portreeve-no-such-program"), "{error}");
    }
}
