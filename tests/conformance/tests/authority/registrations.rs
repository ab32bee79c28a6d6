//! Registrations: what is asked on their behalf, with which secrets, within which limits; and what a row of the database
//! or a race does not change.

mod erased;
mod operators;
mod secrets;
mod support;

use portreeve_ra::ports::{Batch, Projection, RegistrationRow, Reservation, Space};
use portreeve_ra::{
    Disposition, Error, OverLimit, Refusal, Registration, RevocationReason, RevocationRequest,
    RevocationTarget,
};

use super::*;
use support::*;

#[tokio::test]
async fn names_are_those_of_the_registration_and_vouched_ones_need_no_proof() {
    let these = These::start("").await;
    let web = these
        .register(Registration {
            vouched: true,
            ..allowing("web", &[".web.test"])
        })
        .await;
    let account = these.bound(&web).await;
    let issued = these.enroll(&account, "one", "a.web.test").await.unwrap();
    let application = these.application(&issued).await;
    assert_eq!(
        application.registration,
        Some(web.id),
        "for whoever asks who may not approve"
    );
    assert!(application.secret.is_some());
    let vouched = application
        .findings
        .iter()
        .find(|finding| finding.starts_with("names.proven"));
    assert!(
        vouched
            .unwrap()
            .contains("vouched for by registration web version 1"),
        "{vouched:?}"
    );

    for name in ["web.test", "a.other.test", "aweb.test"] {
        let refused = these.enroll(&account, name, name).await;
        assert!(
            matches!(refused, Err(Error::Refused(Refusal::Names(_)))),
            "{name}: {refused:?}"
        );
    }
    let plain = these.register(allowing("plain", &["p.test"])).await;
    let account = these.bound(&plain).await;
    let unproven = these.enroll(&account, "two", "p.test").await;
    assert!(
        matches!(unproven, Err(Error::Refused(Refusal::NamesUnproven(_)))),
        "{unproven:?}"
    );
    these.prove(&account, "p.test").await;
    these.enroll(&account, "three", "p.test").await.unwrap();
    these.prove(&account, "q.test").await;
    let outside = these.enroll(&account, "four", "q.test").await;
    assert!(
        matches!(outside, Err(Error::Refused(Refusal::Names(_)))),
        "proven, and not allowed: {outside:?}"
    );
}

#[tokio::test]
async fn what_was_withdrawn_stops_its_accounts_at_once() {
    let these = These::start("").await;
    for case in ["suspended", "ended", "revoked", "narrowed", "elsewhere"] {
        let registration = Registration {
            vouched: true,
            ..allowing(case, &[".x.test"])
        };
        let known = these.register(registration.clone()).await;
        let key = these.key(&known, Some(1)).await;
        let account = these.open(&key).await.unwrap();
        these
            .enroll(&account, &format!("{case} before"), "a.x.test")
            .await
            .unwrap();
        let (ra, by) = (&these.authority.ra, host());
        let by = acting(ra, &by);
        match case {
            "suspended" => drop(ra.suspend_registration(&by, known.id).await.unwrap().unwrap()),
            "ended" => drop(ra.end_registration(&by, known.id).await.unwrap().unwrap()),
            "revoked" => drop(ra.revoke_secret(&by, key.id).await.unwrap().unwrap()),
            "narrowed" => {
                let narrower = Registration {
                    names: only(&["b.x.test"]),
                    ..registration
                };
                ra.define_registration(&by, known.id, (narrower, Some(1)))
                    .await
                    .unwrap()
                    .unwrap();
            }
            _ => {
                let endpoints = vec!["acme/other".to_owned().try_into().unwrap()];
                let elsewhere = Registration {
                    endpoints,
                    ..registration
                };
                ra.define_registration(&by, known.id, (elsewhere, None))
                    .await
                    .unwrap()
                    .unwrap();
            }
        }
        let refused = these.enroll(&account, &format!("{case} after"), "a.x.test").await;
        match (case, refused) {
            ("narrowed", Err(Error::Refused(Refusal::Names(_)))) => {}
            (_, Err(Error::Refused(Refusal::RegistrationClosed))) => {}
            (_, other) => panic!("{case}: {other:?}"),
        }
        if case != "narrowed" {
            let early = ra.on_behalf_of(&these.account(&account).await).await;
            assert!(
                matches!(early, Err(Error::Refused(Refusal::RegistrationClosed))),
                "{case}: {early:?}"
            );
        }
        if case == "suspended" {
            ra.resume_registration(&by, known.id).await.unwrap().unwrap();
            these.enroll(&account, "resumed", "a.x.test").await.unwrap();
        }
    }
}

#[tokio::test]
async fn one_that_is_suspended_while_people_decide_gets_nothing() {
    let these = These::start("approval = \"one\"").await;
    let web = these
        .register(Registration {
            vouched: true,
            ..allowing("web", &["a.test"])
        })
        .await;
    let account = these.bound(&web).await;
    let pending = these.ask(&account, "one", "a.test").await.unwrap();
    let Disposition::Pending { enrollment, .. } = pending else {
        panic!("{pending:?}")
    };
    let (ra, by) = (&these.authority.ra, host());
    ra.suspend_registration(&acting(ra, &by), web.id)
        .await
        .unwrap()
        .unwrap();
    let proposal = ra
        .enrollment(enrollment)
        .await
        .unwrap()
        .unwrap()
        .proposal()
        .unwrap();
    ra.approve(proposal, these.authority.vote("alice").await)
        .await
        .unwrap();
    these
        .authority
        .work_until("the end of the request", || async {
            ra.enrollment(enrollment).await.unwrap().unwrap().refusal() == Some(&Refusal::RegistrationClosed)
        })
        .await;
}

/// Two at once do not both slip under the limit, on however many nodes.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_limit_holds_when_many_ask_at_once() {
    let these = Arc::new(These::start("").await);
    let limited = Registration {
        vouched: true,
        certificates_max: Some(3),
        ..allowing("web", &[".web.test"])
    };
    let web = these.register(limited).await;
    let account = Arc::new(these.bound(&web).await);
    let mut asking = tokio::task::JoinSet::new();
    for number in 0..10 {
        let (these, account) = (Arc::clone(&these), Arc::clone(&account));
        asking.spawn(async move {
            let handle = format!("order {number}");
            these
                .enroll(&account, &handle, &format!("n{number}.web.test"))
                .await
        });
    }
    let (mut issued, mut refused) = (Vec::new(), 0);
    for answer in asking.join_all().await {
        match answer {
            Ok(issuance) => issued.push(issuance),
            Err(Error::Refused(Refusal::LimitReached)) => refused += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((issued.len(), refused), (3, 7));

    let revoked = issued.pop().unwrap();
    these
        .authority
        .ra
        .revoke(RevocationRequest {
            endpoint: endpoint(),
            credential: account.credential(),
            target: RevocationTarget::Certificate(revoked.certificate.der().to_vec()),
            reason: RevocationReason::Superseded,
            origin: Origin::node(these.authority.ra.node()),
            alongside: Alongside::default(),
        })
        .await
        .unwrap();
    these
        .enroll(&account, "in its place", "z.web.test")
        .await
        .expect("a revoked one makes room");
    let more = these.enroll(&account, "one too many", "y.web.test").await;
    assert!(
        matches!(more, Err(Error::Refused(Refusal::LimitReached))),
        "{more:?}"
    );
}

#[tokio::test]
async fn the_oldest_is_revoked_when_the_new_one_is_there() {
    let these = These::start("").await;
    let limited = Registration {
        vouched: true,
        certificates_max: Some(2),
        over_limit: OverLimit::RevokeOldest,
        ..allowing("web", &["a.test"])
    };
    let web = these.register(limited).await;
    let account = these.bound(&web).await;
    let mut enrollments = Vec::new();
    for number in 0..4 {
        enrollments.push(
            these
                .enroll(&account, &format!("order {number}"), "a.test")
                .await
                .unwrap()
                .enrollment,
        );
    }
    let mut revoked = Vec::new();
    for id in &enrollments {
        let enrollment = these.authority.ra.enrollment(*id).await.unwrap().unwrap();
        revoked.push(enrollment.revoked().map(|(reason, _)| reason));
    }
    let superseded = Some(RevocationReason::Superseded);
    assert_eq!(revoked, [superseded, superseded, None, None]);
}

/// What only leads to a stream, or shows it, decides nothing: the streams themselves do.
#[tokio::test]
async fn edited_rows_gain_nothing() {
    let these = These::start("").await;
    let web = these.register(allowing("web", &["a.test"])).await;
    let other = these
        .register(Registration {
            vouched: true,
            ..allowing("other", &["b.test"])
        })
        .await;
    let key = these.key(&web, Some(1)).await;
    let account = these.open(&key).await.unwrap();
    let store = &these.authority.store;

    // A list that says something else.
    let row = RegistrationRow {
        registration: web.id,
        name: "web".into(),
        team: None,
        state: "active".into(),
        vouched: true,
        until: None,
    };
    commit(
        store,
        Batch {
            projections: vec![Projection::Registration(row)],
            ..Batch::default()
        },
    )
    .await;
    let refused = these.enroll(&account, "one", "a.test").await;
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::NamesUnproven(_)))),
        "{refused:?}"
    );
    assert!(these.authority.ra.vouched_registrations(10).await.unwrap() == ["other"]);

    // A name, and a reference, that lead to another stream.
    let lead = |space, key, stream| {
        let taken = Reservation::Take { space, key, stream };
        Batch {
            reservations: vec![Reservation::Release { space, key }, taken],
            ..Batch::default()
        }
    };
    let stream = StreamId::registration(other.id);
    commit(store, lead(Space::RegistrationName, sha256(b"web"), stream)).await;
    let found = these.authority.ra.registrations().find("web").await.unwrap();
    assert!(found.is_none(), "another registration is not called so");
    let theirs = these.key(&other, Some(1)).await;
    let index = sha256(&[&[3], key.reference.as_bytes()].concat());
    commit(
        store,
        lead(Space::SecretReference, index, StreamId::secret(theirs.id)),
    )
    .await;
    let refused = these.open(&key).await.err();
    assert!(
        matches!(refused, Some(Error::Refused(Refusal::NotAuthorized))),
        "{refused:?}"
    );

    // A record that no console has signed.
    let forged = portreeve_ra::Event::Registration(portreeve_ra::RegistrationEvent::Defined(Registration {
        vouched: true,
        ..allowing("web", &["a.test"])
    }));
    let place = these.place_after(StreamId::registration(web.id)).await;
    let record = signed(&these.authority, (portreeve_ra::Purpose::Edge, place), forged);
    commit(
        store,
        Batch {
            records: vec![record],
            ..Batch::default()
        },
    )
    .await;
    let refused = these.enroll(&account, "two", "a.test").await;
    assert!(matches!(refused, Err(Error::Internal(_))), "{refused:?}");
}
