//! Renewal: the same names, in its time, with the right key, and of the newest.

use portreeve_ra::{CertificateRejection as Rejection, EnrollmentState};
use rcgen::{DnType, DnValue, KeyPair};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_compared_as_values() {
    let fleet = Fleet::start(ANY_TIME).await;
    let secret = fleet.password("press").await;
    let subject = [
        (DnType::OrganizationName, "Example Ltd"),
        (DnType::CommonName, "press"),
    ];
    let names = ["a.press.test", "b.press.test"];
    let first = certified(fleet.enroll(secret, &Csr::with(&subject, &names).anew()).await);
    let other_case = [
        (DnType::OrganizationName, "EXAMPLE  ltd"),
        (DnType::CommonName, "Press"),
    ];
    let same: [(_, Csr); 4] = [
        ("the same", Csr::with(&subject, &names)),
        (
            "another order",
            Csr::with(&subject, &["b.press.test", "a.press.test"]),
        ),
        (
            "another case",
            Csr::with(&subject, &["A.PRESS.test", "b.press.test"]),
        ),
        ("a subject in another case", Csr::with(&other_case, &names)),
    ];
    for (name, csr) in same {
        let renewed = fleet.renew(certificate(&first), &csr.anew()).await;
        assert!(
            matches!(renewed, Ok(Disposition::Issued(_))),
            "{name}: {renewed:?}"
        );
    }
    let others: [(_, Csr); 5] = [
        (
            "another subject",
            Csr::with(&[(DnType::CommonName, "lathe")], &names),
        ),
        (
            "less of a subject",
            Csr::with(&[(DnType::CommonName, "press")], &names),
        ),
        (
            "another name",
            Csr::with(&subject, &["a.press.test", "b.lathe.test"]),
        ),
        (
            "one more name",
            Csr::with(&subject, &["a.press.test", "b.press.test", "c.press.test"]),
        ),
        ("one less", Csr::with(&subject, &["a.press.test"])),
    ];
    for (name, csr) in others {
        let request = csr.anew();
        let answer = fleet.renew(certificate(&first), &request).await;
        refused(name, answer, &Refusal::NotItsNames);
        let answer = fleet.enroll(certificate(&first), &request).await;
        refused(name, answer, &Refusal::NotItsNames);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_string_type_is_the_same_name() {
    let fleet = Fleet::start(ANY_TIME).await;
    let secret = fleet.password("press").await;
    let value = |value| Csr::with_value(DnType::CommonName, value, &["press.test"]).anew();
    let first = certified(
        fleet
            .enroll(secret, &value(DnValue::Utf8String("press".into())))
            .await,
    );
    for other in [
        DnValue::PrintableString("press".try_into().unwrap()),
        DnValue::BmpString("press".try_into().unwrap()),
    ] {
        certified(fleet.renew(certificate(&first), &value(other)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_device_does_not_renew_another() {
    let fleet = Fleet::start(ANY_TIME).await;
    let (a, b) = (fleet.device("a").await, fleet.device("b").await);
    let answer = fleet.renew(a.credential(), &b.request).await;
    refused("the request of another", answer, &Refusal::NotItsNames);
    let answer = fleet.renew(a.credential(), &Csr::of("b").signed(&a.key)).await;
    refused("the names of another", answer, &Refusal::NotItsNames);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_names_are_asked_for_by_the_attribute_and_given_where_that_is_allowed() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    let request = || Csr::of("press").changing_to("press-9").anew();
    let answer = fleet.renew(device.credential(), &request()).await;
    refused("not here", answer, &Refusal::NotItsNames);
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}renew_names = \"changed\"\n"))
        .await;
    let renewed = certified(fleet.renew(device.credential(), &request()).await);
    assert_eq!(common_name(&renewed), "press-9");
    let names: Vec<String> = renewed
        .certificate
        .names()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(names, ["press-9.test"]);
    let others = Csr::of("lathe").changing_to("press-9").anew();
    let answer = fleet.renew(device.credential(), &others).await;
    refused("from the names of another", answer, &Refusal::NotItsNames);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_was_changed_does_not_come_back() {
    let fleet = Fleet::start(&format!("{ANY_TIME}renew_names = \"changed\"\n")).await;
    let device = fleet.device("press").await;
    let changing = Csr::of("press").changing_to("press-9").anew();
    let renewed = certified(fleet.renew(device.credential(), &changing).await);
    let old = Csr::of("press").anew();
    let answer = fleet.renew(certificate(&renewed), &old).await;
    refused("the old name", answer, &Refusal::NotItsNames);
    let new = Csr::of("press-9").anew();
    let again = certified(fleet.renew(certificate(&renewed), &new).await);
    assert_eq!(common_name(&again), "press-9");
    let always = certified(fleet.renew(certificate(&renewed), &changing).await);
    assert_eq!(
        common_name(&always),
        "press-9",
        "a device that always sends the same"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_renewed_in_its_window() {
    for (name, text, early, late) in [
        ("the last third", "", 59, 61),
        ("so long before its end", "renew_window = \"10d\"\n", 79, 81),
    ] {
        let fleet = Fleet::start(text).await;
        let device = fleet.device("press").await;
        let request = || portreeve_ra::EnrollmentRequest {
            operation: Operation::Renew,
            ..fleet.request(device.credential(), &device.request)
        };
        for answer in [
            fleet.ra().enroll(request()).await,
            fleet.later(early).enroll(request()).await,
        ] {
            let early = matches!(answer, Err(Error::Refused(Refusal::RenewalTooEarly(_))));
            assert!(early, "{name}: {answer:?}");
        }
        certified(fleet.later(late).enroll(request()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_always_sends_the_same_request_renews_by_it() {
    let fleet = Fleet::start("").await;
    let known = fleet.register(any("press")).await;
    let shown = fleet
        .secret(&known, portreeve_ra::SecretKind::EstPassword, None)
        .await;
    let request = Csr::of("press").anew();
    let first = certified(fleet.enroll(password(&shown), &request).await);
    let ask = || fleet.request(password(&shown), &request);
    let within = certified(fleet.later(59).enroll(ask()).await);
    assert_eq!(within.certificate, first.certificate, "it is the same claim");
    let requester = Requester::Registration(known.id);
    let handle = ClaimHandle::of_request(&requester, &sha256(&request));
    let key = ClaimKey::new(&at(DEVICES), Operation::Enroll, &handle);
    let claim = fleet.authority.store.claim(&key).await.unwrap().expect("claim");
    let days = claim.until.since(first.certificate.not_before()).as_secs() / 86_400;
    assert_eq!(days, 59, "two thirds of 90 days, to the second");
    // As time would.
    put_claim(
        &fleet.authority,
        Claim {
            until: fleet.ra().now(),
            ..claim
        },
    )
    .await;
    let renewed = certified(fleet.ra().enroll(ask()).await);
    assert_ne!(renewed.certificate, first.certificate, "its window is open");

    let revoked = Csr::of("press").anew();
    let first = certified(fleet.enroll(password(&shown), &revoked).await);
    let superseded = portreeve_ra::StatusChange::Revoke(RevocationReason::Superseded);
    fleet.change(&first, superseded).await;
    let second = certified(fleet.enroll(password(&shown), &revoked).await);
    assert_ne!(first.certificate, second.certificate, "the first was revoked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_is_the_same_or_a_new_one_as_the_endpoint_says() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    let same = || Csr::of("press").signed(&device.key);
    let new = || Csr::of("press").anew();
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}renew_key = \"new\"\n"))
        .await;
    let answer = fleet.renew(device.credential(), &same()).await;
    refused("the same key", answer, &Refusal::RenewalKeySame);
    certified(fleet.renew(device.credential(), &new()).await);
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}renew_key = \"same\"\n"))
        .await;
    let answer = fleet.renew(device.credential(), &new()).await;
    refused("a new key", answer, &Refusal::RenewalKeyOther);
    certified(fleet.renew(device.credential(), &same()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_certificate_of_a_lineage_renews_until_a_newer_one_was_used() {
    let fleet = Fleet::start(ANY_TIME).await;
    let not_newest = Refusal::ClientCertificate(Rejection::NotNewest);
    let device = fleet.device("press").await;
    let renew = |issuance: Issuance| {
        let (fleet, request) = (&fleet, Csr::of("press").anew());
        async move { fleet.renew(certificate(&issuance), &request).await }
    };
    let lost = certified(renew(device.issuance.clone()).await);
    let second = certified(renew(device.issuance.clone()).await);
    assert_ne!(
        lost.certificate, second.certificate,
        "the answer was lost, the key as well"
    );
    let third = certified(renew(second.clone()).await);
    refused(
        "a newer one was used",
        renew(device.issuance.clone()).await,
        &not_newest,
    );
    certified(renew(third).await);
    refused("in the middle", renew(second).await, &not_newest);

    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}renew_newest_only = true\n"))
        .await;
    let strict = fleet.device("lathe").await;
    let renew = |credential: Credential| {
        let (fleet, request) = (&fleet, Csr::of("lathe").anew());
        async move { fleet.renew(credential, &request).await }
    };
    let newest = certified(renew(strict.credential()).await);
    refused("only the newest", renew(strict.credential()).await, &not_newest);
    certified(renew(certificate(&newest)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_renewals_at_once_one_leads_to_the_newest() {
    let fleet = Fleet::start(&format!("{ANY_TIME}renew_newest_only = true\n")).await;
    let not_newest = Refusal::ClientCertificate(Rejection::NotNewest);
    for number in 0..6 {
        let name = format!("press-{number}");
        let device = fleet.device(&name).await;
        let requests: Vec<_> = (0..4).map(|_| Csr::of(&name).anew()).collect();
        let asking = requests
            .iter()
            .map(|request| fleet.renew(device.credential(), request));
        let answers = futures_util::future::join_all(asking).await;
        let (issued, refusals): (Vec<_>, Vec<_>) = answers
            .into_iter()
            .partition(|answer| matches!(answer, Ok(Disposition::Issued(_))));
        assert_eq!(issued.len(), 1, "{name}: {issued:?} {refusals:?}");
        for answer in refusals {
            refused(&name, answer, &not_newest);
        }
        let newest = certified(issued.into_iter().next().unwrap());
        certified(fleet.renew(certificate(&newest), &Csr::of(&name).anew()).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_renewal_several_times_at_once_is_one() {
    let fleet = Fleet::start(&format!("{ANY_TIME}renew_newest_only = true\n")).await;
    for number in 0..6 {
        let name = format!("press-{number}");
        let device = fleet.device(&name).await;
        let request = Csr::of(&name).anew();
        let asking = (0..8).map(|_| fleet.renew(device.credential(), &request));
        let answers = futures_util::future::join_all(asking).await;
        assert_one_certificate(answers, &name);
    }
    assert_eq!(fleet.refusals().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_renewals_that_people_agreed_to_one_leads_to_the_newest() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    let text = format!("{ANY_TIME}renew_newest_only = true\napproval = \"one\"\n");
    fleet.endpoint(DEVICES, &text).await;
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let id = pending(fleet.renew(device.credential(), &Csr::of("press").anew()).await);
        let proposal = fleet.proposal(id).await;
        waiting.push((id, proposal));
    }
    for (_, proposal) in &waiting {
        let vote = fleet.authority.vote("alice").await;
        fleet.ra().approve(*proposal, vote).await.unwrap();
    }
    let mut ended = Vec::new();
    for (id, _) in waiting {
        fleet
            .authority
            .work_until("it has ended", || async {
                let enrollment = fleet.ra().enrollment(id).await.unwrap().unwrap();
                let state = enrollment.state();
                matches!(state, Some(EnrollmentState::Issued | EnrollmentState::Refused))
            })
            .await;
        let enrollment = fleet.ra().enrollment(id).await.unwrap().unwrap();
        ended.push((enrollment.certificate().is_some(), enrollment.refusal().cloned()));
    }
    ended.sort_by_key(|(issued, _)| *issued);
    let not_newest = Refusal::ClientCertificate(Rejection::NotNewest);
    assert_eq!(ended, [(false, Some(not_newest)), (true, None)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_people_is_asked_for_again_until_they_have_decided() {
    let fleet = Fleet::start(ANY_TIME).await;
    let (granted, denied) = (fleet.device("granted").await, fleet.device("denied").await);
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}approval = \"one\"\n"))
        .await;
    let ask = |device: &Device| {
        let request = portreeve_ra::EnrollmentRequest {
            operation: Operation::Renew,
            ..fleet.request(device.credential(), &device.request)
        };
        let ra = Arc::clone(fleet.ra());
        async move { ra.enroll(request).await }
    };
    let first = pending(ask(&granted).await);
    assert_eq!(pending(ask(&granted).await), first, "the poll");
    let second = pending(ask(&denied).await);
    let (approved, rejected) = (fleet.proposal(first).await, fleet.proposal(second).await);
    let (yes, no) = (
        fleet.authority.vote("alice").await,
        fleet.authority.vote("alice").await,
    );
    fleet.ra().approve(approved, yes).await.unwrap();
    fleet.ra().reject(rejected, no).await.unwrap();
    fleet.reach(first, EnrollmentState::Issued).await;
    fleet.reach(second, EnrollmentState::Refused).await;
    certified(ask(&granted).await);
    for _ in 0..2 {
        let answer = ask(&denied).await;
        assert!(
            matches!(answer, Ok(Disposition::Refused(Refusal::Denied))),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_was_revoked_while_people_thought_is_not_renewed() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}approval = \"one\"\n"))
        .await;
    let waiting = pending(fleet.renew(device.credential(), &device.request).await);
    let superseded = portreeve_ra::StatusChange::Revoke(RevocationReason::Superseded);
    fleet.change(&device.issuance, superseded).await;
    let enrollment = fleet.ra().enrollment(waiting).await.unwrap().unwrap();
    let vote = fleet.authority.vote("alice").await;
    fleet
        .ra()
        .approve(enrollment.proposal().unwrap(), vote)
        .await
        .unwrap();
    fleet
        .authority
        .work_until("it is refused", || async {
            let enrollment = fleet.ra().enrollment(waiting).await.unwrap().unwrap();
            let revoked = Refusal::ClientCertificate(Rejection::Revoked);
            enrollment.refusal() == Some(&revoked)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_proven_and_requests_are_linked_to_their_channel() {
    use portreeve_ra::{BindingRejection, Channel, ChannelVersion};
    let fleet = Fleet::start("linking = \"required\"\n").await;
    let secret = fleet.password("press").await;
    let channel = Channel {
        version: ChannelVersion::Tls13,
        extended_master_secret: false,
        exporter: Some([7; 32]),
    };
    let linked = |request: &[u8], channel| {
        let request = portreeve_ra::EnrollmentRequest {
            channel,
            ..fleet.request(secret.clone(), request)
        };
        let ra = Arc::clone(fleet.ra());
        async move { ra.enroll(request).await }
    };
    let key = KeyPair::generate().unwrap();
    let silent = Csr::of("press").signed(&key);
    let missing = Refusal::ChannelBinding(BindingRejection::Missing);
    refused("nothing said", linked(&silent, Some(channel)).await, &missing);
    let wrong = Csr::of("press")
        .saying("CAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg=")
        .signed(&key);
    let expected = Refusal::ChannelBinding(BindingRejection::Wrong);
    refused("another channel", linked(&wrong, Some(channel)).await, &expected);
    let right = Csr::of("press")
        .saying("BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=")
        .signed(&key);
    let made = certified(linked(&right, Some(channel)).await);
    let application = fleet.application(made.enrollment).await;
    assert_eq!(application.shown.channel, Some(channel), "kept as evidence");
    let mut damaged = right.clone();
    *damaged.last_mut().unwrap() ^= 1;
    let answer = linked(&damaged, Some(channel)).await;
    refused("not signed by its key", answer, &Refusal::PossessionNotProven);
}
