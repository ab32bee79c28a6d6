//! The files of the container deployment agree with each other. Whether they run is for whoever has a container engine.

#![cfg(test)]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The words that follow this one, up to what cannot be part of a name.
fn after<'a>(text: &'a str, mark: &'a str) -> BTreeSet<&'a str> {
    text.split(mark)
        .skip(1)
        .filter_map(|rest| {
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

#[test]
fn every_secret_is_declared_made_and_given_to_those_who_read_it() {
    let compose = text("compose.yaml");
    let declared = after(&compose, "./secrets/");
    let made = text("deploy/container/secrets.sh");
    for secret in &declared {
        let (stem, kind) = secret.split_once('_').unwrap_or((secret, ""));
        let known = made.contains(secret)
            || (stem == "database" && made.contains("database_$node") && made.contains(kind));
        assert!(known, "{secret} is not made by secrets.sh");
    }
    let configuration = text("deploy/container/portreeve.toml");
    for (file, read) in [("portreeve.toml", &configuration), ("compose.yaml", &compose)] {
        for secret in after(read, "/run/secrets/") {
            assert!(
                declared.contains(secret),
                "{file} reads {secret}, which is not declared"
            );
        }
    }
}

/// What an edge is not given it cannot lose.
#[test]
fn an_edge_is_given_no_key_but_its_own() {
    let compose = text("compose.yaml");
    let edge = compose.split("x-edge:").nth(1).unwrap();
    let edge = edge.split("x-worker:").next().unwrap();
    let list = edge
        .split("secrets: [")
        .nth(1)
        .unwrap()
        .split(']')
        .next()
        .unwrap();
    let given: Vec<&str> = list.split(',').map(str::trim).collect();
    assert_eq!(given, ["database_edge", "kek", "kek_edge"]);
}

#[test]
fn the_files_that_compose_names_are_there() {
    let compose = text("compose.yaml");
    for path in [
        "deploy/container/Containerfile",
        "deploy/container/portreeve.toml",
        "deploy/container/secrets.sh",
    ] {
        assert!(compose.contains(path), "{path} is not named");
        assert!(root().join(path).is_file(), "{path} is not there");
    }
    assert!(text("deploy/container/Containerfile").contains("COPY deploy/container/setup.sh"));
}

#[test]
fn the_scripts_are_scripts() {
    for script in ["secrets.sh", "setup.sh"] {
        let path = root().join("deploy/container").join(script);
        let checked = Command::new("sh").arg("-n").arg(&path).status().unwrap();
        assert!(checked.success(), "{script}");
    }
}

#[test]
fn secrets_are_made_once_and_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let directory = std::env::temp_dir().join(format!("portreeve-secrets-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let script = root().join("deploy/container/secrets.sh");
    let run = || {
        Command::new("sh")
            .arg(&script)
            .current_dir(&directory)
            .output()
            .unwrap()
    };
    assert!(run().status.success());
    let kek = directory.join("secrets/kek");
    let first = std::fs::read_to_string(&kek).unwrap();
    assert_eq!(first.len(), 64, "32 octets in hexadecimal");
    assert_eq!(std::fs::metadata(&kek).unwrap().permissions().mode() & 0o077, 0);
    assert!(run().status.success());
    assert_eq!(std::fs::read_to_string(&kek).unwrap(), first);
    std::fs::remove_dir_all(&directory).unwrap();
}
