//! What the tests of this crate share, and the tests of more than one module.

mod authority;
mod backend;
mod openssl;

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_pkix::{
    Certificate, DistinguishedName, DnsName, GeneralName, KeyAlgorithm, KeyUsage, Oid, PublicKey,
    SignatureAlgorithm, Timestamp,
};
use portreeve_ra::ports::{Clock, Random, SignError, Signer, ToSign};
use portreeve_ra::{BackendName, CertificateContents, Publication, ValidityPeriod};

use crate::addresses::Addresses;
use crate::authority::{AuthorityContents, Ceremony, Parent, create_issuing, create_root};
use crate::backend::{LocalCa, LocalCaConfig, LocalCaParts};

pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);
/// 2026-11-22T12:00:00.250Z.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_795_348_800_250);

pub(crate) struct SetClock(pub(crate) Mutex<Timestamp>);

impl SetClock {
    pub(crate) fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(Mutex::new(now)))
    }

    pub(crate) fn set(&self, now: Timestamp) {
        *self.0.lock().expect("clock") = now;
    }
}

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().expect("clock")
    }

    async fn sleep(&self, _duration: Duration) {}
}

pub(crate) struct System;

impl Random for System {
    fn fill(&self, octets: &mut [u8]) {
        aws_lc_rs::rand::fill(octets).expect("random");
    }
}

/// A key in this process; `answer` replaces what it would say, `corrupts` makes its signatures verify under no key.
pub(crate) struct TestSigner {
    pair: EcdsaKeyPair,
    public_key: PublicKey,
    pub(crate) answer: Mutex<Option<SignError>>,
    pub(crate) corrupts: AtomicBool,
    pub(crate) asked: Mutex<Vec<ToSign>>,
}

impl TestSigner {
    pub(crate) fn new() -> Arc<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("key");
        let public_key =
            PublicKey::from_ec_point(KeyAlgorithm::EcP256, pair.public_key().as_ref()).expect("key");
        Arc::new(Self {
            pair,
            public_key,
            answer: Mutex::default(),
            corrupts: AtomicBool::default(),
            asked: Mutex::default(),
        })
    }
}

#[async_trait]
impl Signer for TestSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaSha256
    }

    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    async fn sign(&self, what: ToSign) -> Result<Vec<u8>, SignError> {
        let (ToSign::Certificate { tbs, .. } | ToSign::RevocationList { tbs }) = &what;
        let mut signature = self
            .pair
            .sign(&SystemRandom::new(), tbs)
            .expect("signed")
            .as_ref()
            .to_vec();
        if self.corrupts.load(Ordering::Relaxed)
            && let Some(last) = signature.last_mut()
        {
            *last ^= 1;
        }
        self.asked.lock().expect("asked").push(what);
        self.answer
            .lock()
            .expect("answer")
            .clone()
            .map_or(Ok(signature), Err)
    }
}

pub(crate) fn ec_key() -> PublicKey {
    TestSigner::new().public_key.clone()
}

pub(crate) fn rsa_key(octets: usize, exponent: &[u8]) -> PublicKey {
    PublicKey::from_rsa(&vec![0xc1; octets], exponent).expect("key")
}

pub(crate) fn dns(name: &str) -> GeneralName {
    GeneralName::Dns(DnsName::parse(name).expect("name"))
}

pub(crate) fn authority(common_name: &str, days: u32, path_len: Option<u32>) -> AuthorityContents {
    AuthorityContents {
        subject: DistinguishedName::common_name(common_name).with(Oid::ORGANIZATION, "Test DEV ONLY"),
        lifetime: DAY * days,
        path_len,
        addresses: Addresses::default(),
    }
}

pub(crate) fn addresses() -> Addresses {
    Addresses {
        crl: vec!["http://pki.example/crl/issuing.crl".to_owned()],
        ca_issuers: vec!["http://pki.example/ca/issuing.cer".to_owned()],
        ocsp: vec!["http://pki.example/ocsp/issuing".to_owned()],
    }
}

pub(crate) fn contents(public_key: PublicKey) -> CertificateContents {
    CertificateContents {
        subject: DistinguishedName::common_name("www.example.com"),
        names: vec![
            dns("www.example.com"),
            dns("*.example.com"),
            GeneralName::Ip(IpAddr::from([192, 0, 2, 1])),
            GeneralName::Email("a@example.com".to_owned()),
            GeneralName::Uri("spiffe://example.com/a".to_owned()),
        ],
        public_key,
        validity: ValidityPeriod {
            backdate: Duration::from_secs(60),
            lifetime: DAY * 90,
        },
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        extended_key_usage: vec![Oid::EKU_SERVER_AUTH, Oid::EKU_CLIENT_AUTH],
        policies: vec!["2.23.140.1.2.1".parse().expect("oid")],
        basic_constraints: true,
        publication: Publication {
            crl: true,
            ca_issuers: true,
            ocsp: true,
        },
    }
}

/// A root and an issuing CA made at [`NOW`], with keys in this process.
pub(crate) struct TestCa {
    pub(crate) ca: LocalCa,
    pub(crate) signer: Arc<TestSigner>,
    pub(crate) clock: Arc<SetClock>,
    pub(crate) root: Certificate,
}

impl TestCa {
    pub(crate) async fn new() -> Self {
        let clock = SetClock::at(NOW);
        let ceremony = Ceremony {
            clock: &*clock,
            random: &System,
        };
        let root_signer = TestSigner::new();
        let root = create_root(&*root_signer, &authority("Root", 3650, None), &ceremony)
            .await
            .expect("root");
        let signer = TestSigner::new();
        let parent = Parent {
            certificate: &root,
            signer: &*root_signer,
        };
        let wanted = authority("Issuing", 365, Some(0));
        let issuer = create_issuing(&parent, signer.public_key(), &wanted, &ceremony)
            .await
            .expect("issuing");
        let parts = LocalCaParts {
            issuer,
            chain: vec![root.clone()],
            signer: signer.clone(),
            clock: clock.clone(),
            random: Arc::new(System),
        };
        let ca = LocalCa::new(config(), parts).expect("CA");
        Self {
            ca,
            signer,
            clock,
            root,
        }
    }
}

pub(crate) fn config() -> LocalCaConfig {
    LocalCaConfig {
        name: BackendName::new("issuing").expect("name"),
        addresses: addresses(),
        excused: Default::default(),
    }
}
