//! Faults by means of the system: kills, and a disk that is full for one process.

use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};

use crate::FaultError;

const PAUSE: Duration = Duration::from_millis(10);

/// The children of a process.
pub fn children(parent: u32) -> Result<Vec<u32>, FaultError> {
    let processes = std::fs::read_dir("/proc").map_err(FaultError::system("/proc"))?;
    let ids = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    Ok(ids.filter(|id| parent_of(*id) == Some(parent)).collect())
}

/// Kills a process as `kill -9` does.
pub fn kill(process: u32) -> Result<(), FaultError> {
    signal(process, Signal::KILL)
}

/// Asks a process to stop, as `kill` does.
pub fn terminate(process: u32) -> Result<(), FaultError> {
    signal(process, Signal::TERM)
}

/// Lets no file of the process grow, as on a full disk. The process must ignore SIGXFSZ, which [`ignoring_limits`] sees to.
pub fn fill_disk(process: u32) -> Result<(), FaultError> {
    limit_files(process, Some(0))
}

/// Undoes [`fill_disk`].
pub fn free_disk(process: u32) -> Result<(), FaultError> {
    limit_files(process, None)
}

/// A shell script that starts a program for which a file that may not grow is an error and not its end.
pub fn ignoring_limits(program: &Path, script: &Path) -> Result<(), FaultError> {
    use std::os::unix::fs::PermissionsExt;
    let body = format!("#!/bin/sh\ntrap '' XFSZ\nexec '{}' \"$@\"\n", program.display());
    let named = || script.display().to_string();
    std::fs::write(script, body).map_err(FaultError::system(named()))?;
    let permissions = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(script, permissions).map_err(FaultError::system(named()))
}

/// A number below `bound`, by chance.
pub fn chance(bound: u32) -> u32 {
    let mut octets = [0; 4];
    // Without chance it is the first choice.
    let _ = aws_lc_rs::rand::fill(&mut octets);
    u32::from_be_bytes(octets) % bound.max(1)
}

/// Asks again and again until something is so.
pub async fn eventually<T, F>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> F,
) -> Result<T, FaultError>
where
    F: Future<Output = Result<Option<T>, FaultError>>,
{
    let started = Instant::now();
    loop {
        if let Some(answer) = ask().await? {
            return Ok(answer);
        }
        if started.elapsed() > limit {
            return Err(FaultError::Late {
                what: what.to_owned(),
                limit,
            });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything; state and parent follow it.
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}

fn signal(process: u32, signal: Signal) -> Result<(), FaultError> {
    kill_process(pid(process)?, signal)
        .map_err(|errno| FaultError::system(format!("process {process}"))(errno.into()))
}

fn limit_files(process: u32, current: Option<u64>) -> Result<(), FaultError> {
    let limit = Rlimit {
        current,
        maximum: None,
    };
    prlimit(Some(pid(process)?), Resource::Fsize, limit)
        .map(|_| ())
        .map_err(|errno| FaultError::system(format!("file size limit of process {process}"))(errno.into()))
}

fn pid(process: u32) -> Result<Pid, FaultError> {
    let absent = || FaultError::Absent(format!("process {process}"));
    i32::try_from(process)
        .ok()
        .and_then(Pid::from_raw)
        .ok_or_else(absent)
}
