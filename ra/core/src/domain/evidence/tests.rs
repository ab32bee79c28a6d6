use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as lc, KeyPair};

const PROPOSAL: ProposalId = ProposalId::from_bytes([7; 16]);

fn statement(by: &Principal) -> Statement<'_> {
    Statement {
        proposal: PROPOSAL,
        digest: &[0xab; 32],
        by,
        decision: Decision::Approve,
        grant: None,
        comment: "looks right",
    }
}

fn alice() -> Principal {
    "operator:alice".parse().unwrap()
}

/// A P-256 key and what signs with it.
struct Signer {
    key: lc::EcdsaKeyPair,
    spki: PublicKey,
}

impl Signer {
    fn new() -> Self {
        let algorithm = &lc::ECDSA_P256_SHA256_ASN1_SIGNING;
        let key = lc::EcdsaKeyPair::generate(algorithm).unwrap();
        let spki = PublicKey::from_ec_point(KeyAlgorithm::EcP256, key.public_key().as_ref()).unwrap();
        Self { key, spki }
    }

    fn sign(&self, text: &str) -> Evidence {
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        Evidence {
            algorithm: EvidenceAlgorithm::Es256,
            key: self.spki.der().to_vec(),
            signature: signature.as_ref().to_vec(),
        }
    }
}

#[test]
fn the_text_that_is_signed() {
    let by = alice();
    let granted = Statement {
        grant: GrantTerms::new(2, 5),
        ..statement(&by)
    };
    let expected = "portreeve approval evidence 1\n\
        proposal: 07070707-0707-0707-0707-070707070707\n\
        digest: abababababababababababababababababababababababababababababababab\n\
        operator: operator:alice\n\
        decision: approve\n\
        grant: uses=2 days=5\n\
        comment-sha256: ";
    assert!(granted.text().starts_with(expected), "{}", granted.text());
    assert_eq!(granted.text().lines().count(), 7);
    assert!(statement(&by).text().contains("\ngrant: none\n"));
}

#[test]
fn evidence_holds_for_exactly_one_statement() {
    let (signer, by, other) = (Signer::new(), alice(), "operator:bob".parse().unwrap());
    let evidence = signer.sign(&statement(&by).text());
    let keys = [[1; 32], evidence.key_sha256()];
    assert!(evidence.holds(&statement(&by), &keys));
    let rows = [
        (
            "another comment",
            Statement {
                comment: "looks right ",
                ..statement(&by)
            },
        ),
        (
            "another decision",
            Statement {
                decision: Decision::Reject,
                ..statement(&by)
            },
        ),
        (
            "another digest",
            Statement {
                digest: &[0xac; 32],
                ..statement(&by)
            },
        ),
        (
            "another proposal",
            Statement {
                proposal: ProposalId::from_bytes([8; 16]),
                ..statement(&by)
            },
        ),
        (
            "a grant besides",
            Statement {
                grant: GrantTerms::new(1, 1),
                ..statement(&by)
            },
        ),
        ("another operator", statement(&other)),
    ];
    for (name, statement) in rows {
        assert!(!evidence.holds(&statement, &keys), "{name}");
    }
}

#[test]
fn evidence_is_by_a_key_that_is_listed_and_fits() {
    let (signer, stranger, by) = (Signer::new(), Signer::new(), alice());
    let good = signer.sign(&statement(&by).text());
    let keys = [good.key_sha256()];
    let mut flipped = good.clone();
    flipped.signature[9] ^= 1;
    let rows = [
        ("a key of nobody", stranger.sign(&statement(&by).text())),
        ("a flipped bit", flipped),
        (
            "no signature",
            Evidence {
                signature: Vec::new(),
                ..good.clone()
            },
        ),
        (
            "a long signature",
            Evidence {
                signature: vec![0; 2000],
                ..good.clone()
            },
        ),
        (
            "another algorithm",
            Evidence {
                algorithm: EvidenceAlgorithm::Es384,
                ..good.clone()
            },
        ),
        (
            "a key that is none",
            Evidence {
                key: b"key".to_vec(),
                ..good.clone()
            },
        ),
    ];
    for (name, evidence) in rows {
        assert!(!evidence.holds(&statement(&by), &keys), "{name}");
    }
    assert!(!good.holds(&statement(&by), &[]), "no key listed");
    let nonsense = Evidence {
        key: b"key".to_vec(),
        ..good
    };
    assert!(
        !nonsense.holds(&statement(&by), &[nonsense.key_sha256()]),
        "listed nonsense"
    );
}

#[test]
fn every_algorithm_verifies() {
    let (by, random) = (alice(), SystemRandom::new());
    let text = statement(&by).text();
    let p384 = lc::EcdsaKeyPair::generate(&lc::ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
    let ed = lc::Ed25519KeyPair::generate().unwrap();
    let rsa = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let mut rsa_signature = vec![0; rsa.public_modulus_len()];
    rsa.sign(
        &lc::RSA_PKCS1_SHA256,
        &random,
        text.as_bytes(),
        &mut rsa_signature,
    )
    .unwrap();
    let rsa_key = {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> = rsa.public_key().as_der().unwrap();
        PublicKey::from_der(der.as_ref()).unwrap()
    };
    let rows = [
        (
            EvidenceAlgorithm::Es384,
            PublicKey::from_ec_point(KeyAlgorithm::EcP384, p384.public_key().as_ref()).unwrap(),
            p384.sign(&random, text.as_bytes()).unwrap().as_ref().to_vec(),
        ),
        (
            EvidenceAlgorithm::EdDsa,
            PublicKey::from_ed25519(ed.public_key().as_ref()).unwrap(),
            ed.sign(text.as_bytes()).as_ref().to_vec(),
        ),
        (EvidenceAlgorithm::Rs256, rsa_key, rsa_signature),
    ];
    for (algorithm, key, signature) in rows {
        let evidence = Evidence {
            algorithm,
            key: key.der().to_vec(),
            signature,
        };
        assert!(
            evidence.holds(&statement(&by), &[key.fingerprint()]),
            "{algorithm:?}"
        );
        assert_eq!(EvidenceAlgorithm::named(algorithm.as_str()), Some(algorithm));
        assert_eq!(EvidenceAlgorithm::of_key(key.algorithm()), Some(algorithm));
    }
    assert_eq!(EvidenceAlgorithm::of_key(KeyAlgorithm::Rsa { bits: 1024 }), None);
    assert_eq!(EvidenceAlgorithm::of_key(KeyAlgorithm::EcP521), None);
}
