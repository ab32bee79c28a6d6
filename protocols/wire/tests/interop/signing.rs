//! SignedData.

use portreeve_pkix::{KeyAlgorithm, KeyPair, Oid};
use portreeve_wire::cms::{CmsAttribute, CmsError, RecipientId, SignedData, SignedDataDraft};

use crate::{add_certificate, certificate, private_key, with_certificate};

const CONTENT: &[u8] = b"signed content";
const KINDS: [(&str, KeyAlgorithm); 5] = [
    ("EC P-256", KeyAlgorithm::EcP256),
    ("EC P-384", KeyAlgorithm::EcP384),
    ("EC P-521", KeyAlgorithm::EcP521),
    ("RSA 2048", KeyAlgorithm::Rsa { bits: 2048 }),
    ("ED25519", KeyAlgorithm::Ed25519),
];

#[test]
fn openssl_verifies_what_we_sign() {
    for (kind, algorithm) in KINDS {
        let openssl = with_certificate("s", kind);
        let certificate = certificate(&openssl, "s");
        let pair = KeyPair::from_pkcs8(algorithm, private_key(&openssl, "s")).expect("key");
        let by_key = RecipientId::KeyIdentifier(certificate.subject_key_id().expect("identifier"));
        for (content_type, id) in [
            (Oid::DATA, RecipientId::of(&certificate)),
            (Oid::DATA, by_key.clone()),
            (Oid::KEY_PACKAGE, by_key),
        ] {
            let extra = CmsAttribute::new(
                Oid::DECRYPT_KEY_IDENTIFIER,
                portreeve_pkix::der::octet_string(b"transaction"),
            );
            let draft = SignedDataDraft::new(
                content_type.clone(),
                CONTENT.to_vec(),
                (id, pair.signature_algorithm()),
                &[extra],
            );
            let signature = pair.sign(&draft.to_be_signed()).expect("signed");
            let message = draft.assemble(&signature, &[certificate.der()]);
            openssl.write("ours.cms", &message);
            // OpenSSL 3.0 has no Ed25519 in CMS.
            if kind != "ED25519" {
                let read = openssl.run(&[
                    "cms",
                    "-verify",
                    "-noverify",
                    "-inform",
                    "DER",
                    "-in",
                    "ours.cms",
                    "-binary",
                    "-certfile",
                    "s.pem",
                ]);
                assert_eq!(read, CONTENT, "{kind}");
            }
            let read = SignedData::from_ber(&message).expect("reads");
            assert_eq!((read.content_type(), read.content()), (&content_type, CONTENT));
            assert_eq!(read.certificates(), std::slice::from_ref(&certificate));
            let signer = &read.signers()[0];
            assert!(signer.id().names(&certificate));
            assert!(signer.attribute(&Oid::DECRYPT_KEY_IDENTIFIER).is_some());
            assert_eq!(read.verify(signer, certificate.public_key()), Ok(()), "{kind}");
        }
    }
}

#[test]
fn we_verify_what_openssl_signs() {
    for (kind, _) in KINDS {
        let openssl = with_certificate("s", kind);
        add_certificate(&openssl, "other", kind);
        openssl.write("plain", CONTENT);
        // OpenSSL takes SHA-256 for P-521 unless told otherwise, and only SHA-512 for Ed25519.
        for options in [&[][..], &["-stream"], &["-keyid"], &["-noattr"]] {
            if kind == "ED25519" {
                continue;
            }
            let base = [
                "cms",
                "-sign",
                "-binary",
                "-nodetach",
                "-in",
                "plain",
                "-signer",
                "s.pem",
                "-inkey",
                "s.key",
                "-md",
                "sha256",
                "-outform",
                "DER",
                "-out",
                "theirs.cms",
            ];
            openssl.run(&[&base, options].concat());
            let read = SignedData::from_ber(&openssl.read("theirs.cms")).expect("reads");
            assert_eq!(read.content(), CONTENT, "{kind}");
            let signer = &read.signers()[0];
            let verify = |name: &str| read.verify(signer, certificate(&openssl, name).public_key());
            assert_eq!(verify("s"), Ok(()), "{kind} {options:?}");
            assert_eq!(verify("other"), Err(CmsError::BadSignature), "{kind} {options:?}");
        }
    }
}

#[test]
fn a_changed_content_is_noticed() {
    let openssl = with_certificate("s", "EC P-256");
    let certificate = certificate(&openssl, "s");
    let pair = KeyPair::from_pkcs8(KeyAlgorithm::EcP256, private_key(&openssl, "s")).expect("key");
    let signer = (RecipientId::of(&certificate), pair.signature_algorithm());
    let draft = SignedDataDraft::new(Oid::DATA, CONTENT.to_vec(), signer, &[]);
    let signature = pair.sign(&draft.to_be_signed()).expect("signed");
    let message = draft.assemble(&signature, &[]);
    let at = message
        .windows(CONTENT.len())
        .position(|w| w == CONTENT)
        .expect("content");
    let mut changed = message.clone();
    changed[at] ^= 1;
    for (name, message, expected) in [
        ("as it was", message, Ok(())),
        ("changed", changed, Err(CmsError::BadSignature)),
    ] {
        let read = SignedData::from_ber(&message).expect("reads");
        let verified = read.verify(&read.signers()[0], certificate.public_key());
        assert_eq!(verified, expected, "{name}");
    }
}
