//! Case 6: keys that the gateway makes (RFC 7030 section 4.4).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Answer, Client, Csr};
use portreeve_pkix::{Certificate, Secret, der};
use portreeve_wire::cms::certs_only;
use portreeve_wire::est::multipart;

use super::support::{control, dev, enrolled, fresh, json, poll, waiting};

/// id-aa-decryptKeyID
const SHARED: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 37];
/// id-aa-asymmDecryptKeyID
const ASYMMETRIC: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 54];

/// The key part and the certificate of an answer.
#[track_caller]
fn parts(answer: Answer) -> (multipart::Part, Certificate) {
    let received = answer.expect(200).0;
    let content_type = received.header("content-type").unwrap();
    assert!(content_type.starts_with("multipart/mixed"), "{content_type}");
    let [key, certificate] = multipart::decode(content_type, &received.body).unwrap();
    assert_eq!(
        certificate.content_type,
        "application/pkcs7-mime; smime-type=certs-only"
    );
    let mut certificates = certs_only::decode(certificate.octets.expose()).unwrap();
    assert_eq!(certificates.len(), 1);
    (key, certificates.remove(0))
}

#[track_caller]
fn plain(answer: Answer) -> (Secret, Certificate) {
    let (key, certificate) = parts(answer);
    assert_eq!(key.content_type, "application/pkcs8");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.octets.expose()).unwrap();
    assert_eq!(certificate.public_key().key_octets(), pair.public_key().as_ref());
    (key.octets, certificate)
}

#[test]
fn rfc_7030_section_4_4_a_key_and_its_certificate() {
    let site = Site::shared();
    let name = fresh("made");
    let csr = Csr::new(&name, &[&name]);
    let (_, certificate) = plain(dev(site).post("serverkeygen", &csr.der()));
    assert_ne!(
        certificate.public_key().key_octets(),
        csr.key().public_key_raw(),
        "not the client's"
    );
    assert_eq!(
        certificate.subject().common_names().collect::<Vec<_>>(),
        [name.as_str()]
    );
    assert_eq!(certificate.names().len(), 1);
}

#[test]
fn every_request_has_a_fresh_key_and_an_undelivered_certificate_is_revoked() {
    let site = Site::shared();
    let name = fresh("again");
    let csr = Csr::new(&name, &[&name]).der();
    let (first_key, first) = plain(dev(site).post("serverkeygen", &csr));
    let (second_key, second) = plain(dev(site).post("serverkeygen", &csr));
    assert_ne!(first_key, second_key);
    assert_ne!(first.public_key(), second.public_key());
    assert_ne!(first.serial(), second.serial());
}

#[test]
fn the_same_request_twice_at_once_leaves_one_certificate() {
    let site = Site::shared();
    for _ in 0..3 {
        let name = fresh("twice");
        let csr = Csr::new(&name, &[&name]).der();
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let ask = || dev(site).post("serverkeygen", &csr);
            let asking = [scope.spawn(ask), scope.spawn(ask)];
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let mut delivered = Vec::new();
        for answer in answers {
            match answer.status() {
                200 => delivered.push(plain(answer).1),
                202 => {}
                other => panic!("{other}: {}", answer.text()),
            }
        }
        assert!(!delivered.is_empty(), "one of them made a key");
        // Whoever was told to come back does.
        delivered.push(plain(poll(&dev(site), "serverkeygen", &csr)).1);
        let status = |certificate: &Certificate| {
            let shown = json(site, &["cert", "show", &certificate.serial().to_hex()]);
            shown["status"].as_str().unwrap().to_owned()
        };
        let last = delivered.pop().unwrap();
        assert_eq!(status(&last), "valid");
        for earlier in &delivered {
            assert_eq!(status(earlier), "revoked");
        }
    }
}

#[test]
fn the_private_key_is_nowhere() {
    let site = Site::own(&["telemetry.log_filter=trace"]);
    let name = fresh("nowhere");
    let (key, _) = plain(dev(&site).post("serverkeygen", &Csr::new(&name, &[&name]).der()));
    let octets = key.expose();
    // The private number of a key on P-256 in PKCS #8.
    let secret = octets
        .windows(2)
        .position(|window| window == [0x04, 0x20])
        .unwrap();
    let secret = &octets[secret + 2..secret + 34];
    let hex: String = secret.iter().map(|octet| format!("{octet:02x}")).collect();
    assert!(!site.log().contains(&hex));
    let mut looked_at = 0;
    for entry in std::fs::read_dir(site.data_dir()).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(content) = std::fs::read(&path) {
            looked_at += 1;
            assert!(
                !content.windows(32).any(|window| window == secret),
                "{}",
                path.display()
            );
        }
    }
    assert!(looked_at > 3);
}

#[test]
fn the_request_must_be_signed_and_asked_for_properly() {
    let site = Site::shared();
    let name = fresh("bad");
    let csr = || Csr::new(&name, &[&name]);
    let id = |octets: &[u8]| der::octet_string(octets);
    let rows = [
        ("unsigned", csr().der_forged()),
        (
            "a secret key that nobody knows",
            csr().with_attribute(SHARED, id(b"k1")).der(),
        ),
        (
            "a public key that nobody knows",
            csr().with_attribute(ASYMMETRIC, id(b"k2")).der(),
        ),
        (
            "both",
            csr()
                .with_attribute(SHARED, id(b"k1"))
                .with_attribute(ASYMMETRIC, id(b"k2"))
                .der(),
        ),
        (
            "an identifier that is none",
            csr().with_attribute(SHARED, der::null()).der(),
        ),
    ];
    for (case, request) in rows {
        let answer = dev(site).post("serverkeygen", &request);
        assert_eq!(answer.status(), 400, "{case}: {}", answer.text());
    }
    Client::new(site, "default")
        .post("serverkeygen", &csr().der())
        .expect(401);
}

#[test]
fn it_is_offered_where_the_endpoint_says_so() {
    let site = Site::own(&["endpoint.est.own.generated_keys=false"]);
    let name = fresh("off");
    let client = Client::new(&site, "own").as_dev(&site);
    let answer = client.post("serverkeygen", &Csr::new(&name, &[&name]).der());
    assert_eq!(answer.status(), 403, "{}", answer.text());
}

#[test]
fn the_key_is_encrypted_to_the_holder_of_the_certificate() {
    let site = Site::shared();
    let name = fresh("sealed");
    let (certificate, identity) = enrolled(site, "default", &Csr::new(&name, &[&name]));
    let identifier = certificate.subject_key_id().unwrap();
    let csr = Csr::new(&name, &[&name]).with_attribute(ASYMMETRIC, der::octet_string(&identifier));
    let answer = dev(site).showing(&identity).post("serverkeygen", &csr.der());
    let (key, issued) = parts(answer);
    assert_eq!(
        key.content_type,
        "application/pkcs7-mime; smime-type=server-generated-key"
    );
    let opened = portreeve_conformance::est::open(key.octets.expose(), &identity);
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, opened.expose()).unwrap();
    assert_eq!(issued.public_key().key_octets(), pair.public_key().as_ref());
}

#[test]
fn a_key_waits_for_a_decision_as_everything_does() {
    let site = Site::shared();
    let name = fresh("waits");
    let client = Client::new(site, "approval").as_dev(site);
    let csr = Csr::new(&name, &[&name]).der();
    client.post("serverkeygen", &csr).expect(202);
    let id = waiting(site, &name);
    client.post("serverkeygen", &csr).expect(202);
    control(site, &["request", "approve", &id, "--yes"]);
    let (_, certificate) = plain(poll(&client, "serverkeygen", &csr));
    assert_eq!(
        certificate.subject().common_names().collect::<Vec<_>>(),
        [name.as_str()]
    );
}
