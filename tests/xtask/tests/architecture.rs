//! The arrows of the architecture, enforced: who may depend on whom, where `unsafe` and DER may appear, how long a
//! file may be. A new crate fails here until it has its row.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What one crate may depend on among the crates of this workspace. `GATEWAY` and everything below `tests/` name
/// concrete types and may depend on all of them.
struct Row {
    /// The crate.
    name: &'static str,
    /// The workspace crates it may depend on.
    may: &'static [&'static str],
}

const GATEWAY: &str = "portreeve";
const PKIX: &str = "portreeve-pkix";
const WIRE: &str = "portreeve-wire";
const EDGE: &str = "portreeve-edge";
const ACME: &str = "portreeve-acme";
const RA: &str = "portreeve-ra";
const KEYSET: &str = "portreeve-keyset";

const ARROWS: [Row; 17] = [
    Row { name: PKIX, may: &[] },
    Row {
        name: WIRE,
        may: &[PKIX],
    },
    Row {
        name: EDGE,
        may: &[PKIX, WIRE],
    },
    Row {
        name: ACME,
        may: &[EDGE, WIRE, PKIX, RA],
    },
    Row {
        name: "portreeve-est",
        may: &[EDGE, WIRE, PKIX, RA],
    },
    Row {
        name: "portreeve-status",
        may: &[EDGE, WIRE, PKIX, RA],
    },
    Row {
        name: "portreeve-validation",
        may: &[ACME, PKIX, RA],
    },
    Row {
        name: RA,
        may: &[PKIX],
    },
    Row {
        name: "portreeve-store",
        may: &[RA, PKIX],
    },
    Row {
        name: "portreeve-queue",
        may: &[RA, PKIX],
    },
    Row {
        name: KEYSET,
        may: &[RA, PKIX],
    },
    Row {
        name: "portreeve-audit",
        may: &[RA, PKIX],
    },
    Row {
        name: "portreeve-console",
        may: &[RA, PKIX],
    },
    Row {
        name: "portreeve-policies",
        may: &[RA, PKIX],
    },
    Row {
        name: "portreeve-ca-est",
        may: &[RA, WIRE, PKIX],
    },
    Row {
        name: "portreeve-ca-local",
        may: &[RA, WIRE, PKIX],
    },
    // The child process opens sealed keys itself.
    Row {
        name: "portreeve-signer",
        may: &[RA, WIRE, PKIX, KEYSET],
    },
];

/// Crates from the registry that a part of the tree must do without.
struct Ban {
    /// The crate of ours, or the folder of crates with a closing slash.
    scope: &'static str,
    /// What it must not depend on.
    without: &'static [&'static str],
}

const SERVERS: &[&str] = &["axum", "hyper", "hyper-util", "tokio-rustls", "sqlx", "redis"];

const BANS: [Ban; 10] = [
    Ban {
        scope: "protocols/pkix",
        without: &["tokio", "http", "axum", "hyper", "rustls", "sqlx", "toml", "clap"],
    },
    Ban {
        scope: "protocols/wire",
        without: &["tokio", "http", "axum", "hyper", "rustls", "sqlx", "toml", "clap"],
    },
    Ban {
        scope: "protocols/edge",
        without: &["tokio", "axum", "hyper", "hyper-util", "tokio-rustls", "sqlx"],
    },
    Ban {
        scope: "protocols/acme",
        without: SERVERS,
    },
    Ban {
        scope: "protocols/est",
        without: SERVERS,
    },
    Ban {
        scope: "protocols/status",
        without: SERVERS,
    },
    // It is a client of the networks it validates: hyper and TLS, but never a server framework or a database.
    Ban {
        scope: "protocols/validation",
        without: &["axum", "sqlx", "redis"],
    },
    Ban {
        scope: "ra/core",
        without: &[
            "tokio",
            "http",
            "axum",
            "hyper",
            "hyper-util",
            "tokio-rustls",
            "rustls",
            "sqlx",
            "toml",
            "clap",
        ],
    },
    Ban {
        scope: "ra/audit",
        without: &["tokio", "http", "axum", "hyper", "rustls", "sqlx", "toml", "clap"],
    },
    Ban {
        scope: "policies",
        without: &["tokio", "http", "axum", "hyper", "sqlx"],
    },
];

/// The only crates that assemble DER.
const ENCODERS: [&str; 3] = [PKIX, WIRE, "portreeve-ca-local"];

/// The only crate with `unsafe` code: PKCS#11 and the hardening of the signer process are foreign functions.
const UNSAFE: &str = "portreeve-signer";

const FILE_LINES_MAX: usize = 500;

struct Package {
    name: String,
    folder: PathBuf,
    /// Its folder relative to the root, with forward slashes.
    place: String,
    dependencies: BTreeSet<String>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn packages() -> Vec<Package> {
    let root = root();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps"])
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages
        .iter()
        .map(|package| Package::read(package, &root))
        .collect()
}

impl Package {
    fn read(package: &Value, root: &Path) -> Self {
        let manifest = Path::new(package["manifest_path"].as_str().unwrap());
        let folder = manifest.parent().unwrap().to_path_buf();
        let normal = |dependency: &&Value| dependency["kind"].as_str() != Some("dev");
        let dependencies = package["dependencies"].as_array().unwrap().iter().filter(normal);
        Self {
            name: package["name"].as_str().unwrap().to_owned(),
            place: folder.strip_prefix(root).unwrap().to_str().unwrap().to_owned(),
            folder,
            dependencies: dependencies
                .map(|one| one["name"].as_str().unwrap().to_owned())
                .collect(),
        }
    }

    fn is_free(&self) -> bool {
        self.name == GATEWAY || self.place.starts_with("tests/")
    }

    fn sources(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        collect(&self.folder.join("src"), &mut files);
        files
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Arrows that are not in the table, in words.
fn forbidden(packages: &[Package]) -> Vec<String> {
    let members: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| !package.is_free()) {
        let Some(row) = ARROWS.iter().find(|row| row.name == package.name) else {
            found.push(format!(
                "{} ({}) has no row in the table of arrows",
                package.name, package.place
            ));
            continue;
        };
        for dependency in package.dependencies.iter().map(String::as_str) {
            if members.contains(dependency) && !row.may.contains(&dependency) {
                found.push(format!(
                    "{} -> {dependency} is not an arrow of the architecture",
                    package.name
                ));
            }
        }
    }
    found
}

#[test]
fn workspace_crates_depend_on_each_other_along_the_arrows_only() {
    let found = forbidden(&packages());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn an_arrow_against_the_table_is_found() {
    let package = |name: &str, place: &str, dependencies: &[&str]| Package {
        name: name.to_owned(),
        folder: PathBuf::new(),
        place: place.to_owned(),
        dependencies: dependencies.iter().map(|name| (*name).to_owned()).collect(),
    };
    let rows = [
        ("core knows a protocol", package(RA, "ra/core", &[WIRE]), 1),
        (
            "a protocol knows a policy",
            package(ACME, "protocols/acme", &["portreeve-policies", PKIX]),
            1,
        ),
        (
            "a crate without a row",
            package("portreeve-new", "protocols/new", &[]),
            1,
        ),
        (
            "as drawn",
            package(ACME, "protocols/acme", &[EDGE, RA, "serde"]),
            0,
        ),
        (
            "the gateway knows all",
            package(GATEWAY, "gateway", &[ACME, "portreeve-policies"]),
            0,
        ),
    ];
    for (name, row, expected) in rows {
        let mut all = vec![
            package(WIRE, "protocols/wire", &[]),
            package("portreeve-policies", "policies", &[]),
            package(PKIX, "protocols/pkix", &[]),
        ];
        all.push(row);
        assert_eq!(forbidden(&all).len(), expected, "{name}: {:?}", forbidden(&all));
    }
}

#[test]
fn parts_of_the_tree_do_without_servers_databases_and_runtimes() {
    let packages = packages();
    for ban in BANS {
        let package = packages.iter().find(|package| package.place == ban.scope);
        let package = package.unwrap_or_else(|| panic!("no crate lies in {}", ban.scope));
        for name in ban.without {
            assert!(
                !package.dependencies.contains(*name),
                "{} must not depend on {name}",
                ban.scope
            );
        }
    }
}

#[test]
fn only_three_crates_assemble_der() {
    for package in packages().iter().filter(|package| !package.is_free()) {
        let encodes = package
            .dependencies
            .iter()
            .any(|name| name == "rasn" || name.starts_with("rasn-"));
        assert!(
            !encodes || ENCODERS.contains(&package.name.as_str()),
            "{} depends on rasn",
            package.name
        );
    }
}

/// Where the one call stands that asks a backend for a certificate.
const ISSUES: &str = "ra/core/src/steps/issue.rs";

#[test]
fn only_one_step_asks_a_backend_to_issue() {
    let root = root();
    let mut callers = BTreeSet::new();
    for package in packages()
        .iter()
        .filter(|package| !package.place.starts_with("tests/"))
    {
        for file in package.sources() {
            let text = std::fs::read_to_string(&file).unwrap();
            let product: Vec<&str> = text.lines().take(product_lines(&text)).collect();
            if product
                .iter()
                .any(|line| line.contains("backend.issue(") || line.contains("backend().issue("))
            {
                callers.insert(file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    assert_eq!(callers, BTreeSet::from([ISSUES.to_owned()]));
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_and_only_one_has_unsafe_code() {
    for package in packages() {
        let manifest: toml::Table = std::fs::read_to_string(package.folder.join("Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let inherited = manifest["lints"].get("workspace").and_then(toml::Value::as_bool) == Some(true);
        assert!(
            inherited || package.name == UNSAFE,
            "{} has lints of its own",
            package.name
        );
        if package.name == UNSAFE {
            continue;
        }
        for file in package.sources() {
            let text = std::fs::read_to_string(&file).unwrap();
            let unsafe_line = text.lines().find(|line| has_unsafe(line));
            assert!(unsafe_line.is_none(), "{}: {unsafe_line:?}", file.display());
        }
    }
}

fn has_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    [
        "unsafe {",
        "unsafe fn",
        "unsafe impl",
        "unsafe extern",
        "allow(unsafe_code)",
    ]
    .iter()
    .any(|word| code.contains(word))
}

#[test]
fn no_source_file_is_longer_than_the_limit() {
    let mut long = Vec::new();
    for package in packages() {
        for file in package.sources() {
            let below = file.strip_prefix(&package.folder).unwrap();
            let is_test = below.iter().any(|part| part == "tests" || part == "tests.rs");
            let lines = product_lines(&std::fs::read_to_string(&file).unwrap());
            if lines > FILE_LINES_MAX && !is_test {
                long.push(format!(
                    "{}/{}: {lines} lines, split it",
                    package.place,
                    below.display()
                ));
            }
        }
    }
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Lines up to the test module at the end.
fn product_lines(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let test = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests {"));
    test.unwrap_or(lines.len())
}

#[test]
fn lines_are_counted_without_the_test_module() {
    assert_eq!(product_lines("a\nb\n#[cfg(test)]\nmod tests {\n}\n"), 2);
    assert_eq!(product_lines("a\n#[cfg(test)]\nmod tests;\nb\n"), 4);
}
