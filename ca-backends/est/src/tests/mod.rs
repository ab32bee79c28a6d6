mod faults;
mod issuers;
mod peer;
mod requests;
mod through_ra;

use async_trait::async_trait;
use portreeve_pkix::{
    CertificationRequest, DistinguishedName, Extension, GeneralName, KeyAlgorithm, KeyPair, KeyUsage, Oid,
    RequestAttribute, Secret, Timestamp, encode,
};
use portreeve_ra::ports::{CaBackend, CaError, Clock, IssueOutcome};
use portreeve_ra::{BackendName, CertificateContents, EnrollmentId, Intent, Publication, ValidityPeriod};
use std::sync::Arc;
use std::time::Duration;

use crate::config::{ChallengePassword, EstCaConfig, IssuerPin, Password, Repeats};
use crate::{EstCa, progress::Progress};
use peer::Peer;
use portreeve_harness::test_ca::{Fault, TestCa};

const DAY: Duration = Duration::from_secs(86_400);

struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_unix_seconds(i64::try_from(since.expect("clock").as_secs()).expect("seconds"))
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn ca() -> TestCa {
    TestCa::new(
        "Upstream CA",
        now().saturating_sub(DAY),
        now().saturating_add(DAY * 365),
    )
}

fn config(peer: &Peer, issuer: IssuerPin) -> EstCaConfig {
    EstCaConfig {
        name: BackendName::new("upstream").expect("name"),
        url: peer.url(),
        server_roots: vec![peer.root()],
        password: Some(Password {
            user: "gateway".to_owned(),
            password: Secret::new(b"secret word".to_vec()),
        }),
        identity: None,
        issuer,
        repeats: Repeats::AreRecognised,
        challenge_password: ChallengePassword::Refuse,
    }
}

fn pinned(ca: &TestCa) -> IssuerPin {
    IssuerPin::Chain(vec![ca.certificate().clone()])
}

fn backend(config: EstCaConfig) -> EstCa {
    EstCa::new(config, Arc::new(SystemClock)).expect("backend")
}

/// A request for `a.example`, with these further attributes, and what was decided on it.
struct Wanted {
    request: CertificationRequest,
    contents: CertificateContents,
}

fn wanted(further: &[RequestAttribute]) -> Wanted {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).expect("key");
    let subject = DistinguishedName::common_name("a.example");
    let names = vec![GeneralName::Dns("a.example".parse().expect("name"))];
    let san = Extension::non_critical(Oid::SUBJECT_ALT_NAME, encode::subject_alt_name(&names));
    let attributes = [&[RequestAttribute::Extensions(vec![san])], further].concat();
    let request = CertificationRequest::sign(&subject, &attributes, &key).expect("request");
    let contents = CertificateContents {
        subject,
        names,
        public_key: request.public_key().clone(),
        validity: ValidityPeriod {
            backdate: Duration::from_secs(60),
            lifetime: DAY * 10,
        },
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        extended_key_usage: vec![Oid::EKU_CLIENT_AUTH],
        policies: Vec::new(),
        basic_constraints: true,
        publication: Publication::default(),
    };
    Wanted { request, contents }
}

impl Wanted {
    fn intent(&self, backend: &EstCa) -> Intent {
        let prepared = backend.prepare(&self.contents, EnrollmentId::from_bytes([1; 16]), now());
        prepared.expect("prepared")
    }

    fn certificate(&self, ca: &TestCa) -> Vec<u8> {
        ca.issue(&self.contents, now(), &Fault::None)
    }

    async fn forward(&self, backend: &EstCa, progress: Progress) -> Result<IssueOutcome, CaError> {
        let intent = self.intent(backend);
        let what = (&self.contents, &intent);
        backend.forward(self.request.der(), what, progress).await
    }
}
