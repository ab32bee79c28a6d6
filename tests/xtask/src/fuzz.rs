//! `cargo xtask fuzz`: builds the workspace in `tests/fuzz` with coverage instrumentation and runs its targets.
//!
//! A stable compiler suffices: the passes are LLVM's own and libFuzzer's C++ part is compiled by `libfuzzer-sys`.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::error::XtaskError;
use crate::run::{self, say};
use crate::summary::{Line, Outcome, Summary};
use crate::workspace::Workspace;

const FLAGS: [&str; 7] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions -Coverflow-checks",
];

const INPUT_BYTES_MAX: usize = 16 * 1024;
const MEMORY_MIB_MAX: usize = 512;
const SECONDS_PER_INPUT_MAX: usize = 5;

/// Runs `targets`, or all of them, for `seconds` each.
pub(crate) fn fuzz(workspace: &Workspace, seconds: u32, targets: &[String]) -> Result<ExitCode, XtaskError> {
    let folder = workspace.root.join("tests/fuzz");
    let known = known_targets(&folder)?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        return Err(XtaskError::NoFuzzTarget(unknown.clone()));
    }
    let chosen = if targets.is_empty() {
        known
    } else {
        targets.to_vec()
    };
    let host = workspace.host()?;
    let build = workspace.target.join("fuzz");
    // With --target the flags reach the fuzzed code and not build scripts, which would not link with them.
    let mut cargo = workspace.cargo(&["build", "--release", "--manifest-path", "tests/fuzz/Cargo.toml"]);
    cargo
        .args(["--target", &host])
        .arg("--target-dir")
        .arg(&build)
        .env("RUSTFLAGS", FLAGS.join(" "));
    run::must(&mut cargo)?;

    let mut summary = Summary::default();
    for target in chosen {
        say(&format!("\n=== {target}"));
        let started = Instant::now();
        let binary = build.join(&host).join("release").join(&target);
        let success = run::shown(&mut fuzzer(&binary, &folder, &target, seconds)?)?;
        let outcome = if success { Outcome::Passed } else { Outcome::Failed };
        summary.add(Line {
            suite: target,
            outcome,
            counts: None,
            elapsed: started.elapsed(),
        });
    }
    say(&summary.render());
    Ok(if summary.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// libFuzzer on one target: what it finds goes to `corpus`, what breaks to `artifacts`, the seeds are only read.
fn fuzzer(binary: &Path, folder: &Path, target: &str, seconds: u32) -> Result<Command, XtaskError> {
    let corpus = folder.join("corpus").join(target);
    let artifacts = folder.join("artifacts").join(target);
    for path in [&corpus, &artifacts] {
        std::fs::create_dir_all(path).map_err(|source| XtaskError::File {
            path: path.clone(),
            source,
        })?;
    }
    let mut command = Command::new(binary);
    command.arg(format!("-max_total_time={seconds}"));
    command.arg(format!("-max_len={INPUT_BYTES_MAX}"));
    command.arg(format!("-rss_limit_mb={MEMORY_MIB_MAX}"));
    command.arg(format!("-timeout={SECONDS_PER_INPUT_MAX}"));
    command.arg("-print_final_stats=1");
    command.arg(format!("-artifact_prefix={}/", artifacts.display()));
    command.arg(corpus).arg(folder.join("seeds").join(target));
    Ok(command)
}

/// The targets are the files of `tests/fuzz/targets`.
fn known_targets(folder: &Path) -> Result<Vec<String>, XtaskError> {
    let path = folder.join("targets");
    let entries = std::fs::read_dir(&path).map_err(|source| XtaskError::File { path, source })?;
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|file| Some(file.file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}
