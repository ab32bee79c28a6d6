//! Edits that are to give an operator more than they have, or give back what was taken away.

use std::path::PathBuf;
use std::process::Command;

use portreeve_faults::client::request_for;
use portreeve_faults::forge::{self, Signed};
use portreeve_faults::os::eventually;
use portreeve_faults::site::Site;
use portreeve_harness::process::{Finished, attempt};
use portreeve_ra::{
    Event, ObjectEvent, ObjectKind, ObjectVersion, Purpose, RegistrationEvent, RegistrationId, StreamId,
};
use serde_json::Value;

use super::{LIMIT, SIGNATURES, incidents, incidents_shown, signed, start};

const PASSWORD: &str = "correct horse battery staple";

fn host(site: &Site, arguments: &[&str]) -> Finished {
    site.gateway.control(arguments).unwrap().success().unwrap()
}

fn operator(name: &str) -> StreamId {
    ObjectVersion::stream(ObjectKind::Operator, name)
}

/// Makes an operator with a password.
fn make(site: &Site, name: &str, role: &str) {
    host(site, &["operator", "create", name, "--role", role]);
    let file = password_file(site);
    std::fs::write(&file, PASSWORD).unwrap();
    let set = ["operator", "set-password", name, "--from", file.to_str().unwrap()];
    host(site, &set);
}

fn password_file(site: &Site) -> PathBuf {
    site.folder().join("password")
}

/// Runs a command as this operator, over HTTPS.
fn says(site: &Site, name: &str, arguments: &[&str]) -> Finished {
    let mut command: Command = site.gateway.command(arguments);
    command.args(["--url", site.gateway.dev_text("/admin/url").unwrap(), "--ca"]);
    command.arg(site.gateway.tls_root().unwrap());
    command
        .args(["--user", name, "--password-file"])
        .arg(password_file(site));
    attempt(&mut command, LIMIT).unwrap()
}

/// The rights of an operator, if they can sign in.
fn rights(site: &Site, name: &str) -> Option<Vec<String>> {
    let said = says(site, name, &["whoami", "--output", "json"]);
    let found: Value = serde_json::from_str(&said.success().ok()?.stdout).unwrap();
    let rights = found["rights"].as_array().unwrap().iter();
    Some(rights.map(|right| right.as_str().unwrap().to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_becomes_a_superadmin_by_an_inserted_record() {
    let mut site = start().await;
    let mut expected = Vec::new();
    for (number, (name, signature)) in SIGNATURES.into_iter().enumerate() {
        let mallory = format!("mallory{number}");
        make(&site, &mallory, "reader");
        let before = rights(&site, &mallory).unwrap();
        assert!(!before.contains(&"operator.write".to_owned()), "{before:?}");
        let stream = operator(&mallory);
        let mut database = site.database().await.unwrap();
        let records = database.stream(stream).await.unwrap();
        let more = [Event::Object(ObjectEvent::Published(ObjectVersion {
            kind: ObjectKind::Operator,
            name: mallory.clone(),
            version: 2,
            body: "roles = [\"superadmin\"]\n".to_owned(),
        }))];
        let genuine = signature(&records[0]);
        let forged = forge::record((stream, &records), (Purpose::Console, &more), genuine).unwrap();
        database.insert(&forged).await.unwrap();
        expected.push(("tampered", stream));

        assert_gains_nothing(&site, &mallory, name);
        assert_eq!(incidents(&site).await, expected, "{name}");
    }
    assert_eq!(incidents_shown(&site), expected.len());
    // It starts again on such a store, without these.
    site.restart().unwrap();
    for number in 0..SIGNATURES.len() {
        assert_gains_nothing(&site, &format!("mallory{number}"), "after a restart");
    }
    make(&site, "alice", "reader");
    assert!(rights(&site, "alice").is_some(), "the others sign in");
    assert_eq!(incidents(&site).await, expected, "raised once each");
    assert_eq!(examined(&site), ["mallory0", "mallory1", "mallory2"]);
    let accomplice = operator("accomplice");
    assert!(
        site.database()
            .await
            .unwrap()
            .stream(accomplice)
            .await
            .unwrap()
            .is_empty()
    );
}

/// A proposal on a registration that does not verify is not listed, and the others are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_registration_hides_no_other_proposal() {
    let site = start().await;
    for name in ["alice", "bob"] {
        make(&site, name, "superadmin");
    }
    let policy = site.folder().join("configuration.toml");
    std::fs::write(&policy, "age_max = \"7d\"\n[[step]]\nanyone = true\n").unwrap();
    let policy = policy.to_str().unwrap();
    host(
        &site,
        &["approval-policy", "publish", "configuration", "--from", policy],
    );
    let mut streams = Vec::new();
    for name in ["one", "two"] {
        let create = [
            "registration",
            "create",
            name,
            "--allow",
            "a.test",
            "--output",
            "json",
        ];
        let made = site.gateway.control(&create).unwrap();
        let made: Value = serde_json::from_str(&made.stdout).unwrap();
        let id: RegistrationId = made["approval"]["subject"]["id"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
        streams.push(StreamId::registration(id));
    }
    assert_eq!(proposals(&site, "alice"), 2);
    let mut database = site.database().await.unwrap();
    let records = database.stream(streams[0]).await.unwrap();
    let more = [Event::Registration(RegistrationEvent::Ended)];
    let forged = forge::record(
        (streams[0], &records),
        (Purpose::Console, &more),
        Signed::ByOwnKey,
    )
    .unwrap();
    database.insert(&forged).await.unwrap();
    for name in ["alice", "bob"] {
        assert_eq!(proposals(&site, name), 1, "{name}");
    }
    assert_eq!(incidents(&site).await, [("tampered", streams[0])]);
}

/// How many proposals an operator finds in the list.
fn proposals(site: &Site, name: &str) -> usize {
    let listed = says(site, name, &["approval", "list", "--output", "json"]);
    let listed: Value = serde_json::from_str(&listed.success().unwrap().stdout).unwrap();
    listed["items"].as_array().unwrap().len()
}

/// The operators of which `doctor` says that they do not verify.
fn examined(site: &Site) -> Vec<String> {
    let found = site.gateway.control(&["doctor", "--output", "json"]).unwrap();
    let found: Value = serde_json::from_str(&found.failure().unwrap().stdout).unwrap();
    let mut named: Vec<String> = found
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["check"] == "objects")
        .filter_map(|finding| finding["detail"].as_str()?.strip_prefix("operator "))
        .filter_map(|detail| Some(detail.split_once(": ")?.0.to_owned()))
        .collect();
    named.sort();
    named
}

fn assert_gains_nothing(site: &Site, mallory: &str, name: &str) {
    let said = says(site, mallory, &["whoami"]).failure().unwrap();
    assert!(said.stderr.contains("bad_credentials"), "{name}: {}", said.stderr);
    let accomplice = ["operator", "create", "accomplice", "--role", "superadmin"];
    says(site, mallory, &accomplice).failure().unwrap();
}

/// The record that took a role away is removed, and the log says which one is missing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_was_taken_away_stays_away() {
    let mut site = start().await;
    make(&site, "alice", "approver");
    assert!(
        rights(&site, "alice")
            .unwrap()
            .contains(&"request.approve".to_owned())
    );
    let client = site.client("approval").await.unwrap();
    let url = client.order("dismissed.localhost", LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    let request = request_for("dismissed.localhost").unwrap();
    client.finalize(&url, &request).await.unwrap();
    let listed = host(
        &site,
        &[
            "request",
            "list",
            "--state",
            "awaiting_approval",
            "--output",
            "json",
        ],
    );
    let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();

    let objects = site.folder().join("objects");
    std::fs::create_dir_all(objects.join("operators")).unwrap();
    std::fs::write(objects.join("operators/alice.toml"), "roles = []\n").unwrap();
    host(&site, &["apply", "-f", objects.to_str().unwrap()]);
    let approve = ["request", "approve", &id, "--comment", "mine"];
    assert_eq!(rights(&site, "alice"), Some(Vec::new()));
    says(&site, "alice", &approve).failure().unwrap();
    let before = signed(&site).await;
    let trusted = sealed(&site).await;

    let stream = operator("alice");
    let mut database = site.database().await.unwrap();
    let leaf = database.leaf_of(stream, 2).await.unwrap();
    assert_eq!(database.stream(stream).await.unwrap().len(), 2);
    database.cut_after(stream, 1).await.unwrap();
    assert_eq!(rights(&site, "alice"), None);
    says(&site, "alice", &approve).failure().unwrap();
    assert_eq!(incidents(&site).await, [("tampered", stream)]);
    assert_eq!(incidents_shown(&site), 1);
    // What a node has seen it knows after a restart as well.
    site.restart().unwrap();
    assert_eq!(rights(&site, "alice"), None);
    says(&site, "alice", &approve).failure().unwrap();
    assert_eq!(incidents(&site).await, [("tampered", stream)]);
    assert_eq!(signed(&site).await, before);
    let verify = [
        "audit",
        "verify",
        "--output",
        "json",
        "--trusted",
        trusted.to_str().unwrap(),
    ];
    let found = site.gateway.control(&verify).unwrap().failure().unwrap();
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    let faults = found["faults"].as_array().unwrap().iter();
    let named: Vec<_> = faults
        .map(|fault| (fault["what"].as_str().unwrap(), fault["first"].as_u64().unwrap()))
        .collect();
    assert!(named.contains(&("removed", leaf)), "{leaf}: {found}");
}

/// Waits until all that happened is under a checkpoint, and keeps a copy of the checkpoints elsewhere.
async fn sealed(site: &Site) -> PathBuf {
    eventually("all records sealed", LIMIT, || async {
        let found = host(site, &["audit", "verify", "--output", "json"]);
        let found: Value = serde_json::from_str(&found.stdout).unwrap();
        let all = found["unsealed"] == 0 && found["covered"] == found["size"];
        Ok(all.then_some(()))
    })
    .await
    .unwrap();
    let copy = site.folder().join("kept-elsewhere");
    std::fs::copy(site.gateway.data_dir().join("audit-checkpoints"), &copy).unwrap();
    copy
}
