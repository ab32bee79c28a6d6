//! Case 5: a request that is linked to its TLS connection (RFC 7030 section 3.5, RFC 9266).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr};
use rustls::version::{TLS12, TLS13};

use super::support::{dev, enrolled, fresh};

fn linked(name: &str, value: [u8; 32]) -> Vec<u8> {
    Csr::new(name, &[name])
        .with_challenge(&STANDARD.encode(value))
        .der()
}

#[test]
fn rfc_9266_the_value_of_the_connection_is_accepted() {
    let site = Site::shared();
    let name = fresh("linked");
    let client = dev(site).speaking(&TLS13);
    client
        .post_linked("simpleenroll", |value| linked(&name, value))
        .certificate();
}

#[test]
fn any_other_value_is_refused_where_none_is_wanted_too() {
    let site = Site::shared();
    let name = fresh("unlinked");
    let mut earlier = [0; 32];
    let client = dev(site).speaking(&TLS13);
    client.post_linked("simpleenroll", |value| {
        earlier = value;
        linked(&fresh("earlier"), value)
    });
    let challenge = |text: &str| Csr::new(&name, &[&name]).with_challenge(text).der();
    let rows = [
        ("of another connection", linked(&name, earlier)),
        ("wrong", linked(&name, [7; 32])),
        ("too short", challenge(&STANDARD.encode([7; 31]))),
        ("a password", challenge("secret")),
        ("tls-unique of TLS 1.2", challenge(&STANDARD.encode([7; 12]))),
        ("empty", challenge("")),
    ];
    for (case, request) in rows {
        let answer = client.post("simpleenroll", &request);
        assert_eq!(answer.status(), 400, "{case}: {}", answer.text());
    }
    let unique = client.post("simpleenroll", &challenge(&STANDARD.encode([7; 12])));
    assert!(unique.text().contains("tls-unique"), "{}", unique.text());
}

#[test]
fn tls_1_2_does_not_bind_where_the_master_secret_may_be_any() {
    let site = Site::shared();
    let name = fresh("tls12");
    let client = dev(site).speaking(&TLS12);
    let answer = client.post_linked("simpleenroll", |value| linked(&name, value));
    assert_eq!(answer.status(), 400, "{}", answer.text());
    client
        .post("simpleenroll", &Csr::new(&name, &[&name]).der())
        .certificate();
}

#[test]
fn tls_1_2_binds_where_the_extended_master_secret_is_required() {
    let site = Site::own(&["server.listeners.public.require_ems=true"]);
    let name = fresh("ems");
    for version in [&TLS12, &TLS13] {
        let client = dev(&site).speaking(version);
        client
            .post_linked("simpleenroll", |value| linked(&name, value))
            .certificate();
        let wrong = client.post_linked("simpleenroll", |_| linked(&name, [7; 32]));
        assert_eq!(wrong.status(), 400, "{}", wrong.text());
    }
}

#[test]
fn an_endpoint_may_require_it() {
    let site = Site::own(&[
        "endpoint.est.linked.linking=required",
        "endpoint.est.linked.names=profile",
        "endpoint.est.linked.renew_window=any",
    ]);
    let name = fresh("required");
    let client = || Client::new(&site, "linked").as_dev(&site).speaking(&TLS13);
    let without = client().post("simpleenroll", &Csr::new(&name, &[&name]).der());
    assert_eq!(without.status(), 400, "{}", without.text());
    client()
        .post_linked("simpleenroll", |value| linked(&name, value))
        .certificate();
    let attributes = client().get("csrattrs").expect(200).decoded();
    // challengePassword
    let oid = [0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07];
    assert!(attributes.windows(oid.len()).any(|window| window == oid));
}

#[test]
fn renewal_is_linked_to_the_connection_of_its_certificate() {
    let site = Site::shared();
    let name = fresh("relinked");
    let (_, identity) = enrolled(site, "default", &Csr::new(&name, &[&name]));
    let client = Client::new(site, "default").showing(&identity).speaking(&TLS13);
    client
        .post_linked("simplereenroll", |value| linked(&name, value))
        .certificate();
    let wrong = client.post_linked("simplereenroll", |_| linked(&name, [7; 32]));
    assert_eq!(wrong.status(), 400, "{}", wrong.text());
}
