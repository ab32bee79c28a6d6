//! When, where and with which key a certificate is renewed (RFC 7030 sections 3.3.2 and 4.2.2).

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr, Identity};
use rcgen::KeyPair;

use super::support::{control, enrolled, fresh, registration};

fn same_key(csr: &Csr) -> KeyPair {
    KeyPair::try_from(csr.key().serialize_der()).unwrap()
}

#[test]
fn a_certificate_is_renewed_with_the_same_key_or_another() {
    let site = Site::shared();
    let name = fresh("renew");
    let first = Csr::new(&name, &[&name]);
    let (old, identity) = enrolled(site, "default", &first);
    let client = Client::new(site, "default").showing(&identity);
    let again = Csr::of(same_key(&first), &name, &[&name]);
    let renewed = client.post("simplereenroll", &again.der()).certificate();
    assert_ne!(renewed.serial(), old.serial());
    assert_eq!(renewed.public_key(), old.public_key());
    let other = Csr::new(&name, &[&name]);
    let rekeyed = client.post("simplereenroll", &other.der()).certificate();
    assert_ne!(rekeyed.public_key(), old.public_key());
    // And with what it got.
    let newer = Client::new(site, "default").showing(&Identity::issued(&rekeyed, other.key()));
    newer
        .post("simplereenroll", &Csr::new(&name, &[&name]).der())
        .certificate();
}

#[test]
fn a_password_does_not_stand_in_for_the_certificate() {
    let site = Site::shared();
    let name = fresh("password");
    let csr = Csr::new(&name, &[&name]).der();
    let client = Client::new(site, "default").as_dev(site);
    client.post("simplereenroll", &csr).expect(403);
}

#[test]
fn a_revoked_certificate_renews_nothing() {
    let site = Site::shared();
    let name = fresh("revoked");
    let (certificate, identity) = enrolled(site, "default", &Csr::new(&name, &[&name]));
    let serial = certificate.serial().to_hex();
    control(
        site,
        &["cert", "revoke", &serial, "--reason", "superseded", "--yes"],
    );
    let client = Client::new(site, "default").showing(&identity);
    let answer = client.post("simplereenroll", &Csr::new(&name, &[&name]).der());
    assert!(matches!(answer.status(), 401 | 403), "{}", answer.text());
    assert!(answer.text().contains("revoked"), "{}", answer.text());
}

#[test]
fn a_certificate_of_another_endpoint_renews_nothing_unless_it_is_listed() {
    let site = Site::own(&[
        "endpoint.est.heir.renew_from=[\"est/default\"]",
        "endpoint.est.heir.renew_window=any",
        "endpoint.est.heir.names=profile",
    ]);
    let name = fresh("elsewhere");
    let (_, identity) = enrolled(&site, "default", &Csr::new(&name, &[&name]));
    let csr = Csr::new(&name, &[&name]).der();
    let refused = Client::new(&site, "short")
        .showing(&identity)
        .post("simplereenroll", &csr);
    assert_eq!(refused.status(), 403, "{}", refused.text());
    Client::new(&site, "heir")
        .showing(&identity)
        .post("simplereenroll", &csr)
        .certificate();
}

#[test]
fn it_is_renewed_in_its_window_and_with_the_key_that_is_wanted() {
    let site = Site::own(&[
        "endpoint.est.late.renew_window=1h",
        "endpoint.est.late.names=profile",
        "endpoint.est.rekey.names=profile",
        "endpoint.est.keep.names=profile",
        "endpoint.est.rekey.renew_key=new",
        "endpoint.est.rekey.renew_window=any",
        "endpoint.est.keep.renew_key=same",
        "endpoint.est.keep.renew_window=any",
    ]);
    let rows = [
        ("late", false, 403),
        ("rekey", true, 403),
        ("rekey", false, 200),
        ("keep", true, 200),
        ("keep", false, 403),
    ];
    for (label, same, expected) in rows {
        let name = fresh("window");
        let first = Csr::new(&name, &[&name]);
        let (_, identity) = enrolled(&site, label, &first);
        let csr = match same {
            true => Csr::of(same_key(&first), &name, &[&name]),
            false => Csr::new(&name, &[&name]),
        };
        let answer = Client::new(&site, label)
            .showing(&identity)
            .post("simplereenroll", &csr.der());
        assert_eq!(answer.status(), expected, "{label} {same}: {}", answer.text());
    }
}

#[test]
fn a_device_that_always_sends_one_request_renews_with_it_and_may_ask_twice() {
    let site = Site::shared();
    let name = fresh("static");
    let csr = Csr::new(&name, &[&name]);
    let request = csr.der();
    let dev = Client::new(site, "default").as_dev(site);
    let first = dev.post("simpleenroll", &request).certificate();
    let client = Client::new(site, "default").showing(&Identity::issued(&first, csr.key()));
    let renewed = client.post("simplereenroll", &request).certificate();
    assert_ne!(renewed.serial(), first.serial());
    let again = client.post("simplereenroll", &request).certificate();
    assert_eq!(again.serial(), renewed.serial(), "whose answer was lost");
}

#[test]
fn a_suspended_registration_renews_nothing() {
    let site = Site::shared();
    let name = fresh("suspended");
    let who = name.replace('.', "-");
    let (user, password) = registration(site, &who, (&[&name], "est-password"));
    let csr = Csr::new(&name, &[&name]);
    let client = Client::new(site, "default").as_user(&user, &password);
    let certificate = client.post("simpleenroll", &csr.der()).certificate();
    let holder = Client::new(site, "default").showing(&Identity::issued(&certificate, csr.key()));
    control(site, &["registration", "suspend", &who]);
    let next = Csr::new(&name, &[&name]).der();
    holder.post("simplereenroll", &next).expect(403);
    control(site, &["registration", "resume", &who]);
    holder.post("simplereenroll", &next).certificate();
}
