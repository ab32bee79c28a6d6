//! What the tests share.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Answer, Client, Csr, Identity};
use portreeve_harness::pace::PATIENCE;
use portreeve_pkix::Certificate;
use serde_json::Value;

/// A client of the endpoint `default`, as the user of `dev`.
pub(crate) fn dev(site: &Site) -> Client {
    Client::new(site, "default").as_dev(site)
}

/// A name that no other test has.
pub(crate) fn fresh(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{what}{}.est.test", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What was issued for a fresh name to the user of `dev`, at an endpoint.
#[track_caller]
pub(crate) fn enrolled(site: &Site, label: &str, csr: &Csr) -> (Certificate, Identity) {
    let client = Client::new(site, label).as_dev(site);
    let certificate = client.post("simpleenroll", &csr.der()).certificate();
    let identity = Identity::issued(&certificate, csr.key());
    (certificate, identity)
}

/// Runs a command that prints JSON.
#[track_caller]
pub(crate) fn json(site: &Site, command: &[&str]) -> Value {
    let command = [command, &["--output", "json"]].concat();
    let printed = site.control(&command).success().unwrap().stdout;
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// Runs a command that must succeed.
#[track_caller]
pub(crate) fn control(site: &Site, command: &[&str]) {
    site.control(command).success().unwrap();
}

/// A registration that may have these names, and a secret of this kind.
#[track_caller]
pub(crate) fn registration(site: &Site, name: &str, (names, kind): (&[&str], &str)) -> (String, String) {
    let mut create = vec!["registration", "create", name];
    create.extend(names.iter().flat_map(|name| ["--allow", name]));
    if !names.is_empty() {
        create.push("--vouched");
    }
    control(site, &create);
    secret(site, name, &["--kind", kind, "--unlimited"])
}

/// A secret of a registration: what it is called by, and what it is.
#[track_caller]
pub(crate) fn secret(site: &Site, registration: &str, options: &[&str]) -> (String, String) {
    let create = [&["registration", "secret", "create", registration], options].concat();
    let made = json(site, &create);
    let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
    (text("reference"), text("secret"))
}

/// Publishes an object from a text, and waits until the gateway serves it if it is an endpoint.
#[track_caller]
pub(crate) fn publish(site: &Site, noun: &str, name: &str, text: &str) {
    let file = site
        .data_dir()
        .with_file_name(format!("{}-{}.toml", noun, name.replace('/', "-")));
    std::fs::write(&file, text).unwrap();
    let file = file.to_string_lossy();
    control(site, &[noun, "publish", name, "--from", &file]);
    if let Some(label) = name.strip_prefix("est/") {
        let client = Client::new(site, label);
        let until = Instant::now() + PATIENCE;
        while client.get("cacerts").status() == 404 {
            assert!(Instant::now() < until, "{name} is not served");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The request that waits for a certificate with this name.
#[track_caller]
pub(crate) fn waiting(site: &Site, name: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let listed = json(site, &["request", "list", "--state", "awaiting_approval"]);
        let found = listed["items"].as_array().unwrap().iter().find_map(|item| {
            let id = item["id"].as_str()?;
            let shown = site.control(&["request", "show", id]).success().ok()?;
            shown.stdout.contains(name).then(|| id.to_owned())
        });
        if let Some(id) = found {
            return id;
        }
        assert!(Instant::now() < until, "no request for {name} waits");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends the same request until it is not told to come back.
#[track_caller]
pub(crate) fn poll(client: &Client, operation: &str, csr: &[u8]) -> Answer {
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = client.post(operation, csr);
        if answer.status() != 202 {
            return answer;
        }
        assert!(Instant::now() < until, "told to come back for ever");
        std::thread::sleep(Duration::from_millis(50));
    }
}
