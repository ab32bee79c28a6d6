//! EnvelopedData and AuthEnvelopedData.

use portreeve_pkix::{KeyAlgorithm, Oid, Secret};
use portreeve_wire::cms::{
    self, CmsError, ContentCipher, EnvelopedData, KeyDerivation, KeyTransport, KeyWrap, OaepHash, Recipient,
    RecipientId, RecipientInfo,
};

use crate::openssl::OpenSsl;
use crate::{certificate, private_key, with_certificate};

const CONTENT: &[u8] = b"a private key, say";

fn content() -> Secret {
    Secret::new(CONTENT.to_vec())
}

/// Decrypts `ours.cms` with the key and certificate of `r`.
fn openssl_decrypts(openssl: &OpenSsl) -> Vec<u8> {
    openssl.run(&[
        "cms", "-decrypt", "-inform", "DER", "-in", "ours.cms", "-inkey", "r.key", "-recip", "r.pem",
        "-binary",
    ])
}

#[test]
fn openssl_reads_key_transport() {
    let openssl = with_certificate("r", "RSA 2048");
    let certificate = certificate(&openssl, "r");
    let by_key = RecipientId::KeyIdentifier(certificate.subject_key_id().expect("identifier"));
    let transports = [
        KeyTransport::Pkcs1,
        KeyTransport::Oaep(OaepHash::Sha1),
        KeyTransport::Oaep(OaepHash::Sha256),
        KeyTransport::Oaep(OaepHash::Sha512),
    ];
    for transport in transports {
        for (id, cipher) in [
            (RecipientId::of(&certificate), ContentCipher::Aes256Cbc),
            (by_key.clone(), ContentCipher::Aes128Cbc),
            (by_key.clone(), ContentCipher::Aes256Gcm),
        ] {
            let to = Recipient::KeyTransport {
                id,
                key: certificate.public_key(),
                transport,
            };
            let message = cms::encrypt(&Oid::DATA, &content(), &to, cipher).expect("encrypted");
            openssl.write("ours.cms", &message);
            assert_eq!(openssl_decrypts(&openssl), CONTENT, "{to:?} {cipher:?}");
            let read = EnvelopedData::from_ber(&message).expect("reads");
            let recipient = read.recipient_for(&certificate).expect("ours");
            let key = cms::unwrap_transported(recipient, &private_key(&openssl, "r"));
            assert_eq!(read.open(key), Ok(content()), "{to:?} {cipher:?}");
        }
    }
}

#[test]
fn openssl_reads_key_agreement() {
    for (kind, derivation, wrap) in [
        ("EC P-256", KeyDerivation::Sha256, KeyWrap::Aes256),
        ("EC P-384", KeyDerivation::Sha384, KeyWrap::Aes256),
        ("EC P-256", KeyDerivation::Sha384, KeyWrap::Aes128),
        ("EC P-521", KeyDerivation::Sha256, KeyWrap::Aes128),
    ] {
        let openssl = with_certificate("r", kind);
        let certificate = certificate(&openssl, "r");
        let by_key = RecipientId::KeyIdentifier(certificate.subject_key_id().expect("identifier"));
        for id in [RecipientId::of(&certificate), by_key] {
            let to = Recipient::KeyAgreement {
                id,
                key: certificate.public_key(),
                derivation,
                wrap,
            };
            let cipher = ContentCipher::Aes256Cbc;
            let message = cms::encrypt(&Oid::DATA, &content(), &to, cipher).expect("encrypted");
            openssl.write("ours.cms", &message);
            assert_eq!(openssl_decrypts(&openssl), CONTENT, "{kind} {to:?}");
            let read = EnvelopedData::from_ber(&message).expect("reads");
            let recipient = read.recipient_for(&certificate).expect("ours");
            let algorithm = certificate.public_key().algorithm();
            let key = cms::unwrap_agreed(recipient, algorithm, &private_key(&openssl, "r"));
            assert_eq!(read.open(key), Ok(content()), "{kind}");
        }
    }
}

#[test]
fn openssl_reads_shared_keys() {
    let openssl = OpenSsl::new();
    for length in [16, 32] {
        for cipher in ContentCipher::ALL {
            let key = Secret::new((0..length).collect());
            let to = Recipient::SharedKey {
                identifier: b"\x01\x02",
                key: &key,
            };
            let message = cms::encrypt(&Oid::DATA, &content(), &to, cipher).expect("encrypted");
            openssl.write("ours.cms", message);
            let hex = hex::encode(key.expose());
            let read = openssl.run(&[
                "cms",
                "-decrypt",
                "-inform",
                "DER",
                "-in",
                "ours.cms",
                "-secretkey",
                &hex,
                "-secretkeyid",
                "0102",
                "-binary",
            ]);
            assert_eq!(read, CONTENT, "{length} {cipher:?}");
        }
    }
}

#[test]
fn we_read_openssl() {
    let rsa: [(&str, &[&str]); 4] = [
        ("PKCS #1", &[]),
        ("streamed", &["-stream"]),
        ("OAEP", &["-keyopt", "rsa_padding_mode:oaep"]),
        (
            "OAEP SHA-256",
            &[
                "-keyopt",
                "rsa_padding_mode:oaep",
                "-keyopt",
                "rsa_oaep_md:sha256",
            ],
        ),
    ];
    let openssl = with_certificate("r", "RSA 2048");
    openssl.write("plain", CONTENT);
    for cipher in ["-aes-128-cbc", "-aes-256-cbc", "-aes-256-gcm"] {
        for (name, options) in rsa {
            let read =
                encrypted_by_openssl(&openssl, &[&[cipher][..], &["-recip", "r.pem"], options].concat());
            let recipient = read.recipient_for(&certificate(&openssl, "r")).expect("ours");
            let key = cms::unwrap_transported(recipient, &private_key(&openssl, "r"));
            assert_eq!(read.open(key), Ok(content()), "{name} {cipher}");
        }
    }
    let secret = Secret::new(vec![0xab; 16]);
    let read = encrypted_by_openssl(
        &openssl,
        &[
            "-aes-256-cbc",
            "-secretkey",
            &hex::encode(secret.expose()),
            "-secretkeyid",
            "aa",
        ],
    );
    let found =
        matches!(&read.recipients()[0], RecipientInfo::SharedKey { identifier, .. } if identifier == &[0xaa]);
    assert!(found, "{read:?}");
    assert_eq!(
        read.open(cms::unwrap_shared(&read.recipients()[0], &secret)),
        Ok(content())
    );
}

#[test]
fn we_read_agreements_of_openssl() {
    for (kind, algorithm) in [
        ("EC P-256", KeyAlgorithm::EcP256),
        ("EC P-384", KeyAlgorithm::EcP384),
    ] {
        for hash in ["ecdh_kdf_md:sha256", "ecdh_kdf_md:sha384"] {
            let openssl = with_certificate("r", kind);
            openssl.write("plain", CONTENT);
            let options = [
                "-aes-256-cbc",
                "-recip",
                "r.pem",
                "-keyopt",
                hash,
                "-aes256-wrap",
                "-stream",
            ];
            let read = encrypted_by_openssl(&openssl, &options);
            let recipient = read.recipient_for(&certificate(&openssl, "r")).expect("ours");
            let key = cms::unwrap_agreed(recipient, algorithm, &private_key(&openssl, "r"));
            assert_eq!(read.open(key), Ok(content()), "{kind} {hash}");
        }
    }
}

fn encrypted_by_openssl(openssl: &OpenSsl, options: &[&str]) -> EnvelopedData {
    let base = [
        "cms",
        "-encrypt",
        "-binary",
        "-in",
        "plain",
        "-outform",
        "DER",
        "-out",
        "theirs.cms",
    ];
    openssl.run(&[&base, options].concat());
    EnvelopedData::from_ber(&openssl.read("theirs.cms")).expect("reads")
}

#[test]
fn every_failure_to_decrypt_looks_the_same() {
    let openssl = with_certificate("r", "RSA 2048");
    let certificate = certificate(&openssl, "r");
    let own = private_key(&openssl, "r");
    for cipher in ContentCipher::ALL {
        for transport in [KeyTransport::Pkcs1, KeyTransport::Oaep(OaepHash::Sha256)] {
            let to = Recipient::KeyTransport {
                id: RecipientId::of(&certificate),
                key: certificate.public_key(),
                transport,
            };
            // So long that padding that happens to fit does not give the content.
            let long = Secret::new(vec![1; 1000]);
            let message = cms::encrypt(&Oid::DATA, &long, &to, cipher).expect("encrypted");
            let read = EnvelopedData::from_ber(&message).expect("reads");
            let mut damaged = read.recipients()[0].clone();
            if let RecipientInfo::KeyTransport { encrypted_key, .. } = &mut damaged {
                encrypted_key[17] ^= 1;
            }
            for key in [
                cms::unwrap_transported(&damaged, &own),
                cms::unwrap_shared(&read.recipients()[0], &Secret::new(vec![1; 16])),
                Ok(Secret::new(vec![1; 5])),
                Ok(Secret::new(vec![1; cipher.key_length()])),
            ] {
                let opened = read.open(key);
                assert!(opened.is_err() || opened.as_ref() != Ok(&long), "{cipher:?}");
                if cipher.is_authenticated() {
                    assert_eq!(opened, Err(CmsError::Decryption), "{cipher:?}");
                }
            }
        }
    }
}

#[test]
fn keys_that_do_not_fit_are_refused() {
    let rsa = with_certificate("r", "RSA 1024");
    let short = certificate(&rsa, "r");
    let ec = with_certificate("r", "EC P-256");
    let curve = certificate(&ec, "r");
    let ed = with_certificate("r", "ED25519");
    let edwards = certificate(&ed, "r");
    let transport = |key| Recipient::KeyTransport {
        id: RecipientId::KeyIdentifier(vec![1]),
        key,
        transport: KeyTransport::Pkcs1,
    };
    let agreement = |key| Recipient::KeyAgreement {
        id: RecipientId::KeyIdentifier(vec![1]),
        key,
        derivation: KeyDerivation::Sha256,
        wrap: KeyWrap::Aes256,
    };
    let weak = Secret::new(vec![1; 8]);
    let rows = [
        ("1024 bits", transport(short.public_key())),
        ("transport to a curve", transport(curve.public_key())),
        ("agreement with RSA", agreement(short.public_key())),
        ("agreement with Ed25519", agreement(edwards.public_key())),
        (
            "weak shared key",
            Recipient::SharedKey {
                identifier: b"k",
                key: &weak,
            },
        ),
    ];
    for (name, to) in rows {
        let made = cms::encrypt(&Oid::DATA, &content(), &to, ContentCipher::Aes256Cbc);
        assert!(matches!(made, Err(CmsError::Key(_))), "{name}: {made:?}");
    }
}
