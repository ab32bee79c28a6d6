//! What each kind of node says about itself, and what is said about it when it does not run.

use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_harness::process::Finished;
use serde_json::Value;

/// The nodes, and the checks that only some kinds have.
const KINDS: [(&str, &str, &[&str]); 4] = [
    ("edge1", "edge", &[]),
    ("worker1", "worker", &["signer", "backend issuing"]),
    ("status1", "status", &["signer", "backend issuing", "CRL issuing"]),
    ("console1", "console", &[]),
];

fn checks(report: &Value) -> Vec<&str> {
    let checks = report["checks"].as_array().unwrap();
    checks.iter().filter_map(|one| one["check"].as_str()).collect()
}

/// Every row that is not well. That a server takes long to answer is no fault of what is examined here.
fn worries(examined: &Finished) -> Vec<&str> {
    let rows = examined.stdout.lines().skip(1);
    let well = [" ok ", " skipped ", "answers in"];
    rows.filter(|row| !well.iter().any(|words| row.contains(words)))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_node_is_judged_by_what_it_does() {
    let plan = Plan {
        nodes: &[
            ("edge1", "edge"),
            ("worker1", "worker"),
            ("status1", "status"),
            ("console1", "console"),
        ],
        ..Plan::APART
    };
    let mut fleet = Fleet::of(&plan).await.unwrap();
    for (name, roles, own) in KINDS {
        let (status, report) = fleet.readiness(name).await.unwrap();
        assert_eq!(
            (status, &report["degraded"]),
            (200, &Value::Bool(false)),
            "{report}"
        );
        assert_eq!(report["roles"], serde_json::json!([roles]), "{report}");
        let found = checks(&report);
        for check in ["signer", "backend issuing", "CRL issuing"] {
            assert_eq!(
                found.contains(&check),
                own.contains(&check),
                "{name} {check}: {report}"
            );
        }
        let node = &fleet.node(name).unwrap().process;
        let examined = tokio::task::block_in_place(|| node.control(&["doctor"])).unwrap();
        assert!(examined.stdout.contains(&format!("running as {roles}")));
        assert_eq!(
            worries(&examined),
            Vec::<&str>::new(),
            "{name}: {}",
            examined.text()
        );
        assert_ne!(examined.status.code(), Some(4), "{name}");
        let healthy = tokio::task::block_in_place(|| node.control(&["health"])).unwrap();
        assert_eq!(healthy.status.code(), Some(0), "{}", healthy.text());
    }
    for (name, roles, _) in KINDS {
        let examined = tokio::task::block_in_place(|| {
            let node = &mut fleet.node_mut(name).unwrap().process;
            node.terminate().unwrap();
            node.control(&["doctor", "--roles", roles]).unwrap()
        });
        assert_eq!(
            worries(&examined),
            Vec::<&str>::new(),
            "{name}: {}",
            examined.text()
        );
        assert_ne!(examined.status.code(), Some(4), "{name}");
    }
}
