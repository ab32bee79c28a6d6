//! The closing table: suite, outcome, tests passed, seconds.

use std::fmt::Write;
use std::time::Duration;

use crate::run::Counts;

/// How one suite ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Everything in it passed.
    Passed,
    /// Something in it failed.
    Failed,
    /// It was not run, and why.
    Skipped(&'static str),
}

/// One line of the table.
#[derive(Debug)]
pub(crate) struct Line {
    /// The suite's name.
    pub(crate) suite: String,
    /// How it ended.
    pub(crate) outcome: Outcome,
    /// The tests in it; none for a suite that is one check.
    pub(crate) counts: Option<Counts>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

/// All lines so far.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    lines: Vec<Line>,
}

impl Summary {
    /// Adds a line.
    pub(crate) fn add(&mut self, line: Line) {
        self.lines.push(line);
    }

    /// Whether no suite failed and at least one was run.
    pub(crate) fn passed(&self) -> bool {
        let failed = self.lines.iter().any(|line| line.outcome == Outcome::Failed);
        let ran = self.lines.iter().any(|line| line.outcome == Outcome::Passed);
        ran && !failed
    }

    /// The table and, below it, the totals on a line of their own.
    ///
    /// A suite without tests of its own counts as one check, and so does one that failed without reporting a test.
    pub(crate) fn render(&self) -> String {
        let mut text = format!(
            "\n{:<10} {:>8} {:>8} {:>9}\n",
            "suite", "result", "tests", "seconds"
        );
        let mut total = Counts::default();
        for line in &self.lines {
            let (result, note) = match &line.outcome {
                Outcome::Passed => ("ok", String::new()),
                Outcome::Failed => ("FAILED", String::new()),
                Outcome::Skipped(why) => ("skipped", format!("   {why}")),
            };
            let tests = line
                .counts
                .map_or_else(|| "-".to_owned(), |counts| counts.passed.to_string());
            let seconds = line.elapsed.as_secs_f64();
            let _ = writeln!(
                text,
                "{:<10} {result:>8} {tests:>8} {seconds:>9.1}{note}",
                line.suite
            );
            let counts = line.counted();
            total.passed += counts.passed;
            total.failed += counts.failed;
        }
        let seconds: f64 = self.lines.iter().map(|line| line.elapsed.as_secs_f64()).sum();
        let _ = write!(
            text,
            "total time {seconds:.0} s\n{} passed, {} failed",
            total.passed, total.failed
        );
        text
    }
}

impl Line {
    fn counted(&self) -> Counts {
        match (&self.outcome, self.counts) {
            (Outcome::Skipped(_), _) => Counts::default(),
            (Outcome::Passed, counts) => counts.unwrap_or(Counts { passed: 1, failed: 0 }),
            (Outcome::Failed, counts) => {
                let counts = counts.unwrap_or_default();
                Counts {
                    failed: counts.failed.max(1),
                    ..counts
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(outcome: Outcome, counts: Option<Counts>) -> Line {
        Line {
            suite: "unit".to_owned(),
            outcome,
            counts,
            elapsed: Duration::from_secs(2),
        }
    }

    #[test]
    fn totals_count_tests_and_checks() {
        let mut summary = Summary::default();
        summary.add(line(Outcome::Passed, None));
        summary.add(line(
            Outcome::Passed,
            Some(Counts {
                passed: 40,
                failed: 0,
            }),
        ));
        summary.add(line(Outcome::Skipped("no such program"), None));
        assert!(summary.passed());
        assert!(
            summary.render().ends_with("\n41 passed, 0 failed"),
            "{}",
            summary.render()
        );
    }

    #[test]
    fn a_failure_fails_the_whole() {
        let rows = [
            ("a check", line(Outcome::Failed, None), "0 passed, 1 failed"),
            (
                "a build",
                line(Outcome::Failed, Some(Counts::default())),
                "0 passed, 1 failed",
            ),
            (
                "two tests",
                line(Outcome::Failed, Some(Counts { passed: 3, failed: 2 })),
                "3 passed, 2 failed",
            ),
        ];
        for (name, row, closing) in rows {
            let mut summary = Summary::default();
            summary.add(row);
            assert!(!summary.passed(), "{name}");
            assert!(
                summary.render().ends_with(closing),
                "{name}: {}",
                summary.render()
            );
        }
    }

    #[test]
    fn nothing_run_is_not_a_pass() {
        let mut summary = Summary::default();
        summary.add(line(Outcome::Skipped("left out"), None));
        assert!(!summary.passed());
    }
}
