//! `serve` on PostgreSQL: the owner makes the installation, a role that may do less serves it.

#![cfg(test)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portreeve::{Config, Mode, StartOptions, start};
use portreeve_harness::postgres::PostgresServer;
use portreeve_harness::process::{Finished, attempt, default_binary};

const LIMIT: Duration = Duration::from_secs(180);

fn run(config: &Path, words: &[&str]) -> Finished {
    let mut command = Command::new(default_binary());
    command
        .args(words)
        .arg("--config")
        .arg(config)
        .env("NO_COLOR", "1");
    tokio::task::block_in_place(|| attempt(&mut command, LIMIT)).unwrap()
}

/// A configuration file whose database URL lies in a file of its own.
fn configuration(folder: &Path, name: &str, url: &str) -> PathBuf {
    std::fs::write(folder.join(format!("{name}.url")), url).unwrap();
    let text = format!(
        "[server]\ndata_dir = {folder:?}\nexternal_url = \"https://localhost\"\nstatus_url = \"http://localhost\"\n\
         control_socket = \"c.sock\"\n\
         [server.listeners.public]\naddr = \"127.0.0.1:0\"\ntls = true\nmounts = [\"acme\"]\n\
         [server.listeners.http]\naddr = \"127.0.0.1:0\"\ntls = false\nmounts = [\"status\", \"management\"]\n\
         [database]\nurl = {{ file = \"{name}.url\" }}\nconnections_max = 4\n[backend.issuing]\n"
    );
    let path = folder.join(format!("{name}.toml"));
    std::fs::write(&path, text).unwrap();
    path
}

async fn started(config: &Path) -> Result<portreeve::Running, String> {
    let options = StartOptions {
        config: Config::load(config, &[]).unwrap(),
        mode: Mode::Serve,
        program: Some(default_binary()),
        ..StartOptions::default()
    };
    start(options).await.map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_makes_an_installation_and_a_lesser_role_serves_it() {
    let folder = tempfile::Builder::new()
        .prefix("portreeve-serve-")
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap();
    let server = tokio::task::block_in_place(|| PostgresServer::start().unwrap());
    let url = server.database().unwrap();
    let database = url.rsplit('/').next().unwrap();
    let owner = configuration(folder.path(), "owner", &url);

    let refused = started(&owner).await.err().unwrap();
    assert!(
        refused.contains("portreeve ca create"),
        "an empty database: {refused}"
    );
    assert_eq!(run(&owner, &["migrate", "status"]).status.code(), Some(1));
    let doctor = run(&owner, &["doctor"]);
    assert_eq!(doctor.status.code(), Some(4), "{}", doctor.stdout);
    let listed = run(&owner, &["ca", "list", "--output", "json"])
        .success()
        .unwrap();
    assert_eq!(listed.stdout.trim(), "[]");
    let applied = run(&owner, &["migrate", "apply"]).success().unwrap();
    assert!(
        applied.stdout.contains("from version 0 to 1"),
        "{}",
        applied.stdout
    );
    assert_eq!(run(&owner, &["migrate", "status"]).status.code(), Some(0));
    let refused = started(&owner).await.err().unwrap();
    assert!(
        refused.contains("portreeve ca create"),
        "without a keyset: {refused}"
    );
    for rank in ["root", "issuing", "management"] {
        let subject = format!("CN={rank}");
        run(&owner, &["ca", "create", rank, "--subject", &subject])
            .success()
            .unwrap();
    }

    let script = run(&owner, &["migrate", "roles"]).success().unwrap().stdout;
    server.sql(database, &script).unwrap();
    let node = "CREATE ROLE node LOGIN PASSWORD 'p@ss:w%rd' IN ROLE portreeve_edge, portreeve_worker, \
                portreeve_status, portreeve_console";
    server.sql(database, node).unwrap();
    let lesser = url.replace("harness@", "node:p%40ss%3Aw%25rd@");
    let lesser = configuration(folder.path(), "lesser", &lesser);
    let doctor = run(&lesser, &["doctor"]);
    // Warnings only if the server takes long to answer.
    let is_fine = doctor.status.code() == Some(0) || doctor.stdout.matches(" warning ").count() == 1;
    assert!(is_fine && doctor.status.code() != Some(4), "{}", doctor.stdout);
    for check in [
        "database server",
        "database clock",
        "database durability",
        "database rights",
        "database identity",
    ] {
        assert!(doctor.stdout.contains(check), "{check}: {}", doctor.stdout);
    }
    let running = started(&lesser).await.unwrap();
    let ready = run(&lesser, &["doctor"]);
    // Warnings, since the file says port 0 and nobody listens there.
    assert_eq!(ready.status.code(), Some(3), "{}", ready.stdout);
    assert!(ready.stdout.contains("live: database"), "{}", ready.stdout);
    running.stop().await;

    // Whoever may create in the schema could have the owner's functions run its own.
    server
        .sql(database, "GRANT CREATE ON SCHEMA public TO node")
        .unwrap();
    let refused = started(&lesser).await.err().unwrap();
    assert!(refused.contains("may create in the schema"), "{refused}");
    let doctor = run(&lesser, &["doctor"]);
    assert_eq!(doctor.status.code(), Some(4), "{}", doctor.stdout);
    server
        .sql(database, "REVOKE CREATE ON SCHEMA public FROM node")
        .unwrap();

    // A role that plays edge only is no node that can do everything.
    server
        .sql(
            database,
            "CREATE ROLE edge LOGIN PASSWORD 'edge' IN ROLE portreeve_edge",
        )
        .unwrap();
    let edge = configuration(folder.path(), "edge", &url.replace("harness@", "edge:edge@"));
    let refused = started(&edge).await.err().unwrap();
    assert!(refused.contains("42501"), "{refused}");

    // Nor may it play edge only with the key of the whole keyset.
    let refused = run(&edge, &["serve", "--roles", "edge"]);
    let examined = run(&edge, &["doctor", "--roles", "edge"]);
    assert_eq!(examined.status.code(), Some(4), "{}", examined.stdout);
    for said in [refused.text(), examined.text()] {
        assert!(said.contains("keyset.keks") && said.contains("worker"), "{said}");
    }
    for shown in [
        &doctor,
        &ready,
        &run(&edge, &["doctor"]),
        &run(&edge, &["config", "show"]),
    ] {
        assert!(!shown.text().contains("p@ss") && !shown.text().contains("p%40ss"));
    }

    // What `dev` made is not for `serve`.
    server
        .sql(database, "UPDATE installation SET made_by = 'dev'")
        .unwrap();
    let refused = started(&owner).await.err().unwrap();
    assert!(refused.contains("portreeve dev"), "{refused}");
    // A newer program was here.
    server
        .sql(
            database,
            "INSERT INTO schema_version SELECT version + 1, 'later', digest, applied_at FROM schema_version",
        )
        .unwrap();
    let refused = started(&owner).await.err().unwrap();
    assert!(refused.contains("run the newer program"), "{refused}");
}
