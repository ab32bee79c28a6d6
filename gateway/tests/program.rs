//! What the real program says, and with which code it ends, where no gateway runs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], stdout: impl Into<Stdio>) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portreeve"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdout(stdout)
        .stderr(Stdio::piped())
        .output()
        .unwrap()
}

#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    for arguments in [["completions", "bash"], ["config", "schema"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = run(&arguments, writer);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        assert_eq!(said, "", "{arguments:?}");
    }
}

#[test]
fn exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let written = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let good = "[server]\ndata_dir = \"data\"\nexternal_url = \"https://localhost\"\n\
                status_url = \"http://localhost\"\n\
                [server.listeners.public]\naddr = \"127.0.0.1:0\"\ntls = true\nmounts = [\"acme\"]\n\
                [backend.issuing]\n";
    let (good, bad) = (
        written("good.toml", good),
        written("bad.toml", "[server]\ncolour = 1\n"),
    );
    let absent = directory.path().join("absent");
    let (good, bad, absent) = (good.as_str(), bad.as_str(), absent.to_str().unwrap());
    let rows: [(&str, &[&str], i32, &str); 12] = [
        ("nothing", &[], 2, "Usage"),
        ("no such command", &["frobnicate"], 2, "unrecognized"),
        (
            "fine configuration",
            &["config", "check", "--config", good],
            0,
            "is fine",
        ),
        (
            "bad configuration",
            &["config", "check", "--config", bad],
            1,
            "colour",
        ),
        (
            "no configuration",
            &["config", "check", "--config", absent],
            1,
            "cannot read",
        ),
        (
            "bad override",
            &["config", "check", "--config", good, "--set", "x"],
            2,
            "KEY=VALUE",
        ),
        ("schema", &["config", "schema"], 0, "external_url"),
        (
            "nobody runs",
            &["request", "--data-dir", absent, "list"],
            1,
            "is it running?",
        ),
        (
            "doctor, nothing there",
            &["doctor", "--data-dir", absent],
            4,
            "does not exist",
        ),
        (
            "exposed",
            &["dev", "--data-dir", absent, "--listen", "0.0.0.0:0"],
            2,
            "--insecure-public",
        ),
        (
            "some roles",
            &["serve", "--config", good, "--roles", "edge"],
            2,
            "--roles",
        ),
        ("completions", &["completions", "bash"], 0, "portreeve"),
    ];
    for (name, arguments, code, mentioned) in rows {
        let output = run(arguments, Stdio::piped());
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains(mentioned), "{name}: {said}");
    }
}
