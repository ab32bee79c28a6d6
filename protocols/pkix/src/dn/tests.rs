use super::*;
use proptest::prelude::*;

fn element(string_tag: u8, value: &[u8]) -> Vec<u8> {
    let attribute = der::sequence(&[Oid::COMMON_NAME.to_der(), der::tlv(string_tag, value)]);
    der::sequence(&[der::set_of(vec![attribute])])
}

#[test]
fn text_form() {
    let rows = [
        ("one", "CN=a.example"),
        ("order is kept", "CN=a,OU=b,O=c,C=DE"),
        ("several attributes in one", "CN=a+UID=b,O=c"),
        ("escapes", r"CN=a\,b\+c\=d\\,O=\#x"),
        ("spaces at the ends", r"CN=\ a b\ "),
        ("unknown type", "1.2.3.4=x"),
        ("empty", ""),
    ];
    for (name, text) in rows {
        let parsed = DistinguishedName::parse(text).expect(name);
        assert_eq!(parsed.to_string(), text, "{name}");
        assert_eq!(
            DistinguishedName::from_der(&parsed.to_der()),
            Ok(parsed),
            "{name}"
        );
    }
    let name = DistinguishedName::parse(r"cn = a\c3\a4 , o=x").expect("lenient spelling");
    assert_eq!(name.to_string(), "CN=aä,O=x");
    assert_eq!(name.common_names().collect::<Vec<_>>(), ["aä"]);
    assert_eq!(
        name.attributes().map(|a| a.oid.clone()).next(),
        Some(Oid::ORGANIZATION)
    );
}

#[test]
fn refuses_text() {
    let long = format!("CN={}", "a".repeat(65));
    let many = vec!["O=a"; 33].join(",");
    let rows = [
        "CN", "=a", "CN=", "XX=a", "CN=a,", "CN=#0401", "CN=\"a\"", "CN=a\\", "CN=a\\0", &long, &many,
    ];
    for text in rows {
        assert!(DistinguishedName::parse(text).is_err(), "{text}");
    }
}

#[test]
fn string_types() {
    let rows: [(&str, u8, &[u8], Option<&str>); 12] = [
        ("UTF8String", tag::UTF8_STRING, "ä".as_bytes(), Some("ä")),
        ("PrintableString", tag::PRINTABLE_STRING, b"a", Some("a")),
        ("IA5String", tag::IA5_STRING, b"a@b", Some("a@b")),
        ("TeletexString", tag::TELETEX_STRING, b"\xe4", Some("ä")),
        ("BMPString", tag::BMP_STRING, b"\0a\x20\xac", Some("a€")),
        ("UniversalString", tag::UNIVERSAL_STRING, b"\0\0\0a", Some("a")),
        ("BMPString with a surrogate", tag::BMP_STRING, b"\xd8\x00", None),
        ("BMPString of odd length", tag::BMP_STRING, b"\0a\0", None),
        ("broken UTF-8", tag::UTF8_STRING, b"\xff", None),
        ("NUL", tag::UTF8_STRING, b"a\0b", None),
        ("empty", tag::UTF8_STRING, b"", None),
        ("not a string", tag::OCTET_STRING, b"a", None),
    ];
    for (name, string_tag, value, expected) in rows {
        let decoded = DistinguishedName::from_der(&element(string_tag, value)).ok();
        assert_eq!(decoded, expected.map(DistinguishedName::common_name), "{name}");
    }
}

#[test]
fn bounds() {
    let long = "a".repeat(65);
    assert!(DistinguishedName::from_der(&element(tag::UTF8_STRING, long.as_bytes())).is_err());
    assert!(DistinguishedName::from_der(&element(tag::UTF8_STRING, &long.as_bytes()[1..])).is_ok());
    let of = |count: usize| DistinguishedName {
        rdns: vec![
            vec![Attribute {
                oid: Oid::ORGANIZATION,
                value: "o".into()
            }];
            count
        ],
    };
    assert!(DistinguishedName::from_der(&of(ATTRIBUTES_MAX).to_der()).is_ok());
    assert_eq!(
        DistinguishedName::from_der(&of(ATTRIBUTES_MAX + 1).to_der()).map_err(|e| e.what),
        Err(Flaw::TooMany("name attributes"))
    );
    let empty_set = der::sequence(&[der::set_of(Vec::new())]);
    assert!(DistinguishedName::from_der(&empty_set).is_err());
}

#[test]
fn string_types_of_rfc_5280_are_written() {
    let name = DistinguishedName::common_name("a")
        .with(Oid::COUNTRY, "DE")
        .with(Oid::EMAIL_ADDRESS, "a@b")
        .with(Oid::DOMAIN_COMPONENT, "example");
    let der = name.to_der();
    for (name, needle) in [
        ("UTF8String", &b"\x0c\x01a"[..]),
        ("PrintableString", b"\x13\x02DE"),
        ("IA5String", b"\x16\x03a@b"),
        ("IA5String", b"\x16\x07example"),
    ] {
        assert!(der.windows(needle.len()).any(|window| window == needle), "{name}");
    }
}

#[test]
fn normalised_names_are_equal_as_rfc_5280_compares_them() {
    let rows = [
        ("case", "CN=Alice", "cn=ALICE", true),
        ("blanks", "CN=Alice \\  Liddell,O=B", "CN=alice liddell,O=b", true),
        ("order within one", "CN=a+O=b", "O=b+CN=a", true),
        ("order of several", "CN=a,O=b", "O=b,CN=a", false),
        ("type", "CN=a", "O=a", false),
        ("one more", "CN=a,O=b", "CN=a", false),
        ("no blank", "CN=a b", "CN=ab", false),
    ];
    for (name, left, right, equal) in rows {
        let normal = |text| DistinguishedName::parse(text).expect(name).normalised();
        assert_eq!(normal(left) == normal(right), equal, "{name}");
    }
}

fn names() -> impl Strategy<Value = DistinguishedName> {
    let oids = prop::sample::select(vec![
        Oid::COMMON_NAME,
        Oid::ORGANIZATION,
        Oid::COUNTRY,
        Oid::EMAIL_ADDRESS,
    ]);
    let attribute = (oids, "[^\\p{Cc}]{1,20}").prop_map(|(oid, value)| Attribute { oid, value });
    let rdns = prop::collection::vec(prop::collection::vec(attribute, 1..2), 0..6);
    rdns.prop_map(|rdns| DistinguishedName { rdns })
}

proptest! {
    #[test]
    fn der_and_text_round_trip(name in names()) {
        prop_assert_eq!(DistinguishedName::from_der(&name.to_der()).expect("encoded name"), name.clone());
        prop_assert_eq!(DistinguishedName::parse(&name.to_string()).expect("written name"), name);
    }

    #[test]
    fn any_text_is_handled(text in "\\PC{0,60}") {
        if let Ok(name) = DistinguishedName::parse(&text) {
            prop_assert_eq!(DistinguishedName::parse(&name.to_string()).expect("written name"), name);
        }
    }
}
