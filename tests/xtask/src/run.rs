//! Running programs: quietly, loudly, or loudly while counting the tests they report.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::error::XtaskError;

/// What a counted run showed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
}

impl Counts {
    /// Adds what one line of `cargo test` reports, if it is a closing line.
    fn read(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("test result: ") else {
            return;
        };
        for part in rest.split([';', '.']) {
            let mut words = part.split_whitespace();
            if let (Some(number), Some(what)) = (words.next(), words.next())
                && let Ok(number) = number.parse::<u64>()
            {
                match what {
                    "passed" => self.passed += number,
                    "failed" => self.failed += number,
                    _ => {}
                }
            }
        }
    }
}

/// Writes one line for the person who watches.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Runs a program with its output shown; `true` when it succeeded.
pub(crate) fn shown(command: &mut Command) -> Result<bool, XtaskError> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| start_error(command, source))?;
    Ok(status.success())
}

/// Runs a program that must succeed, with its output shown.
pub(crate) fn must(command: &mut Command) -> Result<(), XtaskError> {
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|source| start_error(command, source))?;
    if status.success() {
        Ok(())
    } else {
        Err(XtaskError::Failed {
            program: words(command),
            status,
        })
    }
}

/// Runs a program that must succeed and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, XtaskError> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| start_error(command, source))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(XtaskError::Failed {
            program: words(command),
            status: output.status,
        })
    }
}

/// Whether a program runs and succeeds; its output is thrown away.
pub(crate) fn works(command: &mut Command) -> bool {
    let quiet = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// Runs a test command with its output shown as it comes, and counts the tests it reports.
pub(crate) fn counted(command: &mut Command) -> Result<(bool, Counts), XtaskError> {
    counted_into(command, &mut std::io::stdout())
}

fn counted_into(command: &mut Command, shown: &mut dyn Write) -> Result<(bool, Counts), XtaskError> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| start_error(command, source))?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines
            .read_until(b'\n', &mut line)
            .map_err(|source| start_error(command, source))?
            > 0
        {
            let _ = shown.write_all(&line);
            counts.read(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child.wait().map_err(|source| start_error(command, source))?;
    Ok((status.success(), counts))
}

fn start_error(command: &Command, source: std::io::Error) -> XtaskError {
    XtaskError::Start {
        program: command.get_program().to_string_lossy().into_owned(),
        source,
    }
}

fn words(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .take(4)
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_cargo_test_are_counted() {
        let rows = [
            (
                "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 1 filtered out; finished in 0.02s",
                12,
                0,
            ),
            (
                "test result: FAILED. 7 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
                7,
                2,
            ),
            ("test certificate::passed ... ok", 0, 0),
            ("running 12 tests", 0, 0),
        ];
        for (line, passed, failed) in rows {
            let mut counts = Counts::default();
            counts.read(line);
            assert_eq!(counts, Counts { passed, failed }, "{line}");
        }
    }

    #[test]
    fn counts_are_taken_from_the_output_and_the_status_from_the_program() {
        let script = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 1";
        let mut shown = Vec::new();
        let (success, counts) = counted_into(Command::new("sh").args(["-c", script]), &mut shown).unwrap();
        assert!(shown.ends_with(b"0 ignored\n"), "the output is passed on");
        assert!(!success);
        assert_eq!(counts, Counts { passed: 2, failed: 0 });
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error_and_does_not_work() {
        let program = "portreeve-no-such-program";
        assert!(matches!(
            counted(&mut Command::new(program)),
            Err(XtaskError::Start { .. })
        ));
        assert!(!works(&mut Command::new(program)));
    }
}
