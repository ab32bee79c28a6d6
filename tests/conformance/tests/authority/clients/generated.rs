//! Keys that are made for clients: no certificate is delivered twice, and none is left behind.

use portreeve_pkix::CertificationRequest;
use portreeve_ra::ports::KeyMaker;
use portreeve_ra::{AllowedNames, EnrollmentState, ProposalId, Registration, SecretKind};
use rcgen::{DnType, KeyPair};

use super::*;

/// Makes keys, and keeps the last one as an edge does.
#[derive(Debug, Default)]
pub(super) struct Maker(Mutex<Vec<Vec<u8>>>);

impl Maker {
    fn made(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Whether this certificate has the key made last.
    pub(super) fn last_is_of(&self, issuance: &Issuance) -> bool {
        let made = self.0.lock().unwrap();
        made.last()
            .is_some_and(|spki| PublicKey::from_der(spki).unwrap() == *issuance.certificate.public_key())
    }
}

#[async_trait]
impl KeyMaker for Maker {
    async fn make(&self, received: &CertificationRequest) -> Result<Vec<u8>, Refusal> {
        let key = KeyPair::generate().unwrap();
        let subject: Vec<(DnType, &str)> = received
            .subject()
            .common_names()
            .map(|name| (DnType::CommonName, name))
            .collect();
        let names: Vec<String> = received.names().iter().map(ToString::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let request = Csr::with(&subject, &names).signed(&key);
        let made = CertificationRequest::from_der(&request).unwrap();
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        assert_eq!(PublicKey::from_der(&spki).unwrap(), *made.public_key());
        self.0.lock().unwrap().push(spki);
        Ok(request)
    }
}

pub(super) const OFFERED: &str = "renew_window = \"any\"\ngenerated_keys = true\n";

struct Asking {
    fleet: Fleet,
    maker: Arc<Maker>,
}

impl Asking {
    async fn start(text: &str) -> Self {
        Self {
            fleet: Fleet::start(text).await,
            maker: Arc::new(Maker::default()),
        }
    }

    async fn ask(&self, credential: Credential, request: &[u8]) -> Result<Disposition, Error> {
        self.fleet.ra().enroll(self.wish(credential, request)).await
    }

    fn wish(&self, credential: Credential, request: &[u8]) -> portreeve_ra::EnrollmentRequest {
        let maker: Arc<dyn KeyMaker> = Arc::clone(&self.maker) as _;
        portreeve_ra::EnrollmentRequest {
            operation: Operation::GenerateKey,
            key_maker: Some(maker),
            ..self.fleet.request(credential, request)
        }
    }

    /// Asks for the same several times at once: one is given a key, which is good, and the others are told to come back.
    async fn at_once(&self, credential: &Credential, request: &[u8]) -> Issuance {
        // Each has its own memory, as each has its own connection.
        let makers: Vec<_> = (0..4).map(|_| Arc::new(Maker::default())).collect();
        let answers = makers.iter().map(|maker| {
            let wish = portreeve_ra::EnrollmentRequest {
                key_maker: Some(Arc::clone(maker) as _),
                ..self.wish(credential.clone(), request)
            };
            self.fleet.ra().enroll(wish)
        });
        let answers = futures_util::future::join_all(answers).await;
        let mut delivered = Vec::new();
        for (maker, answer) in makers.iter().zip(answers) {
            match answer {
                Ok(Disposition::Issued(issuance)) => {
                    assert!(maker.last_is_of(&issuance));
                    delivered.push(*issuance);
                }
                other => {
                    pending(other);
                }
            }
        }
        assert_eq!(delivered.len(), 1, "{delivered:?}");
        let one = delivered.remove(0);
        assert!(!self.revoked(&one).await);
        one
    }

    async fn revoked(&self, issuance: &Issuance) -> bool {
        let enrollment = self.fleet.ra().enrollment(issuance.enrollment).await;
        enrollment.unwrap().unwrap().revoked().is_some()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_again_makes_another_key_and_revokes_what_may_not_have_arrived() {
    let asking = Asking::start(OFFERED).await;
    let known = asking.fleet.register(any("press")).await;
    let once = asking
        .fleet
        .secret(&known, SecretKind::EstPassword, Some(1))
        .await;
    let request = Csr::of("press").anew();
    let first = certified(asking.ask(password(&once), &request).await);
    assert!(
        asking.maker.last_is_of(&first),
        "the key that was made, not that of the request"
    );
    let second = certified(asking.ask(password(&once), &request).await);
    assert!(asking.maker.last_is_of(&second) && first.certificate != second.certificate);
    assert!(asking.revoked(&first).await && !asking.revoked(&second).await);
    let third = certified(asking.ask(password(&once), &request).await);
    assert!(asking.revoked(&second).await && !asking.revoked(&third).await);

    let other = asking.ask(password(&once), &Csr::of("lathe").anew()).await;
    refused(
        "another request with a spent password",
        other,
        &Refusal::NotAuthorized,
    );
    let enrolled = asking.fleet.enroll(password(&once), &request).await;
    refused("another operation with it", enrolled, &Refusal::NotAuthorized);
    let application = asking.fleet.application(third.enrollment).await;
    assert_eq!(application.shown.received.as_deref(), Some(request.as_slice()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_those_who_ask_for_the_same_at_once_one_gets_the_key() {
    let asking = Asking::start(OFFERED).await;
    for number in 0..4 {
        let name = format!("press-{number}");
        let known = asking.fleet.register(any(&name)).await;
        let once = asking
            .fleet
            .secret(&known, SecretKind::EstPassword, Some(1))
            .await;
        let request = Csr::of(&name).anew();
        let first = asking.at_once(&password(&once), &request).await;
        let second = certified(asking.ask(password(&once), &request).await);
        assert!(asking.maker.last_is_of(&second));
        assert!(
            asking.revoked(&first).await && !asking.revoked(&second).await,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_ask_for_the_same_at_once_do_not_take_the_only_place_from_each_other() {
    let asking = Asking::start(&format!("{OFFERED}renew_newest_only = true\n")).await;
    let fleet = &asking.fleet;
    for number in 0..4 {
        let name = format!("press-{number}");
        let known = fleet.register(single(&name)).await;
        let shown = fleet.secret(&known, SecretKind::EstPassword, None).await;
        let request = Csr::of(&name).anew();
        let first = asking.at_once(&password(&shown), &request).await;
        asking.at_once(&certificate(&first), &request).await;
    }
    assert_eq!(fleet.refusals().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spent_password_asks_again_only_for_what_may_not_have_arrived() {
    let asking = Asking::start(OFFERED).await;
    let fleet = &asking.fleet;
    let revoke = |reason| Some(portreeve_ra::StatusChange::Revoke(reason));
    let rows = [
        ("revoked", revoke(RevocationReason::CessationOfOperation), 0),
        ("held", revoke(RevocationReason::CertificateHold), 0),
        ("in-use", None, 61),
    ];
    for (name, change, days) in rows {
        let known = fleet.register(any(name)).await;
        let once = fleet.secret(&known, SecretKind::EstPassword, Some(1)).await;
        let request = Csr::of(name).anew();
        let first = certified(asking.ask(password(&once), &request).await);
        if let Some(change) = change {
            fleet.change(&first, change).await;
        }
        let made = asking.maker.made();
        let later = fleet.later(days);
        let answer = later.enroll(asking.wish(password(&once), &request)).await;
        refused(name, answer, &Refusal::NotAuthorized);
        assert_eq!(asking.maker.made(), made, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_made_for_whom_nothing_is_issued() {
    let asking = Asking::start(ANY_TIME).await;
    let secret = asking.fleet.password("press").await;
    let request = Csr::of("press").anew();
    let answer = asking.ask(secret.clone(), &request).await;
    refused("not offered", answer, &Refusal::NotOffered);
    asking.fleet.endpoint(DEVICES, OFFERED).await;
    asking.fleet.backend.set_defers(true);
    let answer = asking.ask(secret.clone(), &request).await;
    refused("a CA that may answer later", answer, &Refusal::NotOffered);
    asking.fleet.backend.set_defers(false);
    let nobody = Credential::password("press", portreeve_pkix::Secret::new(b"wrong".to_vec()));
    let answer = asking.ask(nobody, &request).await;
    refused("a wrong password", answer, &Refusal::NotAuthorized);
    let mut damaged = request.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let answer = asking.ask(secret, &damaged).await;
    refused("not signed by its key", answer, &Refusal::PossessionNotProven);
    let device = asking.fleet.device("lathe").await;
    let answer = asking.ask(device.credential(), &request).await;
    refused("the names of another", answer, &Refusal::NotItsNames);
    assert_eq!(asking.maker.made(), 0);
    let renewed = certified(asking.ask(device.credential(), &device.request).await);
    assert!(
        asking.maker.last_is_of(&renewed),
        "a renewal with a key that is made here"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_would_be_refused_anyway_costs_no_key() {
    let asking = Asking::start(OFFERED).await;
    let fleet = &asking.fleet;
    let limited = Registration {
        names: AllowedNames::Only(vec![
            "press.test".parse().unwrap(),
            "press2.test".parse().unwrap(),
        ]),
        certificates_max: Some(1),
        ..Registration::named("press")
    };
    let known = fleet.register(limited).await;
    let secret = fleet.secret(&known, SecretKind::EstPassword, None).await;
    let answer = asking.ask(password(&secret), &Csr::of("lathe").anew()).await;
    assert!(
        matches!(answer, Err(Error::Refused(Refusal::Names(_)))),
        "{answer:?}"
    );
    assert_eq!(asking.maker.made(), 0, "names of others");
    certified(asking.ask(password(&secret), &Csr::of("press").anew()).await);
    let answer = asking.ask(password(&secret), &Csr::of("press").anew()).await;
    refused("one more than it may have", answer, &Refusal::LimitReached);
    assert_eq!(asking.maker.made(), 1, "one more than it may have");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_that_a_request_is_signed_with_is_no_matter() {
    let asking = Asking::start(OFFERED).await;
    let device = asking.fleet.device("press").await;
    let compromised = portreeve_ra::StatusChange::Revoke(RevocationReason::KeyCompromise);
    asking.fleet.change(&device.issuance, compromised).await;
    let secret = asking.fleet.password("lathe").await;
    let answer = asking.fleet.enroll(secret.clone(), &device.request).await;
    let blocked = Refusal::Key(portreeve_ra::KeyRejection::Blocked);
    refused("its own key", answer, &blocked);
    let made = certified(asking.ask(secret, &device.request).await);
    assert!(asking.maker.last_is_of(&made));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_granted_is_made_for_the_next_request() {
    let asking = Asking::start(&format!("{OFFERED}approval = \"one\"\n")).await;
    let fleet = &asking.fleet;
    let known = fleet.register(any("press")).await;
    let once = fleet.secret(&known, SecretKind::EstPassword, Some(1)).await;
    let ask = |request: Vec<u8>| {
        let (asking, credential) = (&asking, password(&once));
        async move { asking.ask(credential, &request).await }
    };
    let request = Csr::of("press").anew();
    let waiting = pending(ask(request.clone()).await);
    assert_eq!(pending(ask(request.clone()).await), waiting, "one proposal");
    let proposal: ProposalId = {
        let enrollment = fleet.ra().enrollment(waiting).await.unwrap().unwrap();
        enrollment.proposal().unwrap()
    };
    let vote = fleet.authority.vote("alice").await;
    fleet.ra().approve(proposal, vote).await.unwrap();
    fleet.reach(waiting, EnrollmentState::Expired).await;
    assert_eq!(issues(&asking.fleet.backend), 0);

    let made = certified(ask(request.clone()).await);
    assert!(asking.maker.last_is_of(&made));
    let enrollment = fleet.ra().enrollment(made.enrollment).await.unwrap().unwrap();
    assert_eq!(enrollment.granted_by(), Some(proposal));
    pending(ask(request).await);
    assert!(
        !asking.revoked(&made).await,
        "nothing is revoked before there is another"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_denial_is_final() {
    let asking = Asking::start(&format!("{OFFERED}approval = \"one\"\n")).await;
    let secret = asking.fleet.password("press").await;
    let request = Csr::of("press").anew();
    let waiting = pending(asking.ask(secret.clone(), &request).await);
    let enrollment = asking.fleet.ra().enrollment(waiting).await.unwrap().unwrap();
    let vote = asking.fleet.authority.vote("alice").await;
    asking
        .fleet
        .ra()
        .reject(enrollment.proposal().unwrap(), vote)
        .await
        .unwrap();
    asking.fleet.reach(waiting, EnrollmentState::Refused).await;
    for _ in 0..2 {
        let answer = asking.ask(secret.clone(), &request).await;
        assert!(
            matches!(answer, Ok(Disposition::Refused(Refusal::Denied))),
            "{answer:?}"
        );
    }
}
