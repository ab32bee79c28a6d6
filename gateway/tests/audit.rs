//! The audit log of a whole gateway, by the commands an operator and an auditor use.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod dev;
mod host;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use dev::{home, options};
use host::Host;
use portreeve::{Running, start};
use portreeve_harness::authority::{TestAccount, csr};
use portreeve_harness::pace::until;
use portreeve_ra::{Disposition, EndpointName, Issuance};
use serde_json::Value;

struct Site {
    directory: tempfile::TempDir,
    host: Host,
}

impl Site {
    fn new() -> Self {
        let directory = home();
        Self {
            host: Host::by("--data-dir", &directory.path().join("data")),
            directory,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    async fn start(&self) -> Running {
        start(options(&self.path("data"), &[])).await.unwrap()
    }

    /// What `portreeve audit` prints with these arguments on the installation.
    async fn json(&self, arguments: &[&str]) -> Value {
        self.host.json(&[&["audit"], arguments].concat()).await
    }

    /// Its exit code, and what it says when it fails.
    async fn failure(&self, arguments: &[&str]) -> (i32, String) {
        self.host.failure(&[&["audit"], arguments].concat()).await
    }

    /// What verification finds, with its exit code.
    async fn verify(&self, arguments: &[&str]) -> (i32, Value) {
        let verify = ["audit", "verify", "--output", "json"];
        let output = self.host.run(&[&verify, arguments].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let found = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        (output.status.code().unwrap(), found)
    }

    /// The proof of a certificate, as soon as it is sealed.
    async fn proof(&self, serial: &str) -> String {
        until("a sealed certificate", || async {
            let output = self.host.run(&["audit", "proof", serial]).await;
            if output.status.success() {
                return Some(String::from_utf8(output.stdout).unwrap());
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(said.contains("unavailable"), "{said}");
            None
        })
        .await
    }
}

/// A certificate for a name, asked for as an edge does.
async fn issue(running: &Running, name: &str) -> Box<Issuance> {
    let (ra, endpoint) = (running.ra(), EndpointName::new("acme/default").unwrap());
    let account = TestAccount::open(ra, &endpoint, None).await;
    account.prove(ra, &[name]).await;
    let order = account.order(ra, &endpoint, (name, csr(name)));
    match ra.enroll(order).await.unwrap() {
        Disposition::Issued(issuance) => issuance,
        other => panic!("{other:?}"),
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_proven_and_the_log_verified() {
    let site = Site::new();
    let running = site.start().await;
    let (issuance, other) = (issue(&running, "a.test").await, issue(&running, "b.test").await);
    let serial = issuance.certificate.serial().to_hex();

    let keys = site.json(&["key"]).await;
    let key = keys["keys"][0].as_str().unwrap();
    assert!(
        key.starts_with("portreeve/") && key.split('+').count() >= 3,
        "{key}"
    );
    let proof = site.proof(&serial).await;
    let (file, certificate) = (site.path("proof"), site.path("certificate.der"));
    std::fs::write(&file, &proof).unwrap();
    std::fs::write(&certificate, issuance.certificate.der()).unwrap();
    let check = [
        "verify-proof",
        text(&file),
        "--key",
        key,
        "--certificate",
        text(&certificate),
    ];
    let proven = site.json(&check).await;
    assert_eq!(
        (&proven["serial"], &proven["erased"]),
        (&serial.clone().into(), &false.into()),
        "{proven}"
    );
    assert_eq!(proven["events"][0], "enrollment.issued");

    let issuer = issuance.certificate.issuer().to_string().to_uppercase();
    for which in [
        vec!["proof", "--certificate", text(&certificate)],
        vec!["proof", &serial, "--issuer", &issuer],
        vec!["proof", &serial, "--backend", "issuing"],
    ] {
        let same = site.json(&which).await;
        assert_eq!(same["serial"], *serial, "{which:?}");
        let same = same["proof"].as_str().unwrap();
        let of_same = |text: &str| {
            text.lines()
                .find(|line| line.starts_with("index "))
                .map(str::to_owned)
        };
        assert_eq!(of_same(same), of_same(&proof), "{which:?}");
    }

    let tampered = site.path("tampered");
    std::fs::write(&tampered, proof.replacen("index ", "index 1", 1)).unwrap();
    std::fs::write(site.path("other.der"), other.certificate.der()).unwrap();
    let wrong_key = "portreeve/x+00000000+AAAA";
    let stranger = portreeve_audit::VerifierKey::new("portreeve/x", [9; 32])
        .unwrap()
        .to_string();
    for (name, arguments, code) in [
        (
            "another place",
            vec!["verify-proof", text(&tampered), "--key", key],
            1,
        ),
        (
            "a stranger's key",
            vec!["verify-proof", text(&file), "--key", &stranger],
            1,
        ),
        ("no key", vec!["verify-proof", text(&file)], 2),
        (
            "a key that is none",
            vec!["verify-proof", text(&file), "--key", wrong_key],
            2,
        ),
        (
            "another certificate",
            vec![
                "verify-proof",
                text(&file),
                "--key",
                key,
                "--certificate",
                text(&site.path("other.der")),
            ],
            1,
        ),
        ("an unknown certificate", vec!["proof", "0badc0de"], 1),
        (
            "another issuer",
            vec!["proof", &serial, "--issuer", "CN=somebody else"],
            1,
        ),
        ("another CA", vec!["proof", &serial, "--backend", "other"], 1),
        (
            "both ways at once",
            vec!["proof", &serial, "--certificate", text(&certificate)],
            2,
        ),
        ("neither", vec!["proof"], 2),
        ("no certificate", vec!["proof", "--certificate", text(&file)], 1),
        ("no serial number", vec!["proof", "zz"], 1),
        (
            "one that is in force",
            vec![
                "erase",
                &issuance.enrollment.to_string(),
                "--comment",
                "why",
                "--yes",
            ],
            1,
        ),
    ] {
        let (ended, said) = site.failure(&arguments).await;
        assert_eq!(ended, code, "{name}: {said}");
    }

    let (code, found) = site.verify(&[]).await;
    assert_eq!((code, &found["good"]), (0, &true.into()), "{found}");
    assert!(
        found["trusted"].as_u64() > Some(0),
        "the file of checkpoints counts: {found}"
    );
    lists(&site).await;

    let (export, checkpoints) = (site.path("export"), site.path("data/audit-checkpoints"));
    site.json(&["export", text(&export)]).await;
    let offline = [
        "--export",
        text(&export),
        "--trusted",
        text(&checkpoints),
        "--key",
        key,
    ];
    let (code, found) = site.verify(&offline).await;
    assert_eq!((code, &found["good"]), (0, &true.into()), "{found}");
    let (ended, said) = site.failure(&["export", text(&export)]).await;
    assert_ne!(ended, 0, "an export is not written over: {said}");
    running.stop().await;
    let (code, found) = site
        .verify(&["--no-signatures", "--from", "1", "--to", "5"])
        .await;
    assert_eq!(
        (code, &found["good"]),
        (0, &true.into()),
        "without a gateway: {found}"
    );
}

/// Lists of events and checkpoints go on from page to page.
async fn lists(site: &Site) {
    let all = site.json(&["events", "--limit", "200"]).await;
    let all: Vec<u64> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["index"].as_u64().unwrap())
        .collect();
    assert!(
        all.len() > 12 && all.is_sorted_by(|a, b| a == &(b + 1)) && all.last() == Some(&0),
        "{all:?}"
    );
    let mut paged = Vec::new();
    let mut cursor: Option<String> = None;
    while paged.len() < all.len() {
        let mut arguments = vec!["events", "--limit", "5"];
        if let Some(cursor) = &cursor {
            arguments.extend(["--cursor", cursor]);
        }
        let page = site.json(&arguments).await;
        paged.extend(
            page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["index"].as_u64().unwrap()),
        );
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    // What is sealed meanwhile may stand before the first page.
    let tail = paged.get(paged.len().saturating_sub(all.len())..).unwrap();
    assert_eq!(tail, all);
    let checkpoints = site.json(&["checkpoints", "--limit", "1"]).await;
    let note = checkpoints["items"][0]["note"].as_str().unwrap();
    assert!(
        note.starts_with("portreeve/") && note.contains("\n\n\u{2014} portreeve/"),
        "{note}"
    );
    let (ended, said) = site.failure(&["events", "--cursor", "zz"]).await;
    assert!(ended == 1 && said.contains("bad_cursor"), "{said}");
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_brought_back_is_found_and_not_sealed() {
    let site = Site::new();
    let running = site.start().await;
    issue(&running, "a.test").await;
    running.stop().await;
    let (store, earlier) = (site.path("data/store"), site.path("earlier"));
    copy(&store, &earlier);

    let running = site.start().await;
    let issuance = issue(&running, "b.test").await;
    site.proof(&issuance.certificate.serial().to_hex()).await;
    running.stop().await;
    // What still closes a file there does so elsewhere.
    std::fs::rename(&store, site.path("later")).unwrap();
    copy(&earlier, &store);
    std::fs::set_permissions(&store, std::fs::Permissions::from_mode(0o700)).unwrap();

    let (code, found) = site.verify(&[]).await;
    assert_eq!((code, &found["good"]), (1, &false.into()), "{found}");
    assert_eq!(found["faults"][0]["what"], "truncated", "{found}");
    let running = site.start().await;
    until("an incident", || async {
        let incidents = site.json(&["incidents"]).await;
        let mut listed = incidents["items"].as_array().unwrap().iter();
        let covers = |detail: &str| detail.contains("covers");
        listed
            .any(|one| one["detail"].as_str().is_some_and(covers))
            .then_some(())
    })
    .await;
    running.stop().await;
}
