use super::*;
use portreeve_pkix::{GeneralName, encode};
use proptest::prelude::*;

fn device() -> Requirements {
    Requirements {
        subject: vec![
            SubjectRequirement {
                oid: Oid::ORGANIZATION,
                value: Some("Example".to_owned()),
            },
            SubjectRequirement {
                oid: Oid::COMMON_NAME,
                value: None,
            },
        ],
        key: KeyRequirement::EllipticCurve(Some(KeyAlgorithm::EcP256)),
        extensions: vec![
            ExtensionRequirement {
                oid: Oid::EXTENDED_KEY_USAGE,
                critical: false,
                value: Some(encode::extended_key_usage(&[Oid::EKU_CLIENT_AUTH])),
            },
            ExtensionRequirement {
                oid: Oid::SUBJECT_ALT_NAME,
                critical: true,
                value: None,
            },
        ],
        linking: Linking::Required,
    }
}

#[test]
fn rfc_9908_section_3_4_both_ways_stand_side_by_side() {
    let requirements = device();
    let said = requirements.to_csr_attributes();
    let types: Vec<String> = said.items.iter().map(|item| item.oid().to_string()).collect();
    let expected = [
        Oid::CHALLENGE_PASSWORD,
        Oid::EC_PUBLIC_KEY,
        Oid::EXTENSION_REQUEST,
        Oid::REQUEST_TEMPLATE,
    ];
    assert_eq!(types, expected.map(|oid| oid.to_string()));
    let read = CsrAttributes::from_der(&said.to_der()).expect("reads");
    assert_eq!(read, said);
    let template = read.template().expect("a template").expect("present");
    let subject: Vec<SubjectRequirement> = template.subject.into_iter().flatten().collect();
    assert_eq!(subject, requirements.subject);
    assert_eq!(template.key, requirements.key);
    assert_eq!(template.extensions, requirements.extensions);
    assert_eq!(template.others.len(), 1);
}

#[test]
fn rfc_9908_section_3_4_a_full_extension_request_is_a_plain_one() {
    let mut requirements = device();
    requirements.extensions.truncate(1);
    let der = requirements.to_csr_attributes().to_der();
    let holds = |oid: &Oid| {
        der.windows(oid.to_der().len())
            .filter(|w| *w == oid.to_der())
            .count()
    };
    assert_eq!(
        holds(&Oid::EXTENSION_REQUEST),
        2,
        "outside the template and inside"
    );
    assert_eq!(holds(&Oid::EXTENSION_REQUEST_TEMPLATE), 0);
}

#[test]
fn rfc_9908_section_3_2_one_key_type_or_none() {
    let rsa = |bits| KeyAlgorithm::Rsa { bits };
    let (p256, p384, ed) = (KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Ed25519);
    let rows: [(&[KeyAlgorithm], KeyRequirement); 9] = [
        (&[], KeyRequirement::Any),
        (&[p256], KeyRequirement::EllipticCurve(Some(p256))),
        (&[p256, p384], KeyRequirement::EllipticCurve(None)),
        (&[rsa(3072)], KeyRequirement::Rsa { bits: Some(3072) }),
        (&[rsa(3072), rsa(4096)], KeyRequirement::Rsa { bits: None }),
        (&[ed], KeyRequirement::Ed25519),
        (&[p256, ed], KeyRequirement::Any),
        (&[p256, rsa(2048)], KeyRequirement::Any),
        (&[KeyAlgorithm::Unsupported], KeyRequirement::Any),
    ];
    for (accepted, expected) in rows {
        assert_eq!(KeyRequirement::of(accepted), expected, "{accepted:?}");
        let requirements = Requirements {
            key: expected,
            ..Requirements::default()
        };
        let said = requirements.to_csr_attributes();
        let read = CsrAttributes::from_der(&said.to_der()).expect("reads");
        let key = read
            .template()
            .expect("a template")
            .map_or(KeyRequirement::Any, |t| t.key);
        assert_eq!(key, expected, "{accepted:?}");
    }
}

#[test]
fn nothing_asked_is_an_empty_answer() {
    assert_eq!(Requirements::default().to_csr_attributes().to_der(), [0x30, 0]);
    let read = CsrAttributes::from_der(&[0x30, 0]).expect("reads");
    assert_eq!(read.template(), Ok(None));
}

/// The example of RFC 7030 section 4.5.2, which RFC 9908 corrects, and which must be readable as it is.
#[test]
fn rfc_7030_section_4_5_2_example() {
    let der = hex::decode(
        "304106092a864886f70d010907301206072a8648ce3d0201310706052b81040022301606092a864886f70d01090e310906072b06010101\
         0116 06082a8648ce3d040303"
            .replace(' ', ""),
    )
    .expect("hex");
    let read = CsrAttributes::from_der(&der).expect("reads");
    let types: Vec<String> = read.items.iter().map(|item| item.oid().to_string()).collect();
    let expected = [
        "1.2.840.113549.1.9.7",
        "1.2.840.10045.2.1",
        "1.2.840.113549.1.9.14",
        "1.2.840.10045.4.3.3",
    ];
    assert_eq!(types, expected);
    assert_eq!(read.to_der(), der);
}

#[test]
fn attributes_are_bounded() {
    let many = |count: usize| CsrAttributes {
        items: vec![CsrAttribute::Oid(Oid::CHALLENGE_PASSWORD); count],
    };
    assert!(CsrAttributes::from_der(&many(64).to_der()).is_ok());
    assert!(CsrAttributes::from_der(&many(65).to_der()).is_err());
    let value = vec![der::null(); 17];
    let wide = CsrAttribute::Attribute {
        oid: Oid::SHA256,
        values: value,
    };
    assert!(CsrAttributes::from_der(&CsrAttributes { items: vec![wide] }.to_der()).is_err());
    let rows: [(&str, Vec<u8>); 5] = [
        ("no sequence", der::set_of(vec![])),
        ("an integer", der::sequence(&[der::unsigned_integer(&[1])])),
        ("trailing", vec![0x30, 0, 0]),
        (
            "three fields",
            der::sequence(&[der::sequence(&[
                Oid::SHA256.to_der(),
                der::set_of(vec![]),
                der::null(),
            ])]),
        ),
        ("empty", vec![]),
    ];
    for (name, bytes) in rows {
        assert!(CsrAttributes::from_der(&bytes).is_err(), "{name}");
    }
}

#[test]
fn templates_with_contradictions_are_refused() {
    let attribute = |oid: &Oid, value: Vec<u8>| der::sequence(&[oid.to_der(), der::set_of(vec![value])]);
    let template = |version: u8, attributes: &[Vec<u8>]| {
        der::sequence(&[
            der::unsigned_integer(&[version]),
            der::constructed(der::tag::context_constructed(1), attributes),
        ])
    };
    let eku = der::sequence(&[
        Oid::EXTENDED_KEY_USAGE.to_der(),
        der::octet_string(&encode::extended_key_usage(&[Oid::EKU_CLIENT_AUTH])),
    ]);
    let full = attribute(&Oid::EXTENSION_REQUEST, der::sequence(std::slice::from_ref(&eku)));
    let partial = attribute(
        &Oid::EXTENSION_REQUEST_TEMPLATE,
        der::sequence(std::slice::from_ref(&eku)),
    );
    let rows: [(&str, Vec<u8>, bool); 6] = [
        ("good", template(0, std::slice::from_ref(&full)), true),
        ("version", template(1, &[]), false),
        ("both ways at once", template(0, &[full.clone(), partial]), false),
        ("twice", template(0, &[full.clone(), full]), false),
        (
            "one extension twice",
            template(
                0,
                &[attribute(
                    &Oid::EXTENSION_REQUEST,
                    der::sequence(&[eku.clone(), eku]),
                )],
            ),
            false,
        ),
        (
            "no attributes",
            der::sequence(&[der::unsigned_integer(&[0])]),
            false,
        ),
    ];
    for (name, der, good) in rows {
        let attributes = CsrAttributes {
            items: vec![CsrAttribute::single(Oid::REQUEST_TEMPLATE, der)],
        };
        assert_eq!(attributes.template().is_ok(), good, "{name}");
    }
}

#[test]
fn names_in_an_extension_keep_their_value() {
    let name = GeneralName::Dns("a.example".parse().expect("name"));
    let value = encode::subject_alt_name(&[name]);
    let requirements = Requirements {
        extensions: vec![ExtensionRequirement {
            oid: Oid::SUBJECT_ALT_NAME,
            critical: false,
            value: Some(value.clone()),
        }],
        ..Requirements::default()
    };
    let read = CsrAttributes::from_der(&requirements.to_csr_attributes().to_der()).expect("reads");
    let template = read.template().expect("a template").expect("present");
    assert_eq!(template.extensions[0].value, Some(value));
}

proptest! {
    #[test]
    fn any_bytes_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(read) = CsrAttributes::from_der(&bytes) {
            let _ = read.template();
        }
    }
}
