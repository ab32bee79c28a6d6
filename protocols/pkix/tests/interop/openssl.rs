//! Runs the `openssl` command in a directory of its own.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// A directory with the files of one test.
pub(crate) struct OpenSsl {
    directory: TempDir,
}

impl OpenSsl {
    pub(crate) fn new() -> Self {
        Self {
            directory: tempfile::tempdir().expect("temporary directory"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).expect("write a file");
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).expect("read a file")
    }

    /// Runs one command, given as words; returns what it printed. Panics if it fails.
    pub(crate) fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = Command::new("openssl")
            .current_dir(self.directory.path())
            .args(arguments)
            .output()
            .expect("the openssl command");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "openssl {arguments:?}: {errors}");
        output.stdout
    }

    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.run(arguments)).expect("UTF-8 output")
    }

    /// Makes `NAME.key`; `kind` is an algorithm with options, such as `EC P-256` or `RSA 2048`.
    pub(crate) fn key(&self, name: &str, kind: &str) {
        let out = format!("{name}.key");
        let (algorithm, size) = kind.split_once(' ').unwrap_or((kind, ""));
        let option = match algorithm {
            "EC" => format!("ec_paramgen_curve:{size}"),
            "RSA" => format!("rsa_keygen_bits:{size}"),
            "RSA-PSS" => format!("rsa_keygen_bits:{size}"),
            _ => String::new(),
        };
        let mut arguments = vec!["genpkey", "-algorithm", algorithm, "-out", &out];
        if !option.is_empty() {
            arguments.extend(["-pkeyopt", &option]);
        }
        self.run(&arguments);
    }
}
