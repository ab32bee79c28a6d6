//! Passwords and tokens of registrations, and several credentials at once.

use portreeve_pkix::Secret;
use portreeve_ra::{CertificateRejection, SecretKind};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_by_the_same_requester_is_the_poll() {
    let fleet = Fleet::start("").await;
    let known = fleet.register(any("press")).await;
    let once = fleet.secret(&known, SecretKind::EstPassword, Some(1)).await;
    let request = Csr::of("press").anew();
    let first = certified(fleet.enroll(password(&once), &request).await);
    let again = certified(fleet.enroll(password(&once), &request).await);
    assert_eq!(
        first.certificate, again.certificate,
        "a spent password fetches what it was spent for"
    );
    let other = fleet.enroll(password(&once), &Csr::of("press").anew()).await;
    refused("and nothing else", other, &Refusal::NotAuthorized);

    let twice = fleet.secret(&known, SecretKind::EstPassword, Some(2)).await;
    for number in 0..2 {
        certified(
            fleet
                .enroll(password(&twice), &Csr::of(&format!("press-{number}")).anew())
                .await,
        );
    }
    let third = fleet.enroll(password(&twice), &Csr::of("press-3").anew()).await;
    refused("a third time", third, &Refusal::NotAuthorized);

    let stranger = fleet.password("stranger").await;
    let theirs = certified(fleet.enroll(stranger, &request).await);
    assert_ne!(
        theirs.certificate, first.certificate,
        "each requester has its own claim"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_request_several_times_at_once_takes_one_place() {
    let fleet = Fleet::start("").await;
    for number in 0..6 {
        let name = format!("press-{number}");
        let known = fleet.register(single(&name)).await;
        let shown = fleet.secret(&known, SecretKind::EstPassword, None).await;
        let request = Csr::of(&name).anew();
        let asking = (0..8).map(|_| fleet.enroll(password(&shown), &request));
        let answers = futures_util::future::join_all(asking).await;
        assert_one_certificate(answers, &name);
        assert_eq!(fleet.refusals().await, number, "none but of others");
        let other = fleet.enroll(password(&shown), &Csr::of(&name).anew()).await;
        refused("one more", other, &Refusal::LimitReached);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_used_up_a_password_is_told_why_nothing_came_of_it() {
    let fleet = Fleet::start("").await;
    let rows = [
        ("denied", Answer::Rejected, Refusal::CaRejected),
        ("failed", Answer::Unusable, Refusal::NotIssued),
    ];
    for (name, answer, reason) in rows {
        fleet.backend.then(answer);
        let known = fleet.register(any(name)).await;
        let once = fleet.secret(&known, SecretKind::EstPassword, Some(1)).await;
        let request = Csr::of(name).anew();
        for turn in 0..3 {
            let answer = fleet.enroll(password(&once), &request).await;
            let told = matches!(&answer, Ok(Disposition::Refused(refusal)) if *refusal == reason);
            assert!(told, "{name} {turn}: {answer:?}");
        }
        let other = fleet.enroll(password(&once), &Csr::of(name).anew()).await;
        refused(name, other, &Refusal::NotAuthorized);
        let made = fleet.secret(&known, SecretKind::EstPassword, Some(1)).await;
        certified(fleet.enroll(password(&made), &request).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_used_up_a_password_is_told_that_nobody_decided_in_time() {
    let fleet = Fleet::start("approval = \"hasty\"\n").await;
    let hasty = "age_max = \"1s\"\n[[step]]\nanyone = true\n";
    fleet
        .authority
        .put(ObjectKind::ApprovalPolicy, "hasty", hasty)
        .await;
    let known = fleet.register(any("press")).await;
    let once = fleet.secret(&known, SecretKind::EstPassword, Some(1)).await;
    let request = Csr::of("press").anew();
    let waiting = pending(fleet.enroll(password(&once), &request).await);
    fleet.reach(waiting, portreeve_ra::EnrollmentState::Expired).await;
    for _ in 0..2 {
        let answer = fleet.enroll(password(&once), &request).await;
        assert!(
            matches!(answer, Ok(Disposition::Refused(Refusal::Expired))),
            "{answer:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_are_secrets_that_name_themselves() {
    let fleet = Fleet::start("").await;
    let known = fleet.register(any("press")).await;
    let token = fleet.secret(&known, SecretKind::EnrollmentToken, None).await;
    let text = String::from_utf8(token.value.expose().to_vec()).unwrap();
    let credential = Credential::token(&text).expect("a token");
    certified(fleet.enroll(credential, &Csr::of("press").anew()).await);

    let (kept, last) = text.split_at(text.len() - 1);
    let wrong = format!("{kept}{}", if last == "0" { "1" } else { "0" });
    let wrong = Credential::token(&wrong).expect("the form of one");
    let answer = fleet.enroll(wrong, &Csr::of("press").anew()).await;
    refused("a wrong token", answer, &Refusal::NotAuthorized);
    for text in ["", ".", "a.", ".a", "no-dot", "a b.c", &"a.".repeat(200)] {
        assert!(Credential::token(text).is_none(), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_accepted_or_not_there() {
    let fleet = Fleet::start("authentication = [\"certificate\"]\n").await;
    let secret = fleet.password("press").await;
    let request = Csr::of("press").anew();
    let answer = fleet.enroll(secret, &request).await;
    refused(
        "a password where none is accepted",
        answer,
        &Refusal::CredentialNotAccepted,
    );
    let answer = fleet.enroll(Credential::of(Vec::new()), &request).await;
    refused("nothing at all", answer, &Refusal::CredentialMissing);

    fleet.endpoint(DEVICES, "").await;
    let secret = fleet.password("lathe").await;
    let answer = fleet.renew(secret, &request).await;
    refused(
        "renewal without a certificate",
        answer,
        &Refusal::CertificateRequired,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_credentials_one_takes_precedence_and_all_are_recorded() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    let lathe = fleet.register(any("lathe")).await;
    let shown = fleet.secret(&lathe, SecretKind::EstPassword, None).await;
    let both = || Credential::of(vec![device.credential(), password(&shown)]);

    let enrolled = certified(fleet.enroll(both(), &Csr::of("lathe").anew()).await);
    let application = fleet.application(enrolled.enrollment).await;
    assert_eq!(
        application.requester,
        Requester::Registration(lathe.id),
        "the password"
    );
    let beside = Requester::Certificate(device.issuance.certificate.fingerprint());
    assert_eq!(
        application.shown.besides,
        std::slice::from_ref(&beside),
        "both are recorded"
    );

    let renewed = certified(fleet.renew(both(), &Csr::of("press").anew()).await);
    let application = fleet.application(renewed.enrollment).await;
    assert_eq!(application.requester, beside, "the certificate");
    assert_eq!(application.shown.besides, [Requester::Registration(lathe.id)]);

    let wrong = Credential::password(&shown.reference, Secret::new(b"wrong".to_vec()));
    let with_wrong = Credential::of(vec![device.credential(), wrong]);
    let answer = fleet.renew(with_wrong, &Csr::of("press").anew()).await;
    refused(
        "a wrong password beside a good certificate",
        answer,
        &Refusal::NotAuthorized,
    );

    fleet
        .endpoint(DEVICES, &format!("{ANY_TIME}credentials = \"agree\"\n"))
        .await;
    for (name, answer) in [
        ("enrolment", fleet.enroll(both(), &Csr::of("lathe").anew()).await),
        ("renewal", fleet.renew(both(), &Csr::of("press").anew()).await),
    ] {
        refused(name, answer, &Refusal::CredentialsDisagree);
    }
    let press = fleet.ra().registrations().find("press").await.unwrap().unwrap();
    let own = fleet.secret(press.value(), SecretKind::EstPassword, None).await;
    let agreeing = Credential::of(vec![password(&own), device.credential()]);
    let request = Csr::of("press").anew();
    certified(fleet.renew(agreeing, &request).await);
    let answer = fleet.renew(both(), &request).await;
    refused("the same request again", answer, &Refusal::CredentialsDisagree);

    let nonsense = Credential::Certificate {
        chain: vec![b"no certificate".to_vec()],
    };
    let answer = fleet.enroll(nonsense, &Csr::of("press").anew()).await;
    let malformed = Refusal::ClientCertificate(CertificateRejection::Malformed);
    refused("no certificate", answer, &malformed);
}

/// Who does not know a secret makes nobody read more than where that secret would be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_read_for_who_guesses() {
    let fleet = Fleet::start("").await;
    let known = fleet.password("press").await;
    certified(fleet.enroll(known, &Csr::of("press").anew()).await);
    let before = fleet.authority.store.statistics().questions;
    let guess = Credential::password("nobody", Secret::new(b"guess".to_vec()));
    let answer = fleet.enroll(guess, &Csr::of("press").anew()).await;
    assert!(matches!(answer, Err(Error::Refused(_))), "{answer:?}");
    // Where the reference leads, and what would be there.
    assert_eq!(fleet.authority.store.statistics().questions - before, 2);
}
