//! Secrets: how often they are good, what they still lead to when they are not, and what guessing comes to.

use portreeve_pkix::Secret;
use portreeve_ra::accounts::OpenAccount;
use portreeve_ra::secrets::ShownSecret;
use portreeve_ra::{
    Disposition, EnrollmentRequest, Error, EventKind, Refusal, Registration, Role, SecretKind, SecretProof,
    SecretState,
};

use super::support::*;
use super::*;

fn vouched() -> Registration {
    Registration {
        vouched: true,
        ..allowing("device", &[".device.test"])
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_for_one_account_binds_one_however_many_try_at_once() {
    let these = Arc::new(These::start("").await);
    let known = these.register(vouched()).await;
    let key = Arc::new(these.key(&known, Some(1)).await);
    let mut opening = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (these, key) = (Arc::clone(&these), Arc::clone(&key));
        opening.spawn(async move { these.open(&key).await });
    }
    let (mut opened, mut refused) = (0, 0);
    for answer in opening.join_all().await {
        match answer {
            Ok(_) => opened += 1,
            Err(Error::Refused(Refusal::NotAuthorized)) => refused += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!((opened, refused), (1, 7));
    let known = these
        .authority
        .ra
        .secrets()
        .secret(key.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.value().state(these.authority.ra.now()), SecretState::Spent);
    assert_eq!(these.records(StreamId::secret(key.id)).await.len(), 2);
}

#[tokio::test]
async fn a_key_may_be_good_for_several_accounts_or_for_any_number() {
    let these = These::start("").await;
    let known = these.register(vouched()).await;
    let twice = these.key(&known, Some(2)).await;
    let always = these.key(&known, None).await;
    for number in 0..2 {
        these
            .open(&twice)
            .await
            .unwrap_or_else(|error| panic!("{number}: {error}"));
    }
    assert!(these.open(&twice).await.is_err(), "the third time");
    for _ in 0..4 {
        these.open(&always).await.unwrap();
    }
    let records = these.records(StreamId::secret(always.id)).await;
    assert_eq!(
        records.len(),
        1,
        "each account names the key; the key does not grow"
    );
}

/// A request of a device that shows its password.
fn asking(these: &These, shown: &ShownSecret, handle: &str, request: &[u8]) -> EnrollmentRequest {
    let ra = &these.authority.ra;
    EnrollmentRequest {
        endpoint: endpoint(),
        operation: Operation::Enroll,
        credential: password(shown, shown.value.clone()),
        handle: ClaimHandle(handle.as_bytes().to_vec()).into(),
        request: request.to_vec(),
        channel: None,
        key_maker: None,
        profile_hint: None,
        not_before: None,
        not_after: None,
        origin: Origin::node(ra.node()),
        alongside: Alongside::default(),
    }
}

fn password(shown: &ShownSecret, value: Secret) -> Credential {
    Credential::Secret {
        kind: shown.kind,
        reference: shown.reference.clone(),
        proof: SecretProof::Value(value),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_one_time_secret_used_twice_at_once_gives_one_certificate_which_it_still_fetches() {
    let these = Arc::new(These::start("").await);
    let known = these.register(vouched()).await;
    let shown = Arc::new(these.secret(&known, SecretKind::EstPassword, Some(1)).await);
    let mut asked = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (these, shown) = (Arc::clone(&these), Arc::clone(&shown));
        asked.spawn(async move {
            let (handle, request) = (format!("h{number}"), csr("a.device.test"));
            let answer = these
                .authority
                .ra
                .enroll(asking(&these, &shown, &handle, &request))
                .await;
            (handle, request, answer)
        });
    }
    let (mut issued, mut refused) = (Vec::new(), Vec::new());
    for (handle, request, answer) in asked.join_all().await {
        match answer {
            Ok(Disposition::Issued(issuance)) => issued.push((handle, request, issuance)),
            Err(Error::Refused(Refusal::NotAuthorized)) => refused.push((handle, request)),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((issued.len(), refused.len()), (1, 5));

    let (handle, request, issuance) = issued.remove(0);
    let ra = &these.authority.ra;
    let again = ra
        .enroll(asking(&these, &shown, &handle, &request))
        .await
        .unwrap();
    let Disposition::Issued(again) = again else {
        panic!("{again:?}")
    };
    assert_eq!(
        again.certificate.der(),
        issuance.certificate.der(),
        "the lost answer"
    );
    let handle = ClaimHandle(handle.into_bytes());
    let resumed = ra
        .resume(
            &endpoint(),
            Operation::Enroll,
            &handle,
            (&password(&shown, shown.value.clone()), &these.authority.origin()),
        )
        .await;
    assert!(matches!(resumed, Ok(Disposition::Issued(_))), "{resumed:?}");

    let other = these.secret(&known, SecretKind::EstPassword, Some(1)).await;
    let theirs = csr("b.device.test");
    ra.enroll(asking(&these, &other, "theirs", &theirs))
        .await
        .unwrap();
    let foreign = ra.enroll(asking(&these, &shown, "theirs", &theirs)).await;
    assert!(
        matches!(foreign, Err(Error::Refused(Refusal::NotAuthorized))),
        "a spent secret leads to nothing else of its registration: {foreign:?}"
    );
    let enrollment = ra.enrollment(issuance.enrollment).await.unwrap().unwrap();
    let application = enrollment.application().unwrap();
    assert_eq!(application.requester, Requester::Registration(known.id));
    assert_eq!(application.secret, Some(shown.id));
}

/// An edge that does not judge checks secrets, uses them up, and hands the rest to a worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_checked_at_an_edge_that_only_receives() {
    let these = These::start("").await;
    let (edge, console) = (these.node(&[Role::Edge], 2), these.node(&[Role::Console], 4));
    let worker = these.node(&[Role::Worker], 3);
    let by = host();
    let by = acting(&console, &by);
    let known = console.create_registration(&by, vouched()).await.unwrap().known;
    let new = |kind| portreeve_ra::authority::NewRegistrationSecret {
        kind,
        reference: None,
        uses_max: Some(1),
        until: None,
    };
    let key = console
        .issue_secret(&by, known.id, new(SecretKind::AcmeEab))
        .await
        .unwrap()
        .unwrap();
    let shown = console
        .issue_secret(&by, known.id, new(SecretKind::EstPassword))
        .await
        .unwrap()
        .unwrap();
    let working = {
        let worker = Arc::clone(&worker);
        tokio::spawn(async move {
            loop {
                worker.work().await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let from = ([192, 0, 2, 1].into(), key.reference.as_str());
    let account = open_at(&edge, &key, from).await.unwrap();
    let request = these.authority.request(&account, "order", csr("a.device.test"));
    let by_account = edge.enroll(request).await.unwrap();
    assert!(matches!(by_account, Disposition::Issued(_)), "{by_account:?}");
    let request = csr("b.device.test");
    let by_secret = edge
        .enroll(asking(&these, &shown, "est", &request))
        .await
        .unwrap();
    assert!(matches!(by_secret, Disposition::Issued(_)), "{by_secret:?}");
    let again = edge
        .enroll(asking(&these, &shown, "est", &request))
        .await
        .unwrap();
    assert!(matches!(again, Disposition::Issued(_)), "{again:?}");
    let used = these.records(StreamId::secret(shown.id)).await;
    let purposes: Vec<_> = used.iter().map(|record| record.header().purpose).collect();
    assert_eq!(
        purposes,
        [portreeve_ra::Purpose::Console, portreeve_ra::Purpose::Edge]
    );
    working.abort();
}

/// Whatever is wrong, the answer is the same; whoever goes on trying is told to come back later, whether or not there
/// is such a secret.
#[tokio::test]
async fn guesses_learn_nothing_and_are_held_up() {
    let these = These::start("").await;
    let known = these.register(vouched()).await;
    let key = these.key(&known, Some(5)).await;
    let revoked = these.key(&known, Some(5)).await;
    let ra = &these.authority.ra;
    let by = host();
    ra.revoke_secret(&acting(ra, &by), revoked.id)
        .await
        .unwrap()
        .unwrap();
    let wrong = ShownSecret {
        value: Secret::new(vec![7; 32]),
        reference: key.reference.clone(),
        ..key
    };
    let rows = [
        ("a wrong key", 1, &wrong, wrong.reference.as_str()),
        ("an unknown reference", 2, &wrong, "no-such-key"),
    ];
    for (case, network, secret, reference) in rows {
        let from = ([192, 0, 2, network].into(), reference);
        for number in 0..5 {
            let refused = open_at(ra, secret, from).await;
            assert!(
                matches!(refused, Err(Error::Refused(Refusal::NotAuthorized))),
                "{case} {number}: {:?}",
                refused.err()
            );
        }
        let held = open_at(ra, secret, from).await.err();
        assert!(
            matches!(held, Some(Error::Refused(Refusal::RateLimited(_)))),
            "{case}: {held:?}"
        );
    }
    let refused = these.open(&revoked).await.err();
    assert!(
        matches!(refused, Some(Error::Refused(Refusal::NotAuthorized))),
        "{refused:?}"
    );
    let reference = wrong.reference.clone();
    let elsewhere = ([192, 0, 2, 9].into(), reference.as_str());
    let right = ShownSecret {
        value: key.value.clone(),
        ..wrong
    };
    open_at(ra, &right, elsewhere)
        .await
        .expect("others are not held up");
}

/// It takes many networks that know the reference to lock a secret, and then only for a time; who it let in stays in.
#[tokio::test]
async fn a_secret_is_locked_by_very_many_wrong_attempts() {
    let these = These::start("").await;
    let known = these.register(vouched()).await;
    let key = these.key(&known, Some(5)).await;
    let account = these.open(&key).await.unwrap();
    let wrong = ShownSecret {
        value: Secret::new(vec![7; 32]),
        reference: key.reference.clone(),
        ..key
    };
    let ra = &these.authority.ra;
    let mut wrong_attempts = 0;
    'all: for network in 1..=40 {
        for _ in 0..5 {
            let _ = open_at(ra, &wrong, ([198, 51, 100, network].into(), &wrong.reference)).await;
            wrong_attempts += 1;
            let now = ra.secrets().secret(wrong.id).await.unwrap().unwrap();
            if now.value().state(ra.now()) == SecretState::Locked {
                break 'all;
            }
        }
    }
    assert!((101..=105).contains(&wrong_attempts), "{wrong_attempts}");
    let refused = these
        .open(&ShownSecret {
            value: key.value.clone(),
            ..wrong
        })
        .await
        .err();
    assert!(
        matches!(refused, Some(Error::Refused(Refusal::NotAuthorized))),
        "{refused:?}"
    );
    these
        .enroll(&account, "order", "a.device.test")
        .await
        .expect("bound before");
    let records = these.records(StreamId::secret(key.id)).await;
    let locks = records.iter().flat_map(|record| &record.header().kinds);
    assert_eq!(locks.filter(|kind| **kind == EventKind::SecretLocked).count(), 1);
}

/// What is tried when an enrollment is asked after is counted like what is tried when it is asked for.
#[tokio::test]
async fn wrong_secrets_are_counted_whatever_they_are_tried_for() {
    let these = These::start("").await;
    let known = these.register(vouched()).await;
    let shown = these.secret(&known, SecretKind::EstPassword, Some(1)).await;
    let request = csr("a.device.test");
    let ra = &these.authority.ra;
    ra.enroll(asking(&these, &shown, "order", &request))
        .await
        .unwrap();
    let from = |last: u8| Origin {
        address: Some([198, 51, 100, last].into()),
        ..these.authority.origin()
    };
    let wrong = password(&shown, Secret::new(b"not it".to_vec()));
    let (operation, order) = (Operation::Enroll, handle("order"));
    for number in 0..5 {
        let origin = from(1);
        let tried = match number % 2 {
            0 => ra
                .resume(&endpoint(), operation, &order, (&wrong, &origin))
                .await
                .map(drop),
            _ => {
                ra.confirm(&endpoint(), operation, &order, (&wrong, &origin))
                    .await
            }
        };
        refused("wrong", tried, &Refusal::NotAuthorized);
    }
    let right = password(&shown, shown.value.clone());
    let held_up = ra
        .resume(&endpoint(), operation, &order, (&right, &from(1)))
        .await;
    assert!(
        matches!(held_up, Err(Error::Refused(Refusal::RateLimited(_)))),
        "{held_up:?}"
    );
    let elsewhere = ra
        .resume(&endpoint(), operation, &order, (&right, &from(2)))
        .await;
    assert!(matches!(elsewhere, Ok(Disposition::Issued(_))), "{elsewhere:?}");
}

#[tokio::test]
async fn endpoints_say_whether_accounts_are_bound() {
    let plain = |these: &These| OpenAccount {
        endpoint: endpoint(),
        key: stray_key(),
        contacts: Vec::new(),
        agreed: true,
        change: change(&these.authority),
    };
    let required = These::start("eab = \"required\"").await;
    let refused = required
        .authority
        .ra
        .open_account(plain(&required), None)
        .await
        .err();
    assert!(
        matches!(refused, Some(Error::Refused(Refusal::BindingRequired))),
        "{refused:?}"
    );
    let known = required.register(vouched()).await;
    required.bound(&known).await;

    let off = These::start("eab = \"off\"").await;
    let known = off.register(vouched()).await;
    let key = off.key(&known, Some(1)).await;
    let refused = off.open(&key).await.err();
    assert!(
        matches!(refused, Some(Error::Refused(Refusal::BindingNotOffered))),
        "{refused:?}"
    );
    off.authority.ra.open_account(plain(&off), None).await.unwrap();
}

#[tokio::test]
async fn limits_count_the_narrowest_first() {
    let text = "[rate_limit]\nregistration = { requests = 2, period = \"1h\" }\nendpoint = { requests = 3, period = \"1h\" }";
    let these = These::start(text).await;
    let first = these.register(vouched()).await;
    let second = these
        .register(Registration {
            name: "other".into(),
            ..vouched()
        })
        .await;
    let (one, two) = (these.bound(&first).await, these.bound(&first).await);
    let three = these.bound(&second).await;
    these.enroll(&one, "1", "a.device.test").await.unwrap();
    these.enroll(&two, "2", "b.device.test").await.unwrap();
    for account in [&one, &two] {
        let limited = these.enroll(account, "3", "c.device.test").await.err();
        assert!(
            matches!(limited, Some(Error::Refused(Refusal::RateLimited(_)))),
            "{limited:?}"
        );
    }
    these
        .enroll(&three, "4", "d.device.test")
        .await
        .expect("what was refused did not count for all");
    let limited = these.enroll(&three, "5", "e.device.test").await.err();
    assert!(
        matches!(limited, Some(Error::Refused(Refusal::RateLimited(_)))),
        "{limited:?}"
    );
}
