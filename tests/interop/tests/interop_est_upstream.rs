//! A gateway in front of another one, with EST on both sides: curl and openssl enrol at the front, the other certifies.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use portreeve_harness::process::{DevOptions, Gateway, succeed, until};
use serde_json::Value;
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(120);

/// Two gateways and a folder.
struct Pair {
    /// Dropped first: it asks the other one.
    front: Gateway,
    behind: Gateway,
    folder: TempDir,
}

impl Pair {
    fn start() -> Self {
        let folder = TempDir::with_prefix("portreeve-est-").unwrap();
        let behind = Gateway::start_dev(DevOptions::default()).unwrap();
        let issuer = folder.path().join("issuer.pem");
        std::fs::write(&issuer, issuers(&behind)).unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, behind.dev_text("/est/password").unwrap()).unwrap();
        let url = behind.dev_text("/est/url").unwrap();
        let backend = |name: &str, url: String| {
            format!(
                "backend.{name}={{kind=\"est\",est={{url=\"{url}\",server_ca=\"{root}\",username=\"{user}\",\
                 password={{file=\"{password}\"}},issuer=\"{issuer}\",recognises_repeats=true}}}}",
                root = behind.tls_root().unwrap().display(),
                user = behind.dev_text("/est/username").unwrap(),
                password = password.display(),
                issuer = issuer.display(),
            )
        };
        let settings = vec![
            backend("upstream", url.to_owned()),
            backend("slow", format!("{url}/approval")),
            "endpoint.est.default.backend=\"upstream\"".to_owned(),
            "endpoint.est.approval.backend=\"slow\"".to_owned(),
        ];
        let front = Gateway::start_dev(DevOptions {
            settings,
            ..DevOptions::default()
        });
        Self {
            front: front.unwrap(),
            behind,
            folder,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes `NAME.key` and the body `NAME.b64`.
    fn request(&self, name: &str) {
        let key = self.path(&format!("{name}.key"));
        run(Command::new("openssl")
            .args(["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"])
            .arg(&key));
        self.request_again(name, name);
    }

    /// The body `FILE.b64` of a request for `NAME.example.com` with the key of that name.
    fn request_again(&self, name: &str, file: &str) {
        let host = format!("{name}.example.com");
        let der = self.path(&format!("{file}.csr"));
        run(Command::new("openssl")
            .args([
                "req",
                "-new",
                "-sha256",
                "-outform",
                "DER",
                "-subj",
                &format!("/CN={host}"),
            ])
            .args(["-addext", &format!("subjectAltName=DNS:{host}"), "-key"])
            .arg(self.path(&format!("{name}.key")))
            .arg("-out")
            .arg(&der));
        run(Command::new("openssl")
            .args(["base64", "-A", "-in"])
            .arg(&der)
            .arg("-out")
            .arg(self.path(&format!("{file}.b64"))));
    }

    /// Posts a body to an operation of the front; the status.
    fn post(&self, operation: &str, file: &str, credential: &[&str]) -> String {
        let url = format!("{}/{operation}", self.front.dev_text("/est/url").unwrap());
        let finished = run(Command::new("curl")
            .args([
                "-sS",
                "-w",
                "%{http_code}",
                "-H",
                "Content-Type: application/pkcs10",
                "--cacert",
            ])
            .arg(self.front.tls_root().unwrap())
            .args(credential)
            .arg("--data-binary")
            .arg(format!("@{}", self.path(&format!("{file}.b64")).display()))
            .arg("-o")
            .arg(self.path(&format!("{file}.p7")))
            .arg(url));
        finished.trim().to_owned()
    }

    fn password(&self) -> String {
        let part = |pointer| self.front.dev_text(pointer).unwrap();
        format!("{}:{}", part("/est/username"), part("/est/password"))
    }

    /// Takes the certificate out of an answer, checks that the CA behind issued it, and returns the file.
    fn certificate(&self, file: &str) -> PathBuf {
        let (p7, der, pem) = (
            self.path(&format!("{file}.p7")),
            self.path(&format!("{file}.p7der")),
            self.path(&format!("{file}.pem")),
        );
        run(Command::new("openssl")
            .args(["base64", "-d", "-A", "-in"])
            .arg(&p7)
            .arg("-out")
            .arg(&der));
        run(Command::new("openssl")
            .args(["pkcs7", "-inform", "DER", "-print_certs", "-in"])
            .arg(&der)
            .arg("-out")
            .arg(&pem));
        let issuer = self.path("issuer.pem");
        run(Command::new("openssl")
            .args(["verify", "-CAfile"])
            .arg(&issuer)
            .arg(&pem));
        pem
    }
}

/// The CA certificates of a gateway, from the issuing one to the root.
fn issuers(gateway: &Gateway) -> String {
    let read = |pointer| std::fs::read_to_string(gateway.dev_text(pointer).unwrap()).unwrap();
    let (chain, root) = (read("/ca/chain"), read("/ca/root"));
    if chain.contains(root.trim()) {
        chain
    } else {
        format!("{chain}{root}")
    }
}

fn run(command: &mut Command) -> String {
    succeed(command, LIMIT).unwrap().stdout
}

fn approve(gateway: &Gateway) {
    let id = until("a request that waits", LIMIT, || {
        let arguments = [
            "request",
            "list",
            "--state",
            "awaiting_approval",
            "--output",
            "json",
        ];
        let listed = gateway.control(&arguments)?.success()?;
        let list: Value = serde_json::from_str(&listed.stdout).unwrap_or_default();
        Ok(list["items"][0]["id"].as_str().map(str::to_owned))
    });
    let approved = gateway.control(&["request", "approve", &id.unwrap(), "--comment", "seen", "--yes"]);
    approved.unwrap().success().unwrap();
}

fn serial(certificate: &Path) -> String {
    run(Command::new("openssl")
        .args(["x509", "-noout", "-serial", "-in"])
        .arg(certificate))
}

#[test]
#[ignore = "needs a built gateway and curl: cargo xtask test --only interop"]
fn enrols_and_renews_through_both() {
    let pair = Pair::start();
    let password = pair.password();
    pair.request("a");
    assert_eq!(pair.post("simpleenroll", "a", &["-u", &password]), "200");
    let first = pair.certificate("a");
    assert_eq!(pair.post("simpleenroll", "a", &["-u", &password]), "200");
    assert_eq!(
        serial(&pair.certificate("a")),
        serial(&first),
        "one request, one certificate"
    );
    pair.request_again("a", "again");
    let (cert, key) = (
        first.display().to_string(),
        pair.path("a.key").display().to_string(),
    );
    let shown = ["--cert", cert.as_str(), "--key", key.as_str()];
    assert_eq!(pair.post("simplereenroll", "again", &shown), "200");
    assert_ne!(serial(&pair.certificate("again")), serial(&first));
    pair.request("b");
    assert_eq!(pair.post("simplereenroll", "b", &shown), "403", "another's name");
}

#[test]
#[ignore = "needs a built gateway and curl: cargo xtask test --only interop"]
fn waits_for_people_at_both() {
    let pair = Pair::start();
    let password = pair.password();
    pair.request("w");
    let post = || pair.post("approval/simpleenroll", "w", &["-u", &password]);
    assert_eq!(post(), "202");
    approve(&pair.front);
    approve(&pair.behind);
    until("the certificate", LIMIT, || Ok((post() == "200").then_some(()))).unwrap();
    pair.certificate("w");
}
