//! Client certificates: those of the management CA alone, of the operator whose they are.

use portreeve_pkix::{Certificate, pem};
use rcgen::PublicKeyData;
use serde_json::json;

use super::caller::Identity;
use super::*;

/// A key with a certificate of the management CA, which the operator signs in with from now on.
async fn certified(running: &Running, name: &str) -> Identity {
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    let request = request.serialize_request(&key).unwrap().pem().unwrap();
    let path = format!("operators/{name}/certificates");
    let named = admin(running).post(&path, json!({"request": request})).await;
    assert_eq!(named.status, 200, "{}", named.body);
    let text = named.body["certificate"].as_str().unwrap();
    Identity {
        chain: pem::decode_all("CERTIFICATE", text).unwrap(),
        key,
    }
}

/// The same key with a certificate of a CA of the same name that is another's.
fn forged(running: &Running, of: &Identity) -> Identity {
    let root = std::fs::read_to_string(&running.manifest().unwrap().tls_root).unwrap();
    let root = pem::decode_all("CERTIFICATE", &root).unwrap().remove(0);
    let name = Certificate::from_der(&root)
        .unwrap()
        .subject()
        .common_names()
        .next()
        .unwrap()
        .to_owned();
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    ca.distinguished_name = rcgen::DistinguishedName::new();
    ca.distinguished_name.push(rcgen::DnType::CommonName, name);
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    ca.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let mut own = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    own.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    let signed = own.signed_by(&of.key, &issuer).unwrap();
    Identity {
        chain: vec![signed.der().to_vec()],
        key: rcgen::KeyPair::try_from(of.key.serialize_der().as_slice()).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_signs_in_whose_key_or_names_the_operator_has() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    operator(&running, "alice", &["reader"]).await;
    let identity = certified(&running, "alice").await;
    let alice = Caller::with_certificate(&running, &identity);
    let who = alice.get("whoami").await;
    assert_eq!(who.body["principal"], "operator:alice", "{}", who.body);
    assert_eq!(who.body["method"], "certificate");
    let spki = portreeve_pkix::sha256(&identity.key.subject_public_key_info());
    assert_eq!(who.body["key_sha256"], hex::encode(spki));

    let forged = Caller::with_certificate(&running, &forged(&running, &identity));
    assert_problem(
        &forged.get("whoami").await,
        (401, "bad_credentials"),
        "another CA",
    );
    // It does not stand in the way of something better, and makes nothing better.
    let beside = forged.password("alice", PASSWORD);
    assert_eq!(beside.get("whoami").await.body["method"], "password");

    let put = |text: String| {
        let admin = admin(&running).header("if-match", "*");
        async move {
            admin
                .call("PUT", "operators/alice", &json!({"body": text}))
                .await
                .status
        }
    };
    let own = Certificate::from_der(&identity.chain[0]).unwrap();
    let names = |subject: &str| {
        let issuer = own.issuer().to_string().to_uppercase();
        format!("roles = [\"reader\"]\ncertificates = [{{ issuer = \"{issuer}\", subject = \"{subject}\" }}]")
    };
    assert_eq!(put(names("cn=ALICE")).await, 200);
    assert_eq!(alice.get("whoami").await.status, 200, "names in another case");
    assert_eq!(put(names("CN=mallory")).await, 200);
    assert_problem(
        &alice.get("whoami").await,
        (401, "bad_credentials"),
        "another subject",
    );
    assert_eq!(put(names("CN=alice") + "\ndisabled = true").await, 200);
    assert_problem(&alice.get("whoami").await, (401, "bad_credentials"), "disabled");
    assert_eq!(put(names("CN=alice")).await, 200);
    assert_eq!(alice.get("whoami").await.status, 200);
    // One that two operators claim is nobody's.
    let second = certified(&running, "alice").await;
    let spki = hex::encode(portreeve_pkix::sha256(&second.key.subject_public_key_info()));
    let twin = format!("certificates = [{{ spki = \"{spki}\" }}]");
    let twin = json!({"name": "twin", "body": twin});
    assert_eq!(admin(&running).post("operators", twin).await.status, 201);
    let caller = Caller::with_certificate(&running, &second);
    assert_problem(
        &caller.get("whoami").await,
        (401, "bad_credentials"),
        "claimed by two",
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_token_needs_its_certificate_and_may_carry_more() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    operator(&running, "alice", &["ra-officer"]).await;
    operator(&running, "bob", &["ra-officer"]).await;
    let (mine, theirs) = (
        certified(&running, "alice").await,
        certified(&running, "bob").await,
    );
    let alice = Caller::with_certificate(&running, &mine);
    let spki = hex::encode(portreeve_pkix::sha256(&mine.key.subject_public_key_info()));
    let wanted = json!({"scopes": ["request.approve", "configuration.write"], "bound_to": spki});
    let text = token(&alice, wanted).await;
    let who = alice.token(&text).get("whoami").await;
    assert_eq!(
        who.body["rights"],
        json!(["request.approve", "configuration.write"])
    );
    let alone = Caller::new(&running).token(&text).get("whoami").await;
    assert_problem(&alone, (401, "bad_credentials"), "without the certificate");
    let other = Caller::with_certificate(&running, &theirs)
        .token(&text)
        .get("whoami")
        .await;
    assert_problem(&other, (401, "bad_credentials"), "with another's");
    let forged = Caller::with_certificate(&running, &forged(&running, &mine)).token(&text);
    assert_problem(
        &forged.get("whoami").await,
        (401, "bad_credentials"),
        "with one of another CA",
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_enforce_x509_certificates_alone_count() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let password = operator(&running, "alice", &["reader"]).await;
    let identity = certified(&running, "alice").await;
    let text = token(&password, json!({"scopes": ["request.read"]})).await;
    running.stop().await;

    let running = gateway(directory.path(), &["auth.enforce_x509=true"]).await;
    let (nobody, alice) = (
        Caller::new(&running),
        Caller::with_certificate(&running, &identity),
    );
    let needed = (401, "certificate_required");
    assert_problem(&nobody.get("whoami").await, needed, "nothing");
    assert_problem(
        &nobody.password("alice", PASSWORD).get("whoami").await,
        needed,
        "a password",
    );
    assert_problem(
        &alice.password("alice", PASSWORD).get("whoami").await,
        needed,
        "a password beside it",
    );
    assert_problem(&nobody.token(&text).get("whoami").await, needed, "a token");
    assert_problem(&admin(&running).get("whoami").await, needed, "the token of dev");
    assert_eq!(alice.get("whoami").await.body["method"], "certificate");
    let both = alice.token(&text).get("whoami").await;
    assert_eq!(
        both.body["rights"],
        json!(["request.read"]),
        "a token narrows what its owner may"
    );
    let file = running.manifest().unwrap().admin.clone().unwrap().token_file;
    let foreign = alice
        .token(&std::fs::read_to_string(file).unwrap())
        .get("whoami")
        .await;
    assert_problem(&foreign, (401, "bad_credentials"), "a token of somebody else");
    let host = ControlClient::new(running.control_socket());
    let who: Value = host.read("/api/v1/whoami").await.unwrap();
    assert_eq!(who["principal"], "host:root");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_enforce_x509_who_has_a_password_alone_is_no_superadmin_who_is_left() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    operator(&running, "sue", &["superadmin"]).await;
    let identity = certified(&running, "sue").await;
    running.stop().await;
    for (settings, status) in [(&["auth.enforce_x509=true"][..], 409), (&[], 200)] {
        let running = gateway(directory.path(), settings).await;
        let sue = Caller::with_certificate(&running, &identity);
        let left = sue.post("operators/sue/disable", json!({})).await;
        assert_eq!(left.status, status, "{settings:?}: {}", left.body);
        if status == 409 {
            assert_problem(&left, (409, "last_superadmin"), "`admin` has a password");
        }
        running.stop().await;
    }
}
