//! What the real program does when nobody reads what it prints.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic")]

use std::process::{Command, Stdio};

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    for arguments in [["completions", "bash"], ["config", "schema"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_portreeve"))
            .args(arguments)
            .stdout(writer)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
    }
}
