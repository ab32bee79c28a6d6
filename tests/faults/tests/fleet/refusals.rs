//! What a node does not start with, and what it says then.

use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_harness::process::{attempt, default_binary};

const LIMIT: Duration = Duration::from_secs(180);

/// Two nodes are enough: one that can be looked at while the other does not start.
const PLAN: Plan = Plan {
    nodes: &[("edge1", "edge"), ("worker1", "worker,status,console")],
    ..Plan::SMALL
};

/// Starts a node that must refuse, and end by itself; what it says.
fn refusal(config: &Path, roles: &str) -> String {
    let mut command = std::process::Command::new(default_binary());
    command.args(["serve", "--roles", roles, "--config"]).arg(config);
    let finished = attempt(command.env("NO_COLOR", "1"), LIMIT).unwrap();
    assert_eq!(finished.status.code(), Some(1), "{}", finished.text());
    finished.text()
}

struct Kek {
    path: PathBuf,
    kept: Vec<u8>,
}

impl Kek {
    fn of(fleet: &Fleet, name: &str, file: &str) -> Self {
        let data_dir = fleet.node(name).unwrap().process.config().with_extension("");
        let path = data_dir.join(file);
        let kept = std::fs::read(&path).unwrap();
        Self { path, kept }
    }

    /// Another key, made by chance.
    fn replace(&self) {
        let other: String = (0..32)
            .map(|_| format!("{:02x}", portreeve_faults::os::chance(256)))
            .collect();
        std::fs::write(&self.path, other).unwrap();
    }

    fn remove(&self) {
        std::fs::remove_file(&self.path).unwrap();
    }

    fn restore(&self) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&self.path, &self.kept).unwrap();
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_is_refused_and_said() {
    let mut fleet = Fleet::of(&PLAN).await.unwrap();
    let (edge, worker) = ("edge", "worker,status,console");
    let config = |fleet: &Fleet, name: &str| fleet.node(name).unwrap().process.config().to_owned();
    let (edge_config, worker_config) = (config(&fleet, "edge1"), config(&fleet, "worker1"));
    for name in ["edge1", "worker1"] {
        tokio::task::block_in_place(|| fleet.node_mut(name).unwrap().process.terminate()).unwrap();
    }
    let refused = |config: &Path, roles: &str| tokio::task::block_in_place(|| refusal(config, roles));

    // The shared key encryption key: of another installation, and gone.
    for (name, config, roles) in [("edge1", &edge_config, edge), ("worker1", &worker_config, worker)] {
        let shared = Kek::of(&fleet, name, "kek");
        shared.replace();
        let said = refused(config, roles);
        assert!(said.contains("key encryption key"), "{name}: {said}");
        shared.remove();
        let said = refused(config, roles);
        assert!(said.contains("restore it from your copy"), "{name}: {said}");
        shared.restore();
    }

    // That of a role: of another installation, and not there.
    for (name, config, roles, word) in [
        ("edge1", &edge_config, edge, "edge"),
        ("worker1", &worker_config, worker, "worker"),
        ("worker1", &worker_config, worker, "edge"),
        ("worker1", &worker_config, worker, "ca"),
    ] {
        let own = Kek::of(&fleet, name, &format!("keks/{word}"));
        own.replace();
        let said = refused(config, roles);
        assert!(
            said.contains("key encryption key") && said.contains(word),
            "{name} {word}: {said}"
        );
        own.remove();
        let said = refused(config, roles);
        assert!(said.contains(&format!("keks/{word}")), "{name} {word}: {said}");
        own.restore();
    }

    // A key that is not for an edge was left on its machine.
    let left = Kek::of(&fleet, "worker1", "keks/worker");
    let place = Kek {
        path: edge_config.with_extension("").join("keks/worker"),
        ..left
    };
    place.restore();
    let said = refused(&edge_config, edge);
    assert!(said.contains("keyset.keks.worker"), "{said}");
    place.remove();

    // More than the database role and the keys allow.
    let said = refused(&edge_config, worker);
    assert!(said.contains("keks/worker"), "{said}");

    // The schema is that of a newer program, or nobody's.
    let mut owner = fleet.owner().await.unwrap();
    let later =
        "INSERT INTO schema_version SELECT version + 1, 'later', digest, applied_at FROM schema_version";
    let rows = [
        (
            later,
            "DELETE FROM schema_version WHERE name = 'later'",
            "run the newer program",
        ),
        (
            "UPDATE schema_version SET digest = decode(repeat('00', 32), 'hex')",
            "",
            "was not made by this program",
        ),
    ];
    for (wrong, right, expected) in rows {
        sqlx::query(sqlx::AssertSqlSafe(wrong))
            .execute(&mut owner)
            .await
            .unwrap();
        for (config, roles) in [(&edge_config, edge), (&worker_config, worker)] {
            let said = refused(config, roles);
            assert!(said.contains(expected), "{roles}: {said}");
        }
        if right.is_empty() {
            continue;
        }
        sqlx::query(sqlx::AssertSqlSafe(right))
            .execute(&mut owner)
            .await
            .unwrap();
    }
}
