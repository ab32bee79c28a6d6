//! The program as an operator of the host uses it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Where the gateway is that the program talks to.
pub(crate) struct Host([String; 2]);

impl Host {
    /// Found by this option: `--socket` or `--data-dir`.
    pub(crate) fn by(option: &str, path: &Path) -> Self {
        Self([option.to_owned(), path.to_str().unwrap().to_owned()])
    }

    /// Runs the program with these arguments, of which the first is the noun.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let (noun, rest) = arguments.split_first().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_portreeve"));
        command.arg(noun).args(&self.0).args(rest);
        // The gateway lives in this process and goes on answering meanwhile.
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    /// What it prints for programs, when it succeeds.
    pub(crate) async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Its exit code, and what it says when it fails.
    pub(crate) async fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), said)
    }
}
