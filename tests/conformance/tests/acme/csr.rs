//! What a CSR may hold (RFC 8555 section 7.4): rows 29 to 32.

use std::collections::BTreeSet;

use portreeve_conformance::acme::{Account, Csr, Order, base64url, new_key};
use portreeve_pkix::{DistinguishedName, GeneralName, Oid, der};
use serde_json::json;

use crate::finalize::ready;

/// Demands that a CSR is refused and the order can still be finalized.
#[track_caller]
fn is_bad((account, order): &(Account, Order), row: &str, csr: &[u8]) {
    let answer = account.finalize(order, csr);
    assert_eq!(answer.status(), 400, "{row}: {answer}");
    answer.is_problem(400, "badCSR");
    assert_eq!(
        account.read(&order.url).is(200)["status"],
        "ready",
        "{row}: the order stays usable"
    );
}

#[track_caller]
fn succeeds((account, order): &(Account, Order), names: &[&str]) {
    account.finalize(order, &Csr::of(names).sign(&new_key())).is(200);
    account.retrieve(order);
}

#[test]
fn row_29_what_is_no_csr() {
    let name = "no-csr.finalize.test";
    let made = ready(&[name]);
    let good = Csr::of(&[name]).sign(&new_key());
    let rows = [
        ("empty", Vec::new()),
        ("text", b"-----BEGIN CERTIFICATE REQUEST-----".to_vec()),
        ("trailing octet", [good.as_slice(), &[0]].concat()),
        ("truncated", good[..good.len() - 1].to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("twice", [good.as_slice(), &good].concat()),
        ("an empty sequence", vec![0x30, 0]),
        ("indefinite length", vec![0x30, 0x80, 0, 0]),
        (
            "a length beyond the input",
            vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ),
        ("deep", [0x30, 0x80].repeat(2000)),
    ];
    for (row, csr) in rows {
        is_bad(&made, row, &csr);
    }
    succeeds(&made, &[name]);
}

#[test]
fn row_29_a_csr_that_is_not_base64url() {
    let name = "base64.finalize.test";
    let (account, order) = ready(&[name]);
    let good = base64url(Csr::of(&[name]).sign(&new_key()));
    for text in [
        format!("{good}="),
        format!("{good}!"),
        format!(" {good}"),
        good.replace(['-', '_'], "+") + "/",
    ] {
        account
            .post(&order.finalize(), &json!({"csr": text}))
            .is_problem(400, "badCSR");
    }
    for payload in [
        json!({}),
        json!({"csr": null}),
        json!({"csr": 1}),
        json!({"csr": [good]}),
    ] {
        account
            .post(&order.finalize(), &payload)
            .is_problem(400, "malformed");
    }
    account.post(&order.finalize(), &json!({"csr": good})).is(200);
}

#[test]
fn row_30_names_that_differ_from_the_order() {
    let names = ["a.finalize.test", "b.finalize.test"];
    let made = ready(&names);
    let key = new_key();
    let rows = [
        ("one missing", Csr::of(&["a.finalize.test"])),
        (
            "one more",
            Csr::of(&["a.finalize.test", "b.finalize.test", "c.finalize.test"]),
        ),
        ("another", Csr::of(&["a.finalize.test", "c.finalize.test"])),
        ("none", Csr::of(&[])),
        (
            "a wildcard",
            Csr::of(&["a.finalize.test", "b.finalize.test", "*.finalize.test"]),
        ),
        (
            "one more as common name",
            Csr::of(&names).common_name("c.finalize.test"),
        ),
        (
            "common name that is no DNS name",
            Csr::of(&names).common_name("Somebody"),
        ),
        (
            "an address besides",
            Csr::of(&names).name(GeneralName::Ip([127, 0, 0, 1].into())),
        ),
    ];
    for (row, csr) in rows {
        is_bad(&made, row, &csr.sign(&key));
    }
    succeeds(&made, &names);
}

#[test]
fn row_31_requests_signed_badly() {
    let fixture = "sha1.conformance.test";
    let made = ready(&[fixture]);
    let sha1 = include_str!("fixtures/sha1-csr.txt").trim();
    let answer = made.0.post(&made.1.finalize(), &json!({"csr": sha1}));
    answer.is_problem(400, "badCSR");
    is_bad(
        &made,
        "signed by another key",
        &Csr::of(&[fixture]).sign_for(&new_key(), &new_key()),
    );
    let mut changed = Csr::of(&[fixture]).sign(&new_key());
    let last = changed.len() - 1;
    changed[last] ^= 1;
    is_bad(&made, "a changed signature", &changed);
    succeeds(&made, &[fixture]);
}

#[test]
fn row_31_names_of_other_kinds() {
    let name = "kinds.finalize.test";
    let made = ready(&[name]);
    let key = new_key();
    let rows = [
        (
            "e-mail",
            Csr::of(&[name]).name(GeneralName::Email("a@kinds.finalize.test".to_owned())),
        ),
        (
            "URI",
            Csr::of(&[name]).name(GeneralName::Uri("https://kinds.finalize.test/".to_owned())),
        ),
        (
            "IP address",
            Csr::of(&[name]).name(GeneralName::Ip([10, 0, 0, 1].into())),
        ),
        ("otherName", Csr::of(&[name]).name(other_name())),
        (
            "IP address as common name",
            Csr::of(&[name]).common_name("127.0.0.1"),
        ),
        ("IPv6 address as common name", Csr::of(&[name]).common_name("::1")),
        ("two common names, one not ordered", two_common_names(name)),
    ];
    for (row, csr) in rows {
        is_bad(&made, row, &csr.sign(&key));
    }
    succeeds(&made, &[name]);
}

#[test]
fn row_31_a_common_name_over_64() {
    let name = format!("{}.{}.finalize.test", "a".repeat(40), "b".repeat(40));
    let made = ready(&[&name]);
    is_bad(
        &made,
        "common name over 64",
        &Csr::of(&[&name]).common_name(&name).sign(&new_key()),
    );
    succeeds(&made, &[&name]);
}

/// Whoever holds the key of a server must not be able to speak for its account.
#[test]
fn the_key_of_the_account_is_not_certified() {
    let name = "account-key.finalize.test";
    let made = ready(&[name]);
    let csr = Csr::of(&[name]).sign(made.0.key.as_ref());
    is_bad(&made, "the key of the account", &csr);
    succeeds(&made, &[name]);
}

#[test]
fn row_32_what_a_csr_asks_for_is_never_copied() {
    let code_signing = der::sequence(&[Oid::from_arcs(&[1, 3, 6, 1, 5, 5, 7, 3, 3]).unwrap().to_der()]);
    let any = der::octet_string(b"x");
    let rows = [
        ("CA", Oid::BASIC_CONSTRAINTS, der::sequence(&[der::boolean(true)])),
        (
            "certificate signing",
            Oid::from_arcs(&[2, 5, 29, 15]).unwrap(),
            vec![3, 2, 2, 0b0000_0100],
        ),
        (
            "code signing",
            Oid::from_arcs(&[2, 5, 29, 37]).unwrap(),
            code_signing,
        ),
        (
            "name constraints",
            Oid::from_arcs(&[2, 5, 29, 30]).unwrap(),
            der::sequence::<&[u8]>(&[]),
        ),
        (
            "a private extension",
            Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 99999, 1]).unwrap(),
            any,
        ),
    ];
    for (row, oid, value) in rows {
        let name = "copied.finalize.test";
        let (account, order) = ready(&[name]);
        account
            .finalize(
                &order,
                &Csr::of(&[name])
                    .extension(oid.clone(), value.clone())
                    .sign(&new_key()),
            )
            .is(200);
        let certificate = account.retrieve(&order).leaf().clone();
        assert!(!certificate.is_ca(), "{row}");
        assert!(
            certificate
                .extension(&oid)
                .is_none_or(|found| found.value != value),
            "{row}: copied"
        );
        let usage = certificate.key_usage().unwrap();
        assert!(
            !usage.contains(portreeve_pkix::KeyUsage::KEY_CERT_SIGN),
            "{row}: {usage:?}"
        );
        let purposes: BTreeSet<String> = certificate
            .extended_key_usage()
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        let allowed = BTreeSet::from(["1.3.6.1.5.5.7.3.1".to_owned(), "1.3.6.1.5.5.7.3.2".to_owned()]);
        assert!(purposes.is_subset(&allowed), "{row}: {purposes:?}");
    }
}

fn other_name() -> GeneralName {
    let value = der::tlv(
        der::tag::context_constructed(0),
        &der::tlv(der::tag::UTF8_STRING, b"somebody"),
    );
    let oid = Oid::from_arcs(&[1, 3, 6, 1, 4, 1, 311, 20, 2, 3])
        .unwrap()
        .to_der();
    GeneralName::Other(der::constructed(der::tag::context_constructed(0), &[oid, value]))
}

fn two_common_names(name: &str) -> Csr {
    let subject =
        DistinguishedName::common_name(name).with(Oid::from_arcs(&[2, 5, 4, 3]).unwrap(), "Somebody");
    Csr {
        subject,
        ..Csr::of(&[name])
    }
}
