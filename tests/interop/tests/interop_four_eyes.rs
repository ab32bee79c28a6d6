//! Two people decide, each with a key of their own: one by the command line, one by the API with a client certificate.
//! certbot waits, or gives up and comes back.

#![cfg(test)]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use portreeve_harness::clients::{Certbot, CertbotRelease};
use portreeve_harness::process::{Finished, Running, attempt, succeed, until};
use portreeve_interop::{Site, names};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

const LIST_AWAITING: [&str; 6] = [
    "request",
    "list",
    "--state",
    "awaiting_approval",
    "--output",
    "json",
];

/// An operator with a key, for which the management CA has issued a certificate.
struct Person<'a> {
    site: &'a Site,
    name: &'static str,
}

impl<'a> Person<'a> {
    fn new(site: &'a Site, name: &'static str) -> Self {
        let this = Self { site, name };
        let (key, csr) = (this.file("key.pem"), this.file("csr.pem"));
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ]);
        openssl.args([
            "-nodes",
            "-subj",
            &format!("/CN={name}"),
            "-keyout",
            &key,
            "-out",
            &csr,
        ]);
        succeed(&mut openssl, LIMIT).unwrap();
        let host = |arguments: &[&str]| site.console().control(arguments).unwrap().success().unwrap();
        host(&["operator", "create", name, "--role", "approver"]);
        let certificate = host(&["operator", "certificate", name, "--csr", &csr]);
        std::fs::write(this.file("cert.pem"), certificate.stdout).unwrap();
        this
    }

    fn file(&self, what: &str) -> String {
        let path: PathBuf = self.site.path(&format!("{}-{what}", self.name));
        path.to_str().unwrap().to_owned()
    }

    /// Runs a command as this operator, over HTTPS.
    fn says(&self, arguments: &[&str]) -> Finished {
        let console = self.site.console();
        let (root, url) = (
            console.tls_root().unwrap(),
            console.dev_text("/admin/url").unwrap(),
        );
        let mut command = console.command(arguments);
        command.args(["--url", url, "--ca"]).arg(root);
        command.args([
            "--cert",
            &self.file("cert.pem"),
            "--cert-key",
            &self.file("key.pem"),
        ]);
        attempt(&mut command, LIMIT).unwrap()
    }

    /// Approves with the command line, signed with this operator's key.
    fn approve(&self, id: &str, more: &[&str]) -> Finished {
        let key = self.file("key.pem");
        let mut arguments = vec![
            "request",
            "approve",
            id,
            "--comment",
            "looked at",
            "--evidence-key",
            &key,
        ];
        arguments.extend(more);
        self.says(&arguments)
    }

    /// Calls the API with this operator's certificate.
    fn calls(&self, path: &str, body: &Value) -> (u16, Value) {
        let console = self.site.console();
        let root = console.tls_root().unwrap();
        let url = format!("{}/api/v1/{path}", console.dev_text("/admin/url").unwrap());
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--cacert"]).arg(root);
        curl.args(["--cert", &self.file("cert.pem"), "--key", &self.file("key.pem")]);
        curl.args([
            "--header",
            "content-type: application/json",
            "--data",
            &body.to_string(),
        ]);
        curl.args(["--write-out", "\n%{http_code}", &url]);
        let answer = succeed(&mut curl, LIMIT).unwrap().stdout;
        let (body, status) = answer.rsplit_once('\n').unwrap();
        (
            status.trim().parse().unwrap(),
            serde_json::from_str(body).unwrap_or(Value::Null),
        )
    }
}

fn start(certbot: &Certbot, name: &str) -> Running {
    let standalone = certbot.standalone();
    let mut arguments: Vec<&str> = standalone.iter().map(String::as_str).collect();
    arguments.extend(["-d", name]);
    certbot.start("certonly", &arguments).unwrap()
}

/// The id of the one request that waits.
fn waiting_request(site: &Site) -> String {
    until("a request that waits", LIMIT, || {
        let listed = site.console().control(&LIST_AWAITING)?.success()?;
        let list: Value = serde_json::from_str(&listed.stdout).unwrap();
        Ok(list["items"][0]["id"].as_str().map(str::to_owned))
    })
    .unwrap()
}

fn certbot(site: &Site) -> Certbot {
    let at = (&site.gateway, "four-eyes");
    Certbot::new(CertbotRelease::Debian, at, &site.path("certbot")).unwrap()
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn two_operators_approve_one_by_cli_one_by_api_with_a_client_certificate() {
    let site = Site::start().unwrap();
    let (alice, bob) = (Person::new(&site, "alice"), Person::new(&site, "bob"));
    let certbot = certbot(&site);
    let mut running = start(&certbot, "eyes.test");
    let id = waiting_request(&site);

    let first = alice.approve(&id, &[]).success().unwrap();
    assert!(
        first.stdout.contains("operator:alice approve signed"),
        "{}",
        first.text()
    );
    let again = alice.approve(&id, &[]).failure().unwrap();
    assert!(again.stderr.contains("decided_before"), "{}", again.text());
    assert!(running.is_running(), "one of two is not enough");

    let wrong = bob.calls(
        &format!("requests/{id}/approve"),
        &json!({"digest": "00".repeat(32)}),
    );
    assert_eq!((wrong.0, &wrong.1["code"]), (409, &json!("digest_mismatch")));
    let second = bob.calls(&format!("requests/{id}/approve"), &json!({"comment": "and I"}));
    assert_eq!(second.0, 200, "{}", second.1);
    assert_eq!(second.1["proposal"]["state"], "approved");
    running.finish().unwrap().success().unwrap();
    let certificate = certbot.lineage("eyes.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["eyes.test"]));
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn certbot_that_gave_up_passes_with_a_grant() {
    let site = Site::start().unwrap();
    let (alice, bob) = (Person::new(&site, "alice"), Person::new(&site, "bob"));
    let certbot = certbot(&site);
    let running = start(&certbot, "later.test");
    let id = waiting_request(&site);
    // certbot gives up after a while; here it is stopped, and people decide when nobody asks any more.
    drop(running);

    alice.approve(&id, &["--grant"]).success().unwrap();
    let second = bob.calls(
        &format!("requests/{id}/approve"),
        &json!({"grant": {"uses": 1, "days": 7}}),
    );
    assert_eq!(second.0, 200, "{}", second.1);
    assert_eq!(second.1["proposal"]["granted"], json!({"uses": 1, "days": 7}));

    let certificate = certbot.issue(&["later.test"]).unwrap();
    certificate.verify(&site.gateway).unwrap();
    // It was for this name: about another one people are asked.
    let renewal = start(&certbot, "other.test");
    waiting_request(&site);
    drop(renewal);
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn certbot_gets_a_terminal_error_once_one_of_two_denies() {
    let site = Site::start().unwrap();
    let (alice, bob) = (Person::new(&site, "alice"), Person::new(&site, "bob"));
    let certbot = certbot(&site);
    let running = start(&certbot, "denied.test");
    let id = waiting_request(&site);
    alice.approve(&id, &[]).success().unwrap();
    let silent = bob.says(&["request", "reject", &id]).failure().unwrap();
    assert!(silent.stderr.contains("comment_missing"), "{}", silent.text());
    bob.says(&["request", "reject", &id, "--comment", "not ours"])
        .success()
        .unwrap();
    let finished = running.finish().unwrap().failure().unwrap();
    assert!(!finished.text().contains("Timed out"), "{}", finished.text());
    assert!(!certbot.live("denied.test", "cert.pem").exists());
}

/// Where the policy requires evidence, an approval that is not signed does not count, the host's included.
#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn where_evidence_is_required_only_signed_approvals_count() {
    let settings = vec!["approval-policy.four-eyes.evidence=required".to_owned()];
    let site = Site::start_with(settings).unwrap();
    let (alice, bob) = (Person::new(&site, "alice"), Person::new(&site, "bob"));
    let certbot = certbot(&site);
    let running = start(&certbot, "signed.test");
    let id = waiting_request(&site);
    let path = format!("requests/{id}/approve");
    let unsigned = bob.calls(&path, &json!({"comment": "fine"}));
    assert_eq!(
        (unsigned.0, &unsigned.1["code"]),
        (422, &json!("evidence_missing"))
    );
    let host = site
        .console()
        .control(&["request", "approve", &id])
        .unwrap()
        .failure()
        .unwrap();
    assert!(host.stderr.contains("evidence_missing"), "{}", host.text());
    let mut lent = vec!["request", "approve", &id, "--evidence-key"];
    let key = alice.file("key.pem");
    lent.push(&key);
    let lent = bob.says(&lent).failure().unwrap();
    assert!(lent.stderr.contains("evidence_invalid"), "{}", lent.text());
    alice.approve(&id, &[]).success().unwrap();
    bob.approve(&id, &[]).success().unwrap();
    running.finish().unwrap().success().unwrap();
}

/// Who changes an endpoint counts as one of those who ask there.
#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn a_detour_through_an_endpoint_of_ones_own_is_refused() {
    let site = Site::start().unwrap();
    let alice = Person::new(&site, "alice");
    let host = |arguments: &[&str]| site.console().control(arguments).unwrap().success().unwrap();
    let folder = site.path("objects");
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let writer = "rights = [\"configuration.read\", \"configuration.write\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n";
    write("people/roles/writer.toml", writer);
    write("people/operators/alice.toml", &alice_text(&site));
    host(&["apply", "-f", folder.join("people").to_str().unwrap()]);
    write(
        "own/endpoints/acme/four-eyes.toml",
        "profiles = [\"dev\"]\nbackend = \"issuing\"\napproval = \"one\"\n",
    );
    alice
        .says(&["apply", "-f", folder.join("own").to_str().unwrap()])
        .success()
        .unwrap();
    let certbot = certbot(&site);
    let running = start(&certbot, "detour.test");
    let id = waiting_request(&site);
    let refused = alice.approve(&id, &[]).failure().unwrap();
    assert!(refused.stderr.contains("excluded"), "{}", refused.text());
    let shown = host(&["request", "show", &id]);
    assert!(
        shown
            .stdout
            .contains("operator:alice: wrote endpoint acme/four-eyes"),
        "{}",
        shown.text()
    );
    host(&["request", "approve", &id]);
    running.finish().unwrap().success().unwrap();
}

/// The text of alice with one more role.
fn alice_text(site: &Site) -> String {
    let shown = site
        .console()
        .control(&["operator", "show", "alice", "--output", "json"])
        .unwrap()
        .success()
        .unwrap();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let body = shown["body"].as_str().unwrap();
    body.replace("\"approver\"", "\"approver\", \"writer\"")
}
