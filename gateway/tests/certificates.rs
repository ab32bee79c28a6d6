//! What an operator does with certificates, with the real program on a gateway of `dev`: find, look, download, hold,
//! release, revoke; and what OpenSSL reads in the CRL after each step.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod dev;
mod host;

use std::io::Write;
use std::process::{Command, Stdio};

use dev::{home, options};
use host::Host;
use portreeve::{ClientError, ControlClient, Running, start};
use portreeve_harness::authority::{TestAccount, csr};
use portreeve_harness::http::get;
use portreeve_harness::pace::until;
use portreeve_ra::{Disposition, EndpointName};
use serde_json::Value;

/// Certificates for these names, filed with the RA as an edge does; their serial numbers.
async fn issue(running: &Running, names: &[&str]) -> Vec<String> {
    let (ra, endpoint) = (running.ra(), EndpointName::new("acme/default").unwrap());
    let account = TestAccount::open(ra, &endpoint, None).await;
    account.prove(ra, names).await;
    let mut serials = Vec::new();
    for name in names {
        let order = account.order(ra, &endpoint, (name, csr(name)));
        match ra.enroll(order).await.unwrap() {
            Disposition::Issued(issuance) => serials.push(issuance.certificate.serial().to_hex()),
            other => panic!("{other:?}"),
        }
    }
    serials
}

/// The serial numbers that a search finds.
async fn found(host: &Host, query: &str) -> Vec<String> {
    let found = host.json(&["cert", "search", query]).await;
    assert_eq!(found["next_cursor"], Value::Null, "{query}");
    let items = found["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["serial"].as_str().unwrap().to_owned())
        .collect()
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

/// Waits for the CRL to say this of a serial number: its reason, or nothing.
async fn listed(running: &Running, serial: &str, reason: Option<&str>) {
    until(&format!("{serial} on the list: {reason:?}"), || async {
        let (_, list) = get(running.addresses()["http"], "/crl/issuing.crl").await;
        let text = openssl(&["crl", "-inform", "DER", "-noout", "-text"], &list);
        let mut entries = text.split("Serial Number: ").skip(1);
        let entry = entries.find(|entry| entry.to_lowercase().starts_with(serial));
        let is_so = match (entry, reason) {
            (None, None) => true,
            (Some(entry), Some(reason)) => entry.contains(reason),
            _ => false,
        };
        is_so.then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_found_held_released_and_revoked() {
    let directory = home();
    let running = start(options(directory.path(), &[])).await.unwrap();
    let host = Host::by("--socket", running.control_socket());
    let serials = issue(&running, &["web.test", "mail.test"]).await;
    let [web, mail] = serials.as_slice() else {
        panic!("{serials:?}")
    };

    for query in [
        "san=web.test",
        r#"san~"WEB" and status=valid and expires<100d and protocol=acme"#,
    ] {
        assert_eq!(found(&host, query).await, std::slice::from_ref(web), "{query}");
    }
    assert_eq!(
        found(&host, &format!("serial={web}")).await,
        std::slice::from_ref(web)
    );
    let (code, said) = host.failure(&["cert", "search", "san~web and colour=red"]).await;
    assert!(
        code == 1 && said.contains("at character 13") && said.contains("bad_query"),
        "{said}"
    );
    let requests = host
        .json(&["request", "list", "-q", "san=mail.test", "--state", "issued"])
        .await;
    assert_eq!(requests["items"].as_array().unwrap().len(), 1, "{requests}");

    let shown = host.json(&["cert", "show", web]).await;
    assert_eq!(
        (&shown["status"], &shown["names"][0]),
        (&"valid".into(), &"web.test".into())
    );
    let p7b = host.run(&["cert", "download", web, "--as", "p7b"]).await.stdout;
    let inside = openssl(&["pkcs7", "-inform", "DER", "-print_certs", "-noout"], &p7b);
    assert_eq!(inside.matches("issuer=").count(), 2, "it and its CA: {inside}");
    let chain = host.run(&["cert", "download", web, "--as", "chain"]).await.stdout;
    let own = openssl(&["x509", "-noout", "-serial"], &chain).to_lowercase();
    assert_eq!(own.trim(), format!("serial={web}"));

    let hold = ["cert", "hold", web, "--comment", "lost"];
    let (code, said) = host.failure(&hold).await;
    assert!(code == 2 && said.contains("--yes"), "{said}");
    let held = host.json(&[&hold[..], &["--yes"]].concat()).await;
    assert_eq!(held["status"], "held", "{held}");
    listed(&running, web, Some("Certificate Hold")).await;
    assert_eq!(found(&host, "status=held").await, std::slice::from_ref(web));
    let (code, said) = host.failure(&["cert", "release", mail, "--yes"]).await;
    assert!(code == 1 && said.contains("not_held"), "{said}");

    let released = host.json(&["cert", "release", web, "--yes"]).await;
    assert_eq!(released["status"], "valid", "{released}");
    listed(&running, web, None).await;

    host.json(&[&hold[..], &["--yes"]].concat()).await;
    let revoked = host
        .json(&["cert", "revoke", web, "--reason", "superseded", "--yes"])
        .await;
    assert_eq!(revoked["revocation_reason"], "superseded", "{revoked}");
    listed(&running, web, Some("Superseded")).await;
    for again in [
        &["cert", "release", web, "--yes"][..],
        &["cert", "hold", web, "--yes"][..],
    ] {
        let (code, said) = host.failure(again).await;
        assert!(
            code == 1 && (said.contains("not_held") || said.contains("already_revoked")),
            "{said}"
        );
    }
    let (code, said) = host
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
    let preview = host.json(&[&all[..], &["--dry-run"]].concat()).await;
    assert_eq!(
        (&preview["count"], &preview["complete"]),
        (&1.into(), &true.into()),
        "{preview}"
    );
    assert_eq!(
        found(&host, "status=valid").await,
        std::slice::from_ref(mail),
        "nothing has changed"
    );
    let outcome = host.json(&[&all[..], &["--yes"]].concat()).await;
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
