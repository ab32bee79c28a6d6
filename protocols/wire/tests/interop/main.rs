//! CMS against the `openssl` command.

#![cfg(test)]

mod encryption;
#[path = "../../../pkix/tests/interop/openssl.rs"]
mod openssl;
mod signing;

use openssl::OpenSsl;
use portreeve_pkix::{Certificate, Secret, der};

/// A directory with `NAME.key` of this kind and a self-signed `NAME.pem` and `NAME.der`.
fn with_certificate(name: &str, kind: &str) -> OpenSsl {
    let openssl = OpenSsl::new();
    add_certificate(&openssl, name, kind);
    openssl
}

fn add_certificate(openssl: &OpenSsl, name: &str, kind: &str) {
    openssl.key(name, kind);
    let (key, pem, der) = (
        format!("{name}.key"),
        format!("{name}.pem"),
        format!("{name}.der"),
    );
    let subject = format!("/CN={name}");
    openssl.run(&[
        "req", "-x509", "-key", &key, "-subj", &subject, "-days", "2", "-out", &pem,
    ]);
    openssl.run(&["x509", "-in", &pem, "-outform", "DER", "-out", &der]);
}

fn certificate(openssl: &OpenSsl, name: &str) -> Certificate {
    Certificate::from_der(&openssl.read(&format!("{name}.der"))).expect("certificate")
}

/// The private key in PKCS #8.
fn private_key(openssl: &OpenSsl, name: &str) -> Secret {
    let key = format!("{name}.key");
    Secret::new(openssl.run(&["pkcs8", "-topk8", "-nocrypt", "-in", &key, "-outform", "DER"]))
}

#[test]
fn certificates_both_ways() {
    use portreeve_wire::cms::certs_only;
    let openssl = with_certificate("a", "EC P-256");
    add_certificate(&openssl, "b", "RSA 2048");
    let (a, b) = (certificate(&openssl, "a"), certificate(&openssl, "b"));
    openssl.write("ours.p7", certs_only::encode(&[a.der(), b.der()]));
    let printed = openssl.text(&["pkcs7", "-inform", "DER", "-in", "ours.p7", "-print_certs"]);
    assert_eq!(printed.matches("BEGIN CERTIFICATE").count(), 2, "{printed}");
    let mut all = certs_only::decode(&openssl.read("ours.p7")).expect("reads");
    all.sort_by_key(|certificate| certificate.subject().to_string());
    assert_eq!(all, [a.clone(), b]);
    openssl.run(&[
        "crl2pkcs7",
        "-nocrl",
        "-certfile",
        "b.pem",
        "-certfile",
        "a.pem",
        "-outform",
        "DER",
        "-out",
        "theirs.p7",
    ]);
    let theirs = openssl.read("theirs.p7");
    assert_eq!(certs_only::decode(&theirs).expect("reads").len(), 2);
    assert!(certs_only::decode(&theirs[..theirs.len() - 1]).is_err());
    // With every length left open, as some servers send it.
    let open = [&[0x30, 0x80][..], outer_content(&theirs), &[0, 0]].concat();
    assert_eq!(
        certs_only::decode(&open).expect("reads"),
        certs_only::decode(&theirs).expect("reads")
    );
    assert!(certs_only::decode(&der::sequence(&[a.der()])).is_err());
}

fn outer_content(input: &[u8]) -> &[u8] {
    der::Reader::new(input).any().expect("element").content
}
