//! Case 2: methods, content types, sizes, and every layout of base64 (RFC 8951 section 3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr};
use portreeve_pkix::pem;

use super::support::{dev, fresh};

const POSTED: [&str; 3] = ["simpleenroll", "simplereenroll", "serverkeygen"];

#[test]
fn content_types() {
    let site = Site::shared();
    let body = STANDARD.encode(Csr::new(&fresh("type"), &[]).der());
    let rows = [
        (None, 415),
        (Some("text/plain"), 415),
        (Some("application/pkcs7-mime"), 415),
        (Some("application/pkcs10; charset=x"), 200),
        (Some("APPLICATION/PKCS10"), 200),
        (Some("application/pkcs10"), 200),
    ];
    for (content_type, expected) in rows {
        let headers: Vec<(&str, &str)> = content_type
            .map(|value| ("Content-Type", value))
            .into_iter()
            .collect();
        let target = "/.well-known/est/default/simpleenroll";
        let answer = dev(site).send("POST", target, (&headers, body.as_bytes()));
        assert_eq!(answer.status(), expected, "{content_type:?}: {}", answer.text());
    }
    for operation in POSTED {
        let target = format!("/.well-known/est/default/{operation}");
        assert_eq!(
            dev(site).send("POST", &target, (&[], b"MA==")).status(),
            415,
            "{operation}"
        );
    }
}

#[test]
fn methods() {
    let site = Site::shared();
    for operation in POSTED {
        let target = format!("/.well-known/est/default/{operation}");
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"] {
            let received = dev(site).send(method, &target, (&[], b"")).0;
            assert_eq!(
                (received.status, received.header("allow")),
                (405, Some("POST")),
                "{method} {operation}"
            );
        }
    }
    for operation in ["cacerts", "csrattrs"] {
        let target = format!("/.well-known/est/default/{operation}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let received = dev(site).send(method, &target, (&[], b"")).0;
            let found = (received.status, received.header("allow"));
            assert_eq!(found, (405, Some("GET, HEAD")), "{method} {operation}");
        }
    }
}

#[test]
fn rfc_8951_section_3_every_layout_is_read_and_the_answer_has_that_of_the_question() {
    let site = Site::shared();
    let der = |what| Csr::new(&fresh(what), &[]).der();
    let one_line = |what| STANDARD.encode(der(what));
    let wrapped = |what, end: &str| {
        let text = one_line(what);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).unwrap())
            .collect();
        lines
            .iter()
            .map(|line| format!("{line}{end}"))
            .collect::<String>()
    };
    let armour = |label: &str| pem::encode(label, &der("pem"));
    let rows: [(&str, Vec<u8>, bool); 11] = [
        ("one line", one_line("one").into(), false),
        ("with LF", format!("{}\n", one_line("lf")).into(), false),
        ("with CRLF", format!("{}\r\n", one_line("crlf")).into(), false),
        (
            "blanks around",
            format!(" \t{} \r\n\r\n", one_line("blank")).into(),
            false,
        ),
        (
            "without padding",
            one_line("pad").trim_end_matches('=').into(),
            false,
        ),
        ("64 columns", wrapped("columns", "\n").into(), true),
        ("64 columns, CRLF", wrapped("columns", "\r\n").into(), true),
        ("PEM", armour("CERTIFICATE REQUEST").into(), true),
        ("old PEM", armour("NEW CERTIFICATE REQUEST").into(), true),
        (
            "PEM, CRLF",
            armour("CERTIFICATE REQUEST").replace('\n', "\r\n").into(),
            true,
        ),
        ("DER", der("der"), false),
    ];
    for (name, body, expected) in rows {
        let answer = dev(site).post_text("simpleenroll", &body).expect(200);
        assert_eq!(answer.is_wrapped(), expected, "{name}");
        answer.certificate();
    }
}

#[test]
fn the_transfer_encoding_is_whatever_is_said_of_it() {
    let site = Site::shared();
    for value in ["base64", "BASE64", "binary", "7bit"] {
        let headers = [
            ("Content-Type", "application/pkcs10"),
            ("Content-Transfer-Encoding", value),
        ];
        let body = STANDARD.encode(Csr::new(&fresh("cte"), &[]).der());
        let target = "/.well-known/est/default/simpleenroll";
        let answer = dev(site).send("POST", target, (&headers, body.as_bytes()));
        assert_eq!(answer.status(), 200, "{value}");
    }
}

#[test]
fn what_is_no_request_is_refused() {
    let site = Site::shared();
    let csr = Csr::new(&fresh("broken"), &[]);
    let trailing = [csr.der(), vec![0]].concat();
    let rows: [(&str, Vec<u8>, u16); 9] = [
        ("nothing", Vec::new(), 400),
        ("blanks", b" \r\n".to_vec(), 400),
        ("no base64", b"hello, world".to_vec(), 400),
        (
            "base64 of nothing in particular",
            STANDARD.encode(b"hello").into(),
            400,
        ),
        ("an empty sequence", STANDARD.encode([0x30, 0]).into(), 400),
        ("octets behind it", STANDARD.encode(&trailing).into(), 400),
        ("cut off", STANDARD.encode(&csr.der()[..100]).into(), 400),
        (
            "not signed by its key",
            STANDARD.encode(csr.der_forged()).into(),
            400,
        ),
        ("too large", vec![b'A'; 200_000], 413),
    ];
    for (name, body, expected) in rows {
        for operation in ["simpleenroll", "serverkeygen"] {
            let answer = dev(site).post_text(operation, &body);
            assert_eq!(answer.status(), expected, "{name} {operation}: {}", answer.text());
        }
    }
}

#[test]
fn who_shows_nothing_is_asked_whatever_it_sends() {
    let site = Site::shared();
    for operation in POSTED {
        let client = Client::new(site, "default");
        assert_eq!(
            client.post_text(operation, b"rubbish").status(),
            401,
            "{operation}"
        );
    }
}

#[test]
fn clients_may_expect_to_go_on() {
    let site = Site::shared();
    let csr = Csr::new(&fresh("continue"), &[]).der();
    let answers = dev(site).converse("simpleenroll", &[&[("Expect", "100-continue")]], &csr);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].status(), 200);
}

#[test]
fn a_network_that_asks_too_often_is_told_to_come_back() {
    let limit = "rate_limit={address={requests=2,period=\"1h\",burst=2}}";
    let site = Site::own(&[&format!("endpoint.est.limited.{limit}")]);
    let client = Client::new(&site, "limited");
    client.get("cacerts").expect(200);
    client.post_text("simpleenroll", b"rubbish").expect(401);
    client.get("cacerts").expect(429);
    client.post_text("simpleenroll", b"rubbish").expect(429);
    Client::new(&site, "default").get("cacerts").expect(200);
}
