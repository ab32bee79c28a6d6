//! Requests that people decide on (RFC 7030 section 4.2.3): 202 until then, and never for ever.

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr};

use super::support::{control, dev, fresh, poll, waiting};

#[test]
fn the_same_request_is_the_poll() {
    let site = Site::shared();
    let name = fresh("approved");
    let csr = Csr::new(&name, &[&name]).der();
    let client = Client::new(site, "approval").as_dev(site);
    for _ in 0..2 {
        let answer = client.post("simpleenroll", &csr).expect(202);
        assert!(answer.0.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    }
    let id = waiting(site, &name);
    control(site, &["request", "approve", &id, "--yes"]);
    let certificate = poll(&client, "simpleenroll", &csr).certificate();
    assert_eq!(
        certificate.subject().common_names().collect::<Vec<_>>(),
        [name.as_str()]
    );
}

#[test]
fn a_denial_is_an_end() {
    let site = Site::shared();
    let name = fresh("denied");
    let csr = Csr::new(&name, &[&name]).der();
    let client = Client::new(site, "approval").as_dev(site);
    client.post("simpleenroll", &csr).expect(202);
    let id = waiting(site, &name);
    control(
        site,
        &["request", "reject", &id, "--comment", "not known here", "--yes"],
    );
    for _ in 0..2 {
        let answer = poll(&client, "simpleenroll", &csr);
        assert_eq!(answer.status(), 403, "{}", answer.text());
        assert!(
            !answer.text().contains("not known here"),
            "the comment is for operators"
        );
    }
}

#[test]
fn nobody_else_polls_for_it() {
    let site = Site::shared();
    let name = fresh("private");
    let who = name.replace('.', "-");
    let csr = Csr::new(&name, &[&name]).der();
    Client::new(site, "approval")
        .as_dev(site)
        .post("simpleenroll", &csr)
        .expect(202);
    let first = waiting(site, &name);
    let (user, password) = super::support::registration(site, &who, (&[&name], "est-password"));
    let other = Client::new(site, "approval").as_user(&user, &password);
    other.post("simpleenroll", &csr).expect(202);
    control(site, &["request", "approve", &first, "--yes"]);
    poll(&Client::new(site, "approval").as_dev(site), "simpleenroll", &csr).certificate();
    other.post("simpleenroll", &csr).expect(202);
    Client::new(site, "approval")
        .post("simpleenroll", &csr)
        .expect(401);
}

#[test]
fn what_is_not_waited_for_is_not_said_to_wait() {
    let site = Site::shared();
    let name = fresh("malformed");
    let client = Client::new(site, "approval").as_dev(site);
    client
        .post("simpleenroll", &Csr::new(&name, &[&name]).der_forged())
        .expect(400);
    dev(site)
        .post("simpleenroll", &Csr::new(&name, &[&name]).der())
        .certificate();
}

#[test]
fn who_hangs_up_finds_its_certificate_when_it_asks_again() {
    let site = Site::shared();
    let name = fresh("gone");
    let csr = Csr::new(&name, &[&name]).der();
    let client = dev(site);
    client.abandon("simpleenroll", &csr);
    let first = poll(&client, "simpleenroll", &csr).certificate();
    client.abandon("simpleenroll", &csr);
    let again = poll(&client, "simpleenroll", &csr).certificate();
    assert_eq!(first.serial(), again.serial());
}
