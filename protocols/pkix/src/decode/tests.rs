use super::*;
use crate::dns::DnsName;
use crate::encode;
use proptest::prelude::*;

fn time_of(element_tag: u8, text: &str) -> Option<String> {
    let bytes = crate::der::tlv(element_tag, text.as_bytes());
    let element = Reader::new(&bytes).any().expect("element");
    time(&element).ok().map(|at| at.to_string())
}

#[test]
fn times() {
    let rows = [
        (
            "UTCTime",
            tag::UTC_TIME,
            "261122115959Z",
            Some("2026-11-22T11:59:59Z"),
        ),
        (
            "UTCTime of 2049",
            tag::UTC_TIME,
            "491231235959Z",
            Some("2049-12-31T23:59:59Z"),
        ),
        (
            "UTCTime of 1950",
            tag::UTC_TIME,
            "500101000000Z",
            Some("1950-01-01T00:00:00Z"),
        ),
        (
            "GeneralizedTime",
            tag::GENERALIZED_TIME,
            "20500101000000Z",
            Some("2050-01-01T00:00:00Z"),
        ),
        (
            "no end",
            tag::GENERALIZED_TIME,
            "99991231235959Z",
            Some("9999-12-31T23:59:59Z"),
        ),
        (
            "leap day",
            tag::UTC_TIME,
            "240229000000Z",
            Some("2024-02-29T00:00:00Z"),
        ),
        ("no leap day", tag::UTC_TIME, "230229000000Z", None),
        ("without seconds", tag::UTC_TIME, "2611221159Z", None),
        ("with offset", tag::UTC_TIME, "261122115959+0100", None),
        ("with fraction", tag::GENERALIZED_TIME, "20500101000000.5Z", None),
        ("local", tag::GENERALIZED_TIME, "20500101000000", None),
        ("letters", tag::UTC_TIME, "2611221159AAZ", None),
        ("sign", tag::UTC_TIME, "+61122115959Z", None),
        ("not a time", tag::UTF8_STRING, "261122115959Z", None),
    ];
    for (name, element_tag, text, expected) in rows {
        assert_eq!(time_of(element_tag, text).as_deref(), expected, "{name}");
    }
}

#[test]
fn key_usage_bit_strings() {
    let rows: [(&str, &[u8], Option<KeyUsage>); 8] = [
        (
            "digitalSignature",
            &[3, 2, 7, 0x80],
            Some(KeyUsage::DIGITAL_SIGNATURE),
        ),
        (
            "keyCertSign and cRLSign",
            &[3, 2, 1, 6],
            Some(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN),
        ),
        ("decipherOnly", &[3, 3, 7, 0, 0x80], Some(KeyUsage::DECIPHER_ONLY)),
        ("none", &[3, 1, 0], Some(KeyUsage::NONE)),
        ("unknown bit", &[3, 3, 6, 0, 0xc0], None),
        ("bits in the padding", &[3, 2, 7, 0xc0], None),
        ("three octets", &[3, 4, 0, 0, 0, 1], None),
        ("eight unused bits", &[3, 2, 8, 0], None),
    ];
    for (name, value, expected) in rows {
        assert_eq!(key_usage(value).ok(), expected, "{name}");
        if let Some(usage) = expected {
            assert_eq!(encode::key_usage(usage), value, "{name}");
        }
    }
}

#[test]
fn basic_constraints_forms() {
    let ca = |path_len| Some(BasicConstraints { ca: true, path_len });
    let rows: [(&str, &[u8], Option<BasicConstraints>); 7] = [
        ("end entity", &[0x30, 0], Some(BasicConstraints::default())),
        ("CA", &[0x30, 3, 1, 1, 0xff], ca(None)),
        ("CA of length 0", &[0x30, 6, 1, 1, 0xff, 2, 1, 0], ca(Some(0))),
        ("length without CA", &[0x30, 3, 2, 1, 0], None),
        ("negative length", &[0x30, 6, 1, 1, 0xff, 2, 1, 0xff], None),
        ("trailing element", &[0x30, 5, 1, 1, 0xff, 5, 0], None),
        ("trailing byte", &[0x30, 0, 0], None),
    ];
    for (name, value, expected) in rows {
        assert_eq!(basic_constraints(value).ok(), expected, "{name}");
        if let Some(constraints) = expected {
            assert_eq!(encode::basic_constraints(constraints), value, "{name}");
        }
    }
    // Explicit FALSE reads like the default.
    assert_eq!(
        basic_constraints(&[0x30, 3, 1, 1, 0]),
        Ok(BasicConstraints::default())
    );
}

#[test]
fn values_round_trip() {
    let uris = ["http://a.example/1".to_owned(), "http://a.example/2".to_owned()];
    let oids = vec![Oid::EKU_SERVER_AUTH, Oid::EKU_CLIENT_AUTH];
    assert_eq!(
        extended_key_usage(&encode::extended_key_usage(&oids)),
        Ok(oids.clone())
    );
    assert_eq!(
        certificate_policies(&encode::certificate_policies(&oids)),
        Ok(oids)
    );
    assert_eq!(
        crl_distribution_points(&encode::crl_distribution_points(&uris)),
        Ok(uris.to_vec())
    );
    let access = authority_info_access(&encode::authority_info_access(&uris[..1], &uris[1..]));
    let expected = AuthorityInfoAccess {
        ca_issuers: uris[..1].to_vec(),
        ocsp: uris[1..].to_vec(),
    };
    assert_eq!(access, Ok(expected));
    assert_eq!(
        subject_key_identifier(&encode::subject_key_identifier(&[7; 20])),
        Ok(vec![7; 20])
    );
    assert_eq!(
        authority_key_identifier(&encode::authority_key_identifier(&[7; 20])),
        Ok(Some(vec![7; 20]))
    );
    for number in [0, 1, 0x7f, 0x80, u64::MAX] {
        assert_eq!(crl_number(&encode::crl_number(number)), Ok(number));
    }
    for reason in 0..=u8::MAX {
        assert_eq!(
            reason_code(&encode::reason_code(reason)).is_ok(),
            reason <= 10 && reason != 7,
            "{reason}"
        );
    }
}

#[test]
fn alternative_names_are_bounded_and_deduplicated() {
    let name = |text: &str| GeneralName::Dns(DnsName::parse(text).expect("name"));
    let numbered = |count: usize| {
        (0..count)
            .map(|n| name(&format!("n{n}.example")))
            .collect::<Vec<_>>()
    };
    let read = |names: &[GeneralName]| {
        subject_alt_name(&encode::subject_alt_name(names), 200, UnusualDnsNames::Refuse)
    };
    assert_eq!(read(&numbered(200)), Ok(numbered(200)));
    assert_eq!(
        read(&numbered(201)).map_err(|e| e.what),
        Err(Flaw::TooMany("alternative names"))
    );
    let empty = read(&[]).expect_err("no name").to_string();
    assert!(
        empty.contains("at least one name in the subject alternative name"),
        "{empty}"
    );
    assert_eq!(
        read(&[name("b.example"), name("a.example"), name("b.example")]),
        Ok(vec![name("b.example"), name("a.example")])
    );
    let cased = b"\x30\x08\x82\x02a.\x82\x02A.".map(|byte| if byte == b'.' { b'x' } else { byte });
    assert_eq!(
        subject_alt_name(&cased, 200, UnusualDnsNames::Refuse),
        Ok(vec![name("ax")])
    );
}

proptest! {
    #[test]
    fn time_round_trips(seconds in -62_167_219_200_i64..253_402_300_800) {
        let at = Timestamp::from_unix_seconds(seconds);
        let bytes = encode::time(at);
        prop_assert_eq!(time(&Reader::new(&bytes).any()?), Ok(at));
    }

    #[test]
    fn any_value_is_handled(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = subject_alt_name(&bytes, 200, UnusualDnsNames::KeepAsOther);
        let _ = key_usage(&bytes);
        let _ = extended_key_usage(&bytes);
        let _ = basic_constraints(&bytes);
        let _ = subject_key_identifier(&bytes);
        let _ = authority_key_identifier(&bytes);
        let _ = certificate_policies(&bytes);
        let _ = crl_distribution_points(&bytes);
        let _ = authority_info_access(&bytes);
        let _ = crl_number(&bytes);
        let _ = reason_code(&bytes);
    }
}
