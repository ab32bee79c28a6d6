//! What may not happen yet must not compile yet.
//!
//! Each file of `compile_fail/` begins with the one error that the compiler must find in it, and nothing else may be wrong
//! with it. The compiler is asked directly, with the library that this test was built with: to build it once more, as
//! usual tools for this do, takes minutes.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;

#[test]
fn steps_cannot_be_skipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 4, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("// "));
        let found = errors_in(&file);
        assert_eq!(
            found.iter().map(String::as_str).collect::<Vec<_>>(),
            [expected.unwrap()],
            "{file:?}"
        );
    }
}

/// The errors that the compiler finds, without their places.
fn errors_in(file: &Path) -> Vec<String> {
    let libraries = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    // Where a target is named, what runs while compiling is in the folder of the host.
    let of_host = libraries.ancestors().nth(3).unwrap().join("debug/deps");
    let out = tempfile::tempdir().unwrap();
    let mut compiler = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    compiler.args([
        "--edition",
        "2024",
        "--emit",
        "metadata",
        "--error-format",
        "short",
        "--out-dir",
    ]);
    compiler
        .arg(out.path())
        .arg("-L")
        .arg(format!("dependency={}", libraries.display()))
        .arg("-L")
        .arg(format!("dependency={}", of_host.display()));
    let library = newest(&libraries, "portreeve_ra");
    compiler
        .arg("--extern")
        .arg(format!("portreeve_ra={}", library.display()));
    let said = compiler.arg(file).output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    let errors = said.lines().filter_map(|line| line.split_once(": error"));
    errors.map(|(_, error)| format!("error{error}")).collect()
}

/// The library of this name that was built last.
fn newest(folder: &Path, name: &str) -> PathBuf {
    let prefix = format!("lib{name}-");
    let built = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let libraries = built.filter(|path| {
        let file = path
            .file_name()
            .and_then(|file| file.to_str())
            .unwrap_or_default();
        file.starts_with(&prefix) && file.ends_with(".rlib")
    });
    let newest = libraries.max_by_key(|path| path.metadata().and_then(|found| found.modified()).unwrap());
    newest.unwrap_or_else(|| panic!("{name} is not in {folder:?}"))
}
