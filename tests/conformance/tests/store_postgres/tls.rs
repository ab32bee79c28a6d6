//! TLS: how far a server is checked, and clients with certificates.

use std::path::Path;

use portreeve_harness::postgres::CERTIFIED;
use portreeve_store::StoreUrl;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::*;

fn ca(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, PEM.
fn certified(by: &CertifiedIssuer<'static, KeyPair>, names: &[&str], common_name: &str) -> [String; 2] {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    let key = KeyPair::generate().unwrap();
    [params.signed_by(&key, by).unwrap().pem(), key.serialize_pem()]
}

async fn encrypted(url: &str) -> Result<bool, String> {
    let url = StoreUrl::parse(url, Path::new("/")).unwrap();
    let facts = url.server(Default::default).await.unwrap();
    facts
        .map(|facts| facts.encrypted)
        .map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_checked_as_far_as_asked_and_clients_may_have_certificates() {
    let server = tokio::task::block_in_place(|| PostgresServer::start().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ours, other) = (ca("ours"), ca("another"));
    let [certificate, key] = certified(&ours, &["localhost"], "server");
    server.speak_tls(&certificate, &key, &ours.pem()).unwrap();
    let database = server.database().unwrap().rsplit('/').next().unwrap().to_owned();
    server
        .sql("postgres", &format!("CREATE ROLE {CERTIFIED} LOGIN"))
        .unwrap();

    let (root, wrong) = (file("root.pem", &ours.pem()), file("other.pem", &other.pem()));
    let port = server.port();
    let at = |host: &str, rest: &str| format!("postgres://harness@{host}:{port}/{database}?{rest}");
    let rows = [
        ("plain", at("localhost", "sslmode=disable"), Some(false)),
        ("as it comes", at("localhost", ""), Some(true)),
        ("any server", at("127.0.0.1", "sslmode=require"), Some(true)),
        (
            "of our CA",
            at("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={root}")),
            Some(true),
        ),
        (
            "of another CA",
            at("127.0.0.1", &format!("sslmode=verify-ca&sslrootcert={wrong}")),
            None,
        ),
        (
            "by name",
            at("localhost", &format!("sslmode=verify-full&sslrootcert={root}")),
            Some(true),
        ),
        (
            "another name",
            at("127.0.0.1", &format!("sslmode=verify-full&sslrootcert={root}")),
            None,
        ),
        ("no public CA", at("localhost", "sslmode=verify-full"), None),
    ];
    for (name, url, expected) in rows {
        let found = encrypted(&url).await;
        assert_eq!(found.as_ref().ok(), expected.as_ref(), "{name}: {found:?}");
    }

    let client = |common_name: &str| {
        let [certificate, key] = certified(&ours, &["client"], common_name);
        let certificate = file(&format!("{common_name}.crt"), &certificate);
        let key = file(&format!("{common_name}.key"), &key);
        let rest = format!("sslmode=verify-full&sslrootcert={root}&sslcert={certificate}&sslkey={key}");
        at("localhost", &rest).replace("harness@", &format!("{CERTIFIED}@"))
    };
    assert_eq!(encrypted(&client(CERTIFIED)).await, Ok(true));
    assert!(
        encrypted(&client("somebody")).await.is_err(),
        "a certificate of somebody else"
    );
    let without = at("localhost", &format!("sslmode=verify-full&sslrootcert={root}"));
    let without = without.replace("harness@", &format!("{CERTIFIED}@"));
    assert!(encrypted(&without).await.is_err(), "no certificate");
}
