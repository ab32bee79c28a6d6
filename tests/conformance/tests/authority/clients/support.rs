//! An authority with an endpoint for devices, and what devices send.

use std::collections::BTreeSet;

use portreeve_pkix::{Oid, der};
use portreeve_ra::access::Acting;
use portreeve_ra::authority::{NewRegistrationSecret, StatusRequest};
use portreeve_ra::secrets::ShownSecret;
use portreeve_ra::{
    AllowedNames, EndpointName, EnrollmentRequest, EnrollmentState, Handle, KnownRegistration, Principal,
    Registration, RegistrationAuthority, SecretKind, SecretProof, Standing, StatusChange,
};
use rcgen::{Attribute, CertificateParams, DnType, KeyPair, SanType};

use super::*;

/// Renewal at any time, so that a test need not wait for its window.
pub(super) const ANY_TIME: &str = "renew_window = \"any\"\n";

pub(super) const DEVICES: &str = "est/devices";

pub(super) struct Fleet {
    pub(super) authority: TestAuthority,
    pub(super) backend: Arc<ScriptedBackend>,
}

impl Fleet {
    /// An authority with an endpoint for devices that says this besides.
    pub(super) async fn start(text: &str) -> Self {
        // The text of the other endpoint brings approvers along.
        let odd = Odd {
            power: RevocationPower::FromStore,
            ..Odd::new(Vec::new())
        };
        let (authority, backend) = odd.start("approval = \"one\"").await;
        // Keys are made only where the CA answers at once.
        backend.set_defers(false);
        let fleet = Self { authority, backend };
        fleet.endpoint(DEVICES, text).await;
        fleet
    }

    pub(super) async fn endpoint(&self, name: &str, text: &str) {
        let text = format!(
            "profiles = [\"dev\"]\nbackend = \"scripted\"\nnames = \"profile\"\ninline_wait = \"20s\"\nretry_after = \"1s\"\n{text}"
        );
        self.authority.put(ObjectKind::Endpoint, name, &text).await;
    }

    pub(super) fn ra(&self) -> &Arc<RegistrationAuthority> {
        &self.authority.ra
    }

    pub(super) fn by(&self, standing: &Standing) -> Acting {
        Acting {
            standing: standing.clone(),
            origin: Origin::node(self.ra().node()),
            reason: "test".into(),
        }
    }

    pub(super) async fn register(&self, registration: Registration) -> KnownRegistration {
        let standing = Standing::superadmin(Principal::Host);
        let by = self.by(&standing);
        let registered = self.ra().create_registration(&by, registration).await;
        registered.unwrap().known
    }

    pub(super) async fn secret(
        &self,
        known: &KnownRegistration,
        kind: SecretKind,
        uses_max: Option<u32>,
    ) -> ShownSecret {
        let standing = Standing::superadmin(Principal::Host);
        let new = NewRegistrationSecret {
            kind,
            reference: None,
            uses_max,
            until: None,
        };
        let made = self.ra().issue_secret(&self.by(&standing), known.id, new).await;
        made.unwrap().unwrap()
    }

    /// The password, good any number of times, of a registration that may have any name.
    pub(super) async fn password(&self, name: &str) -> Credential {
        let known = self.register(any(name)).await;
        password(&self.secret(&known, SecretKind::EstPassword, None).await)
    }

    pub(super) fn request(&self, credential: Credential, request: &[u8]) -> EnrollmentRequest {
        EnrollmentRequest {
            endpoint: at(DEVICES),
            operation: Operation::Enroll,
            credential,
            handle: Handle::SameRequest,
            request: request.to_vec(),
            channel: None,
            key_maker: None,
            profile_hint: None,
            not_before: None,
            not_after: None,
            origin: Origin::node(self.ra().node()),
            alongside: Alongside::default(),
        }
    }

    pub(super) async fn enroll(&self, credential: Credential, request: &[u8]) -> Result<Disposition, Error> {
        self.ra().enroll(self.request(credential, request)).await
    }

    pub(super) async fn renew(&self, credential: Credential, request: &[u8]) -> Result<Disposition, Error> {
        let request = EnrollmentRequest {
            operation: Operation::Renew,
            ..self.request(credential, request)
        };
        self.ra().enroll(request).await
    }

    /// A device with its key and the certificate it enrolled for by a password.
    pub(super) async fn device(&self, name: &str) -> Device {
        let credential = self.password(name).await;
        let key = KeyPair::generate().unwrap();
        let request = Csr::of(name).signed(&key);
        let issuance = certified(self.enroll(credential, &request).await);
        Device {
            key,
            issuance,
            request,
        }
    }

    pub(super) async fn change(&self, issuance: &Issuance, change: StatusChange) {
        let request = StatusRequest {
            enrollment: issuance.enrollment,
            change,
            comment: "because".into(),
            origin: Origin::node(self.ra().node()),
        };
        let everything = Standing::superadmin("operator:alice".parse().unwrap());
        self.ra().change_status(&everything, request).await.unwrap();
    }

    /// How many refusals are on record.
    pub(super) async fn refusals(&self) -> usize {
        let page = self.authority.store.streams(StreamKind::Refusal, None, 10).await;
        page.unwrap().items.len()
    }

    /// Works until this enrollment is in this state.
    pub(super) async fn reach(&self, id: EnrollmentId, wanted: EnrollmentState) {
        self.authority
            .work_until(wanted.as_str(), || async {
                let enrollment = self.ra().enrollment(id).await.unwrap().unwrap();
                enrollment.state() == Some(wanted)
            })
            .await;
    }

    /// The proposal that this enrollment waits for.
    pub(super) async fn proposal(&self, id: EnrollmentId) -> ProposalId {
        let enrollment = self.ra().enrollment(id).await.unwrap().unwrap();
        enrollment.proposal().expect("proposal")
    }

    pub(super) async fn application(&self, id: EnrollmentId) -> portreeve_ra::Application {
        let enrollment = self.ra().enrollment(id).await.unwrap().unwrap();
        enrollment.application().unwrap().clone()
    }

    /// This authority so many days later, with a CA whose clock is as late.
    pub(super) fn later(&self, days: i64) -> Arc<RegistrationAuthority> {
        let clock: Arc<dyn portreeve_ra::ports::Clock> = Arc::new(Later(days));
        let day = |days: i64| Timestamp::from_unix_seconds(clock.now().unix_seconds() + days * 86_400);
        let ca = TestCa::new("Later CA", day(-1), day(3_650));
        let script = (Vec::new(), Memory::Searchable);
        let backend = ScriptedBackend::new(backend_name(), ca, script, Arc::clone(&clock));
        backend.set_defers(false);
        self.authority.node_at(clock, Arc::new(backend), 9)
    }
}

/// So many days later.
struct Later(i64);

#[async_trait]
impl portreeve_ra::ports::Clock for Later {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(clock().now().unix_seconds() + self.0 * 86_400)
    }
    async fn sleep(&self, duration: Duration) {
        clock().sleep(duration).await;
    }
}

pub(super) fn at(name: &str) -> EndpointName {
    EndpointName::new(name).unwrap()
}

pub(super) fn any(name: &str) -> Registration {
    Registration {
        names: AllowedNames::Any,
        ..Registration::named(name)
    }
}

/// The same, for one certificate at a time.
pub(super) fn single(name: &str) -> Registration {
    Registration {
        certificates_max: Some(1),
        ..any(name)
    }
}

pub(super) fn password(shown: &ShownSecret) -> Credential {
    Credential::Secret {
        kind: shown.kind,
        reference: shown.reference.clone(),
        proof: SecretProof::Value(shown.value.clone()),
    }
}

pub(super) struct Device {
    pub(super) key: KeyPair,
    pub(super) issuance: Issuance,
    pub(super) request: Vec<u8>,
}

impl Device {
    pub(super) fn credential(&self) -> Credential {
        certificate(&self.issuance)
    }
}

pub(super) fn certificate(issuance: &Issuance) -> Credential {
    Credential::Certificate {
        chain: vec![issuance.certificate.der().to_vec()],
    }
}

/// What a device asks for.
pub(super) struct Csr {
    params: CertificateParams,
    attributes: Vec<Attribute>,
}

impl Csr {
    /// A common name and DNS names; `name` stands for the common name and for `name.test`.
    pub(super) fn of(name: &str) -> Self {
        Self::with(&[(DnType::CommonName, name)], &[&format!("{name}.test")])
    }

    pub(super) fn with(subject: &[(DnType, &str)], names: &[&str]) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in subject {
            params.distinguished_name.push(kind.clone(), *value);
        }
        params.subject_alt_names = names
            .iter()
            .map(|name| SanType::DnsName((*name).try_into().unwrap()))
            .collect();
        Self {
            params,
            attributes: Vec::new(),
        }
    }

    /// With a value of another string type in its subject.
    pub(super) fn with_value(kind: DnType, value: rcgen::DnValue, names: &[&str]) -> Self {
        let mut csr = Self::with(&[], names);
        csr.params.distinguished_name.push(kind, value);
        csr
    }

    pub(super) fn saying(mut self, challenge_password: &str) -> Self {
        let value = der::tlv(der::tag::UTF8_STRING, challenge_password.as_bytes());
        self.attributes.push(Attribute {
            oid: &[1, 2, 840, 113_549, 1, 9, 7],
            values: der::set_of(vec![value]),
        });
        self
    }

    /// Asking for another common name and other DNS names.
    pub(super) fn changing_to(mut self, name: &str) -> Self {
        let subject = portreeve_pkix::DistinguishedName::empty().with(Oid::COMMON_NAME, name);
        let names = [portreeve_pkix::GeneralName::Dns(
            format!("{name}.test").parse().unwrap(),
        )];
        let value = der::sequence(&[subject.to_der(), portreeve_pkix::encode::subject_alt_name(&names)]);
        self.attributes.push(Attribute {
            oid: &[1, 3, 6, 1, 5, 5, 7, 7, 36],
            values: der::set_of(vec![value]),
        });
        self
    }

    pub(super) fn signed(self, key: &KeyPair) -> Vec<u8> {
        let request = self
            .params
            .serialize_request_with_attributes(key, self.attributes);
        request.unwrap().der().to_vec()
    }

    /// Signed by a new key.
    pub(super) fn anew(self) -> Vec<u8> {
        self.signed(&KeyPair::generate().unwrap())
    }
}

#[track_caller]
pub(super) fn certified(disposition: Result<Disposition, Error>) -> Issuance {
    match disposition {
        Ok(Disposition::Issued(issuance)) => *issuance,
        other => panic!("{other:?}"),
    }
}

/// All of these answers are one and the same certificate.
#[track_caller]
pub(super) fn assert_one_certificate(answers: Vec<Result<Disposition, Error>>, name: &str) {
    let serial = |answer| certified(answer).certificate.serial().to_string();
    let serials: BTreeSet<String> = answers.into_iter().map(serial).collect();
    assert_eq!(serials.len(), 1, "{name}: {serials:?}");
}

#[track_caller]
pub(super) fn pending(disposition: Result<Disposition, Error>) -> EnrollmentId {
    match disposition {
        Ok(Disposition::Pending { enrollment, .. }) => enrollment,
        other => panic!("{other:?}"),
    }
}

pub(super) fn common_name(issuance: &Issuance) -> String {
    issuance.certificate.subject().common_names().collect()
}
