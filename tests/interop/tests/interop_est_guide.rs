//! The commands of docs/est.md, as they stand there.

#![cfg(test)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use portreeve_harness::process::attempt;
use portreeve_interop::Site;

const LIMIT: Duration = Duration::from_secs(300);

/// What stands between "```sh" and "```".
fn commands(guide: &str) -> String {
    let mut script = String::from("set -euo pipefail\n");
    let mut inside = false;
    for line in guide.lines() {
        match (inside, line.trim_end()) {
            (false, "```sh") => inside = true,
            (true, "```") => inside = false,
            (true, command) => {
                script.push_str(command);
                script.push('\n');
            }
            (false, _) => {}
        }
    }
    script
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn the_commands_of_the_guide_work() {
    let site = Site::start().unwrap();
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/est.md");
    let script = commands(&std::fs::read_to_string(guide).unwrap());
    assert!(
        script.contains("pki --est") && script.contains("curl"),
        "{script}"
    );
    let folder = site.path("guide");
    std::fs::create_dir_all(&folder).unwrap();
    let program = site.gateway.command(&[]).get_program().to_owned();
    let bin = Path::new(&program).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .args(["-c", &script])
        .current_dir(&folder)
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("DIR", site.gateway.data_dir());
    attempt(&mut command, LIMIT).unwrap().success().unwrap();
    let printed = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(&folder);
        attempt(&mut shell, LIMIT).unwrap().success().unwrap().stdout
    };
    for (file, name) in [
        ("e.pem", "e1.example"),
        ("e2.pem", "e1.example"),
        ("s.pem", "e1.example"),
        ("c.pem", "c1.example"),
    ] {
        let names = printed(&format!("openssl x509 -noout -ext subjectAltName -in {file}"));
        assert!(names.contains(name), "{file}: {names}");
    }
    printed("openssl pkey -in made.key -noout");
}
