//! EST with curl and OpenSSL: every operation, with both versions of TLS.

#![cfg(test)]

use portreeve_harness::clients::{CurlAnswer, CurlEst, openssl};
use portreeve_interop::Site;

const P256: [&str; 4] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
const RSA: [&str; 2] = ["-newkey", "rsa:2048"];

fn client(site: &Site, label: &str, options: &[&str]) -> CurlEst {
    let mut curl = CurlEst::new((&site.gateway, label), &site.path(&format!("curl-{label}"))).unwrap();
    curl.options = options.iter().map(|option| (*option).to_owned()).collect();
    curl
}

fn expect(answer: CurlAnswer, status: u16, content_type: &str) -> CurlAnswer {
    assert_eq!(
        answer.status, status,
        "{}\n{}\n{}",
        answer.header, answer.body, answer.trace
    );
    if !content_type.is_empty() {
        let line = format!("Content-Type: {content_type}\r");
        assert!(answer.header.contains(&line), "{}", answer.header);
    }
    assert!(
        !answer.header.contains("Transfer-Encoding: chunked"),
        "{}",
        answer.header
    );
    assert!(answer.header.len() < 1024, "{}", answer.header);
    answer
}

fn is_wrapped(body: &str) -> bool {
    body.trim_end().contains('\n')
}

/// Every operation, with a key of this kind.
fn works(site: &Site, options: &[&str], kind: &[&str]) {
    let curl = client(site, "default", options);
    let user = curl.user();
    let cacerts = expect(curl.call("cacerts", &[]).unwrap(), 200, "application/pkcs7-mime");
    curl.keep(&cacerts.body, "ca").unwrap();

    let csrattrs = expect(curl.call("csrattrs", &user).unwrap(), 200, "application/csrattrs");
    std::fs::write(curl.text("attrs"), csrattrs.body.trim()).unwrap();
    openssl(&[
        "base64",
        "-d",
        "-A",
        "-in",
        &curl.text("attrs"),
        "-out",
        &curl.text("attrs.der"),
    ])
    .unwrap();
    let parsed = openssl(&["asn1parse", "-inform", "DER", "-in", &curl.text("attrs.der")]).unwrap();
    assert!(parsed.contains("X509v3") || parsed.contains("OBJECT"), "{parsed}");

    curl.request("c", kind, ("/CN=c1", "DNS:c1.example")).unwrap();
    let content_type = "application/pkcs7-mime; smime-type=certs-only";
    let one = expect(
        curl.post("simpleenroll", "c.b64", &user).unwrap(),
        200,
        content_type,
    );
    assert!(!is_wrapped(&one.body), "{}", one.body);
    let first = curl.keep(&one.body, "c").unwrap();
    assert!(first.names.contains("c1.example"), "{:?}", first.names);
    openssl(&["verify", "-CAfile", &curl.text("ca.pem"), &curl.text("c.pem")]).unwrap();
    let lines = expect(
        curl.post("simpleenroll", "c.64", &user).unwrap(),
        200,
        content_type,
    );
    assert!(is_wrapped(&lines.body), "{}", lines.body);

    let holder = ["--cert", &curl.text("c.pem"), "--key", &curl.text("c.key")];
    let again = expect(
        curl.post("simplereenroll", "c.b64", &holder).unwrap(),
        200,
        content_type,
    );
    let renewed = curl.keep(&again.body, "c2").unwrap();
    assert_eq!(renewed.names, first.names);
    assert_ne!(renewed.serial, first.serial);

    let made = expect(curl.post("serverkeygen", "c.b64", &user).unwrap(), 200, "");
    assert!(
        made.header.contains("Content-Type: multipart/mixed"),
        "{}",
        made.header
    );
    let parts: Vec<&str> = made.body.split("\r\n\r\n").collect();
    assert!(parts[0].contains("application/pkcs8"), "{}", parts[0]);
    let key = parts[1].split("\r\n--").next().unwrap();
    std::fs::write(curl.text("k.b64"), key).unwrap();
    openssl(&[
        "base64",
        "-d",
        "-A",
        "-in",
        &curl.text("k.b64"),
        "-out",
        &curl.text("k.der"),
    ])
    .unwrap();
    let public = openssl(&["pkey", "-inform", "DER", "-in", &curl.text("k.der"), "-pubout"]).unwrap();
    curl.keep(parts[2].split("--").next().unwrap(), "k").unwrap();
    assert_eq!(
        public,
        openssl(&["x509", "-noout", "-pubkey", "-in", &curl.text("k.pem")]).unwrap()
    );

    expect(
        curl.post("simpleenroll", "c.b64", &[]).unwrap(),
        401,
        "text/plain; charset=utf-8",
    );
    expect(
        curl.post("simplereenroll", "c.b64", &user).unwrap(),
        403,
        "text/plain; charset=utf-8",
    );
    let nowhere = client(site, "nowhere", options);
    expect(
        nowhere.call("cacerts", &[]).unwrap(),
        404,
        "text/plain; charset=utf-8",
    );
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn every_operation_works_with_either_version_of_tls() {
    let site = Site::start().unwrap();
    for version in [&["--tlsv1.3"][..], &["--tls-max", "1.2"]] {
        works(&site, version, &P256);
        works(&site, version, &RSA);
    }
    works(&site, &["--http1.1"], &["-newkey", "ed25519"]);
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn every_operation_works_where_an_edge_only_receives() {
    let site = Site::start_nodes().unwrap();
    works(&site, &["--tlsv1.3"], &P256);
    works(&site, &["--tls-max", "1.2"], &RSA);
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn who_asks_first_is_told_and_goes_on_with_the_same_connection() {
    let site = Site::start().unwrap();
    let curl = client(&site, "default", &["--anyauth"]);
    curl.request("a", &P256, ("/CN=a1", "DNS:a1.example")).unwrap();
    let answer = curl.post("simpleenroll", "a.64", &curl.user()).unwrap();
    let answer = expect(answer, 200, "application/pkcs7-mime; smime-type=certs-only");
    assert!(answer.trace.contains("401 Unauthorized"), "{}", answer.trace);
    assert!(
        answer.trace.contains("WWW-Authenticate: Basic"),
        "{}",
        answer.trace
    );
    assert!(
        answer.trace.contains("Re-using existing connection"),
        "{}",
        answer.trace
    );
    let mut digest = client(&site, "default", &["--digest"]);
    digest.options.push("--http1.1".to_owned());
    expect(
        digest.post("simpleenroll", "a.64", &digest.user()).unwrap(),
        401,
        "",
    );
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn what_waits_is_fetched_by_the_same_request() {
    let site = Site::start().unwrap();
    let curl = client(&site, "approval", &[]);
    curl.request("w", &P256, ("/CN=w2", "DNS:w2.example")).unwrap();
    let waits = expect(curl.post("simpleenroll", "w.b64", &curl.user()).unwrap(), 202, "");
    assert!(waits.header.contains("Retry-After: "), "{}", waits.header);
    let id = site.waiting_request().unwrap();
    let approve = ["request", "approve", &id, "--yes"];
    site.console().control(&approve).unwrap().success().unwrap();
    let issued =
        portreeve_harness::process::until("the certificate", portreeve_harness::pace::PATIENCE, || {
            let answer = curl.post("simpleenroll", "w.b64", &curl.user())?;
            Ok((answer.status != 202).then_some(answer))
        });
    let issued = expect(issued.unwrap(), 200, "");
    curl.keep(&issued.body, "w").unwrap();
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn a_client_without_the_extended_master_secret_is_refused_where_it_is_required() {
    let site = Site::start_with(vec!["server.listeners.public.require_ems=true".to_owned()]).unwrap();
    let url = site.gateway.dev_text("/est/url").unwrap();
    let host = url.trim_start_matches("https://").split('/').next().unwrap();
    let connect = |more: &[&str]| {
        let words = ["s_client", "-connect", host, "-tls1_2", "-brief", "-no_ign_eof"];
        openssl(&[&words, more].concat())
    };
    connect(&[]).unwrap();
    assert!(connect(&["-no_ems"]).is_err());
}
