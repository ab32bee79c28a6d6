//! What an operator does with certificates, with the real program on a gateway of `dev`: find, look, download, hold,
//! release, revoke; and what OpenSSL reads in the CRL after each step.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use portreeve::{
    ClientError, ControlClient, DevAddresses, Mode, Running, StartOptions, dev_configuration, start,
};
use portreeve_pkix::{DnsName, Identifier, PublicKey};
use portreeve_ra::accounts::{Change, OpenAccount};
use portreeve_ra::proofs::NewProof;
use portreeve_ra::{
    Alongside, ClaimHandle, Credential, Disposition, EndpointName, EnrollmentRequest, Operation, Origin,
    Requester,
};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

async fn gateway(data_dir: &Path) -> Running {
    start(StartOptions {
        config: dev_configuration(data_dir, DevAddresses::remembered(), &[]).unwrap(),
        mode: Mode::Dev,
        program: Some(PROGRAM.into()),
        ..StartOptions::default()
    })
    .await
    .unwrap()
}

/// Certificates for these names, filed with the RA as an edge does; their serial numbers.
async fn issue(running: &Running, names: &[&str]) -> Vec<String> {
    let ra = running.ra();
    let endpoint = EndpointName::new("acme/default").unwrap();
    let account_key = rcgen::KeyPair::generate().unwrap();
    let account_key =
        PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&account_key)).unwrap();
    let opening = OpenAccount {
        endpoint: endpoint.clone(),
        key: account_key.clone(),
        contacts: Vec::new(),
        agreed: true,
        change: Change {
            origin: Origin::node(ra.node()),
            alongside: Alongside::default(),
        },
    };
    let (account, ..) = ra.open_account(opening, None).await.unwrap();
    let mut serials = Vec::new();
    for name in names {
        let proof = NewProof {
            requester: Requester::Account(account),
            identifier: Identifier::Dns(DnsName::parse(name).unwrap()),
            method: "test".to_owned(),
            evidence: String::new(),
            until: ra.now().saturating_add(Duration::from_secs(3600)),
            origin: Origin::node(ra.node()),
            alongside: Alongside::default(),
        };
        ra.proofs().record(proof).await.unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec![(*name).to_owned()]).unwrap();
        let enrollment = EnrollmentRequest {
            endpoint: endpoint.clone(),
            operation: Operation::Enroll,
            credential: Credential::Account {
                account,
                key: account_key.clone(),
            },
            handle: ClaimHandle(name.as_bytes().to_vec()).into(),
            request: params.serialize_request(&key).unwrap().der().to_vec(),
            channel: None,
            key_maker: None,
            profile_hint: None,
            not_before: None,
            not_after: None,
            origin: Origin::node(ra.node()),
            alongside: Alongside::default(),
        };
        match ra.enroll(enrollment).await.unwrap() {
            Disposition::Issued(issuance) => serials.push(issuance.certificate.serial().to_hex()),
            other => panic!("{other:?}"),
        }
    }
    serials
}

/// The program on the gateway's control socket.
struct Operator(String);

impl Operator {
    async fn run(&self, arguments: &[&str]) -> Output {
        let (noun, rest) = arguments.split_first().unwrap();
        let mut command = Command::new(PROGRAM);
        command.args([*noun, "--socket", self.0.as_str()]).args(rest);
        // The gateway lives in this process and goes on answering meanwhile.
        tokio::task::spawn_blocking(move || command.output().unwrap())
            .await
            .unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--output", "json"]].concat()).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What it says when it fails, with its exit code.
    async fn failure(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.run(arguments).await;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code().unwrap(), said)
    }

    async fn found(&self, query: &str) -> Vec<String> {
        let found = self.json(&["cert", "search", query]).await;
        assert_eq!(found["next_cursor"], Value::Null, "{query}");
        let items = found["items"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["serial"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// What OpenSSL makes of this input.
fn openssl(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn list(running: &Running) -> Vec<u8> {
    let mut stream = TcpStream::connect(running.addresses()["http"]).await.unwrap();
    let request = "GET /crl/issuing.crl HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    answer[end + 4..].to_vec()
}

/// Waits for the CRL to say this of a serial number: its reason, or nothing.
async fn listed(running: &Running, serial: &str, reason: Option<&str>) {
    let started = Instant::now();
    loop {
        let text = openssl(
            &["crl", "-inform", "DER", "-noout", "-text"],
            &list(running).await,
        );
        let mut entries = text.split("Serial Number: ").skip(1);
        let entry = entries.find(|entry| entry.to_lowercase().starts_with(serial));
        let is_so = match (entry, reason) {
            (None, None) => true,
            (Some(entry), Some(reason)) => entry.contains(reason),
            _ => false,
        };
        if is_so {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(30),
            "never {reason:?}: {text}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_found_held_released_and_revoked() {
    let directory = tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap();
    let running = gateway(directory.path()).await;
    let operator = Operator(running.control_socket().to_str().unwrap().to_owned());
    let serials = issue(&running, &["web.test", "mail.test"]).await;
    let [web, mail] = serials.as_slice() else {
        panic!("{serials:?}")
    };

    for query in [
        "san=web.test",
        r#"san~"WEB" and status=valid and expires<100d and protocol=acme"#,
    ] {
        assert_eq!(operator.found(query).await, std::slice::from_ref(web), "{query}");
    }
    assert_eq!(
        operator.found(&format!("serial={web}")).await,
        std::slice::from_ref(web)
    );
    let (code, said) = operator
        .failure(&["cert", "search", "san~web and colour=red"])
        .await;
    assert!(
        code == 1 && said.contains("at character 13") && said.contains("bad_query"),
        "{said}"
    );
    let requests = operator
        .json(&["request", "list", "-q", "san=mail.test", "--state", "issued"])
        .await;
    assert_eq!(requests["items"].as_array().unwrap().len(), 1, "{requests}");

    let shown = operator.json(&["cert", "show", web]).await;
    assert_eq!(
        (&shown["status"], &shown["names"][0]),
        (&"valid".into(), &"web.test".into())
    );
    let p7b = operator
        .run(&["cert", "download", web, "--as", "p7b"])
        .await
        .stdout;
    let inside = openssl(&["pkcs7", "-inform", "DER", "-print_certs", "-noout"], &p7b);
    assert_eq!(inside.matches("issuer=").count(), 2, "it and its CA: {inside}");
    let chain = operator
        .run(&["cert", "download", web, "--as", "chain"])
        .await
        .stdout;
    let own = openssl(&["x509", "-noout", "-serial"], &chain).to_lowercase();
    assert_eq!(own.trim(), format!("serial={web}"));

    let hold = ["cert", "hold", web, "--comment", "lost"];
    let (code, said) = operator.failure(&hold).await;
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let held = operator.json(&[&hold[..], &["--yes"]].concat()).await;
    assert_eq!(held["status"], "held", "{held}");
    listed(&running, web, Some("Certificate Hold")).await;
    assert_eq!(operator.found("status=held").await, std::slice::from_ref(web));
    let (code, said) = operator.failure(&["cert", "release", mail, "--yes"]).await;
    assert!(code == 1 && said.contains("not_held"), "{said}");

    let released = operator.json(&["cert", "release", web, "--yes"]).await;
    assert_eq!(released["status"], "valid", "{released}");
    listed(&running, web, None).await;

    operator.json(&[&hold[..], &["--yes"]].concat()).await;
    let revoked = operator
        .json(&["cert", "revoke", web, "--reason", "superseded", "--yes"])
        .await;
    assert_eq!(revoked["revocation_reason"], "superseded", "{revoked}");
    listed(&running, web, Some("Superseded")).await;
    for again in [
        &["cert", "release", web, "--yes"][..],
        &["cert", "hold", web, "--yes"][..],
    ] {
        let (code, said) = operator.failure(again).await;
        assert!(
            code == 1 && (said.contains("not_held") || said.contains("already_revoked")),
            "{said}"
        );
    }
    let (code, said) = operator
        .failure(&["cert", "revoke", mail, "--reason", "boredom", "--yes"])
        .await;
    assert!(
        code == 1 && said.contains("malformed") && said.contains("keyCompromise"),
        "{said}"
    );

    let all = [
        "cert",
        "revoke-all",
        "san~test",
        "--reason",
        "cessationOfOperation",
    ];
    let preview = operator.json(&[&all[..], &["--dry-run"]].concat()).await;
    assert_eq!(
        (&preview["count"], &preview["complete"]),
        (&1.into(), &true.into()),
        "{preview}"
    );
    assert_eq!(
        operator.found("status=valid").await,
        std::slice::from_ref(mail),
        "nothing has changed"
    );
    let outcome = operator.json(&[&all[..], &["--yes"]].concat()).await;
    assert_eq!(
        (&outcome["revoked"], &outcome["items"][0]["outcome"]),
        (&1.into(), &"revoked".into())
    );
    listed(&running, mail, Some("Cessation Of Operation")).await;
    listed(&running, web, Some("Superseded")).await;
    refusals(&running, (web, &preview)).await;
    running.stop().await;
}

/// What the API says to what is wrong.
async fn refusals(running: &Running, (serial, preview): (&str, &Value)) {
    let client = ControlClient::new(running.control_socket());
    let problem = |answer: Result<Value, ClientError>| match answer {
        Err(ClientError::Problem(problem)) => (problem.status, problem.code, problem.position),
        other => panic!("{other:?}"),
    };
    let reads = [
        ("certificates?q=cn", (400, "bad_query", Some(2))),
        (
            "certificates?q=cn~%22%27%20OR%201=1%22&cursor=00",
            (400, "bad_cursor", None),
        ),
        ("certificates?cursor=zz", (400, "bad_cursor", None)),
        ("certificates?colour=red", (400, "malformed", None)),
        ("requests?q=expires%3C30d", (400, "bad_query", Some(0))),
        ("requests?colour=red", (400, "malformed", None)),
        ("certificates/00ff", (404, "not_found", None)),
        ("certificates/web", (404, "not_found", None)),
        ("certificates/0a0b/certificate.exe", (404, "not_found", None)),
    ];
    for (path, (status, code, position)) in reads {
        let answer = problem(client.read(&format!("/api/v1/{path}")).await);
        assert_eq!(answer, (status, code.to_owned(), position), "{path}");
    }
    let other = problem(
        client
            .read(&format!("/api/v1/certificates/{serial}?backend=other"))
            .await,
    );
    assert_eq!(other.0, 404, "of another CA");
    let wrong = serde_json::json!({"expected_serial": "0a0b"});
    let answer = problem(
        client
            .post(&format!("/api/v1/certificates/{serial}/hold"), &wrong)
            .await,
    );
    assert_eq!((answer.0, answer.1.as_str()), (409, "serial_mismatch"));
    let mut body = serde_json::json!({
        "requests": [preview["items"][0]["request"]], "reason": "superseded", "digest": preview["digest"],
    });
    let answer = problem(client.post("/api/v1/certificates/revoke", &body).await);
    assert_eq!(
        (answer.0, answer.1.as_str()),
        (409, "selection_mismatch"),
        "another reason"
    );
    body["reason"] = "cessationOfOperation".into();
    let outcome: Value = client.post("/api/v1/certificates/revoke", &body).await.unwrap();
    assert_eq!(outcome["items"][0]["outcome"], "already_revoked", "{outcome}");
    let empty = serde_json::json!({"query": " ", "reason": "superseded"});
    let answer = problem(client.post("/api/v1/certificates/revoke/preview", &empty).await);
    assert_eq!((answer.0, answer.1.as_str()), (400, "malformed"));
}
