use super::*;
use portreeve_pkix::der::{self, tag};
use portreeve_pkix::{DistinguishedName, KeyAlgorithm, KeyPair, RequestAttribute};
use std::str::FromStr;

fn request(attributes: &[RequestAttribute]) -> CertificationRequest {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).expect("key");
    CertificationRequest::sign(&DistinguishedName::common_name("a"), attributes, &key).expect("request")
}

fn with(capabilities: &[Capability]) -> CertificationRequest {
    request(&[RequestAttribute::SmimeCapabilities(capabilities.to_vec())])
}

fn plain(oid: Oid) -> Capability {
    Capability::plain(oid)
}

fn other(dotted: &str) -> Capability {
    plain(Oid::from_str(dotted).expect("oid"))
}

#[test]
fn rfc_7030_section_4_4_1_what_protects_the_key() {
    let shared = RequestAttribute::DecryptKeyIdentifier(b"k".to_vec());
    let public = RequestAttribute::AsymmetricDecryptKeyIdentifier(b"p".to_vec());
    let asked = |attributes: &[RequestAttribute]| KeyProtection::asked_by(&request(attributes));
    assert_eq!(asked(&[]), Ok(KeyProtection::None));
    let identifier = b"k".to_vec();
    assert_eq!(
        asked(std::slice::from_ref(&shared)),
        Ok(KeyProtection::SharedKey { identifier })
    );
    let identifier = b"p".to_vec();
    assert_eq!(
        asked(std::slice::from_ref(&public)),
        Ok(KeyProtection::PublicKey { identifier })
    );
    assert_eq!(asked(&[shared, public]), Err(EstError::TwoProtections));
}

#[test]
fn ciphers_by_capability() {
    type Row = (&'static str, Vec<Capability>, Option<ContentCipher>);
    let rows: [Row; 6] = [
        ("none named", vec![], Some(ContentCipher::Aes256Cbc)),
        (
            "as named",
            vec![plain(Oid::AES128_CBC)],
            Some(ContentCipher::Aes128Cbc),
        ),
        (
            "CBC before GCM",
            vec![plain(Oid::AES256_GCM), plain(Oid::AES128_CBC)],
            Some(ContentCipher::Aes128Cbc),
        ),
        (
            "GCM alone",
            vec![plain(Oid::AES256_GCM)],
            Some(ContentCipher::Aes256Gcm),
        ),
        (
            "another purpose",
            vec![plain(Oid::AES128_WRAP)],
            Some(ContentCipher::Aes256Cbc),
        ),
        ("triple DES alone", vec![other("1.2.840.113549.3.7")], None),
    ];
    for (name, capabilities, expected) in rows {
        let request = with(&capabilities);
        assert_eq!(
            Preferences::of(&request).content_cipher().ok(),
            expected,
            "{name}"
        );
    }
    let silent = request(&[]);
    assert_eq!(
        Preferences::of(&silent).content_cipher(),
        Ok(ContentCipher::Aes256Cbc)
    );
}

#[test]
fn transport_by_capability() {
    let sha384 = der::sequence(&[Oid::SHA384.to_der()]);
    let mask = der::sequence(&[Oid::MGF1.to_der(), sha384.clone()]);
    let whole = der::sequence(&[
        der::constructed(tag::context_constructed(0), std::slice::from_ref(&sha384)),
        der::constructed(tag::context_constructed(1), &[mask]),
    ]);
    let half = der::sequence(&[der::constructed(tag::context_constructed(0), &[sha384])]);
    let oaep = |parameters: Option<Vec<u8>>| Capability {
        oid: Oid::RSA_OAEP,
        parameters,
    };
    type Row = (&'static str, Vec<Capability>, Option<KeyTransport>);
    let rows: [Row; 6] = [
        ("none named", vec![], Some(KeyTransport::Oaep(OaepHash::Sha256))),
        (
            "PKCS #1",
            vec![plain(Oid::RSA_ENCRYPTION)],
            Some(KeyTransport::Pkcs1),
        ),
        (
            "OAEP by default",
            vec![oaep(None)],
            Some(KeyTransport::Oaep(OaepHash::Sha1)),
        ),
        (
            "OAEP SHA-384",
            vec![oaep(Some(whole))],
            Some(KeyTransport::Oaep(OaepHash::Sha384)),
        ),
        ("two hashes", vec![oaep(Some(half.clone()))], None),
        (
            "two hashes, then PKCS #1",
            vec![oaep(Some(half)), plain(Oid::RSA_ENCRYPTION)],
            Some(KeyTransport::Pkcs1),
        ),
    ];
    for (name, capabilities, expected) in rows {
        let request = with(&capabilities);
        assert_eq!(Preferences::of(&request).key_transport().ok(), expected, "{name}");
    }
}

#[test]
fn agreement_and_wrap_by_capability() {
    let scheme = Capability {
        oid: Oid::ECDH_SHA384_KDF,
        parameters: Some(der::sequence(&[Oid::AES128_WRAP.to_der()])),
    };
    type Row = (&'static str, Vec<Capability>, Option<(KeyDerivation, KeyWrap)>);
    let rows: [Row; 5] = [
        (
            "none named",
            vec![],
            Some((KeyDerivation::Sha256, KeyWrap::Aes256)),
        ),
        (
            "whole",
            vec![scheme],
            Some((KeyDerivation::Sha384, KeyWrap::Aes128)),
        ),
        (
            "wrap alone",
            vec![plain(Oid::AES128_WRAP)],
            Some((KeyDerivation::Sha256, KeyWrap::Aes128)),
        ),
        (
            "scheme and wrap apart",
            vec![plain(Oid::ECDH_SHA384_KDF), plain(Oid::AES256_WRAP)],
            Some((KeyDerivation::Sha384, KeyWrap::Aes256)),
        ),
        ("AES-192 alone", vec![other(OTHER_WRAPS[0])], None),
    ];
    for (name, capabilities, expected) in rows {
        let request = with(&capabilities);
        assert_eq!(Preferences::of(&request).key_agreement().ok(), expected, "{name}");
    }
    let request = with(&[plain(Oid::AES128_WRAP)]);
    assert!(Preferences::of(&request).allows_wrap(KeyWrap::Aes128).is_ok());
    assert!(Preferences::of(&request).allows_wrap(KeyWrap::Aes256).is_err());
    let request = with(&[plain(Oid::AES256_CBC)]);
    assert!(Preferences::of(&request).allows_wrap(KeyWrap::Aes256).is_ok());
}
