//! The suites of `cargo xtask test`, in the order they run.

use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::ValueEnum;

use crate::error::XtaskError;
use crate::run::{self, Counts, say};
use crate::summary::{Line, Outcome, Summary};
use crate::tools;
use crate::workspace::Workspace;

/// One suite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Formatting.
    Fmt,
    /// Lints.
    Clippy,
    /// Licences, registries and banned crates by cargo-deny, where it is installed.
    Deny,
    /// Every test of the workspace that needs no real client.
    Unit,
    /// The documentation builds without a warning.
    Doc,
    /// Real clients against a running gateway.
    Interop,
    /// The gateway killed at named points and at random.
    Crash,
}

/// What the caller asked for.
pub(crate) struct TestOptions {
    /// Leave out the suites that need real clients.
    pub(crate) quick: bool,
    /// Only these suites; all when empty.
    pub(crate) only: Vec<Suite>,
    /// Kills per crash point.
    pub(crate) repeat: u32,
}

impl TestOptions {
    fn wants(&self, suite: Suite) -> bool {
        if self.only.is_empty() {
            !(self.quick && suite == Suite::Interop)
        } else {
            self.only.contains(&suite)
        }
    }
}

/// Runs the suites asked for and prints the closing table.
pub(crate) fn test(workspace: &Workspace, options: &TestOptions) -> Result<ExitCode, XtaskError> {
    if options.wants(Suite::Interop) {
        tools::install(workspace)?;
    } else {
        tools::install_basic(workspace)?;
    }
    let mut summary = Summary::default();
    for suite in Suite::value_variants()
        .iter()
        .filter(|suite| options.wants(**suite))
    {
        let name = suite
            .to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default();
        say(&format!("\n=== {name}"));
        let started = Instant::now();
        let (outcome, counts) = suite.run(workspace, options)?;
        summary.add(Line {
            suite: name,
            outcome,
            counts,
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

impl Suite {
    fn run(
        self,
        workspace: &Workspace,
        options: &TestOptions,
    ) -> Result<(Outcome, Option<Counts>), XtaskError> {
        match self {
            Self::Fmt => fmt(workspace),
            Self::Clippy => check(&mut workspace.cargo(&CLIPPY)),
            Self::Deny => deny(workspace),
            Self::Unit => {
                if !build(workspace, &EVERYTHING)? {
                    return Ok((Outcome::Failed, None));
                }
                tests(&mut workspace.cargo(&["test", "--workspace", "--no-fail-fast"]))
            }
            Self::Doc => check(
                workspace
                    .cargo(&["doc", "--workspace", "--no-deps"])
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ),
            Self::Interop => interop(workspace),
            Self::Crash => crash(workspace, options.repeat),
        }
    }
}

const CLIPPY: [&str; 6] = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];

/// The fuzz targets are a workspace of their own.
fn fmt(workspace: &Workspace) -> Result<(Outcome, Option<Counts>), XtaskError> {
    let own = run::shown(&mut workspace.cargo(&["fmt", "--all", "--", "--check", "-l"]))?;
    let fuzz = [
        "fmt",
        "--manifest-path",
        "tests/fuzz/Cargo.toml",
        "--",
        "--check",
        "-l",
    ];
    Ok((outcome(run::shown(&mut workspace.cargo(&fuzz))? && own), None))
}

fn check(command: &mut Command) -> Result<(Outcome, Option<Counts>), XtaskError> {
    Ok((outcome(run::shown(command)?), None))
}

/// Runs a test command; one that reports no test at all has failed.
fn tests(command: &mut Command) -> Result<(Outcome, Option<Counts>), XtaskError> {
    let (success, counts) = run::counted(command)?;
    Ok((
        outcome(success && counts.failed == 0 && counts.passed > 0),
        Some(counts),
    ))
}

fn outcome(success: bool) -> Outcome {
    if success { Outcome::Passed } else { Outcome::Failed }
}

/// What the tests start as a process, and the tests of all suites but those with real clients.
const EVERYTHING: [&str; 1] = ["--all-targets"];
const INTEROP: [&str; 4] = ["--bin", "portreeve", "--test", "interop_*"];
const CRASH: [&str; 6] = [
    "--bin",
    "portreeve",
    "--test",
    "crash*",
    "--features",
    "portreeve-faults/failpoints",
];

/// Builds first what the tests run against: `cargo test` alone would not build the gateway's binary.
fn build(workspace: &Workspace, what: &[&str]) -> Result<bool, XtaskError> {
    run::shown(workspace.cargo(&["build", "--workspace"]).args(what))
}

fn deny(workspace: &Workspace) -> Result<(Outcome, Option<Counts>), XtaskError> {
    if !run::works(&mut workspace.cargo(&["deny", "--version"])) {
        return Ok((
            Outcome::Skipped("cargo-deny is not installed; `unit` checks deny.toml too"),
            None,
        ));
    }
    check(&mut workspace.cargo(&["deny", "check", "licenses", "bans", "sources"]))
}

fn interop(workspace: &Workspace) -> Result<(Outcome, Option<Counts>), XtaskError> {
    if !build(workspace, &INTEROP)? {
        return Ok((Outcome::Failed, None));
    }
    let mut command = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    command
        .args(INTEROP.iter().skip(2))
        .args(["--", "--ignored", "--test-threads", "2"]);
    tests(command.env("PORTREEVE_TOOLS", workspace.tools()))
}

fn crash(workspace: &Workspace, repeat: u32) -> Result<(Outcome, Option<Counts>), XtaskError> {
    if !build(workspace, &CRASH)? {
        return Ok((Outcome::Failed, None));
    }
    let mut command = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    command
        .args(CRASH.iter().skip(2))
        .env("PORTREEVE_CRASH_REPEAT", repeat.to_string());
    tests(&mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_suites_run() {
        use Suite::{Clippy, Crash, Deny, Doc, Fmt, Interop, Unit};
        let all = vec![Fmt, Clippy, Deny, Unit, Doc, Interop, Crash];
        let rows = [
            ("everything", false, vec![], all),
            ("quick", true, vec![], vec![Fmt, Clippy, Deny, Unit, Doc, Crash]),
            ("one", false, vec![Crash], vec![Crash]),
            ("named although quick", true, vec![Interop], vec![Interop]),
        ];
        for (name, quick, only, expected) in rows {
            let options = TestOptions {
                quick,
                only,
                repeat: 1,
            };
            let run: Vec<Suite> = Suite::value_variants()
                .iter()
                .copied()
                .filter(|s| options.wants(*s))
                .collect();
            assert_eq!(run, expected, "{name}");
        }
    }

    #[test]
    fn a_run_without_tests_has_failed() {
        let (outcome, _) = tests(&mut Command::new("true")).unwrap();
        assert_eq!(outcome, Outcome::Failed);
    }
}
