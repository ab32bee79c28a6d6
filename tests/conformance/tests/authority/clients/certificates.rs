//! Certificates of our own: whose they are, where, and until when.

use portreeve_ra::{CertificateRejection as Rejection, Principal, Registration, Standing, StatusChange};

use super::*;

fn rejected(rejection: Rejection) -> Refusal {
    Refusal::ClientCertificate(rejection)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_renews_where_it_was_issued_and_where_that_is_named() {
    let fleet = Fleet::start(ANY_TIME).await;
    fleet.endpoint("est/other", ANY_TIME).await;
    let device = fleet.device("press").await;
    let at_other = || portreeve_ra::EnrollmentRequest {
        endpoint: at("est/other"),
        operation: Operation::Renew,
        ..fleet.request(device.credential(), &device.request)
    };
    let answer = fleet.ra().enroll(at_other()).await;
    refused("elsewhere", answer, &rejected(Rejection::Elsewhere));
    fleet
        .endpoint("est/other", &format!("{ANY_TIME}renew_from = [\"{DEVICES}\"]\n"))
        .await;
    certified(fleet.ra().enroll(at_other()).await);
    let renewed = certified(fleet.renew(device.credential(), &device.request).await);
    assert_ne!(renewed.certificate, device.issuance.certificate);
    let application = fleet.application(renewed.enrollment).await;
    let first = fleet.application(device.issuance.enrollment).await;
    assert_eq!(
        application.registration, first.registration,
        "on behalf of the same registration"
    );
    assert_eq!(
        application.secret, first.secret,
        "whoever issued the secret still counts"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_held_and_expired_certificates_are_refused() {
    let fleet = Fleet::start(ANY_TIME).await;
    let held = fleet.device("held").await;
    fleet
        .change(
            &held.issuance,
            StatusChange::Revoke(RevocationReason::CertificateHold),
        )
        .await;
    let answer = fleet.renew(held.credential(), &held.request).await;
    refused("on hold", answer, &rejected(Rejection::Held));
    fleet.change(&held.issuance, StatusChange::Release).await;
    certified(fleet.renew(held.credential(), &held.request).await);

    let revoked = fleet.device("revoked").await;
    fleet
        .change(
            &revoked.issuance,
            StatusChange::Revoke(RevocationReason::Superseded),
        )
        .await;
    for (name, answer) in [
        (
            "renewal",
            fleet.renew(revoked.credential(), &revoked.request).await,
        ),
        (
            "enrolment",
            fleet.enroll(revoked.credential(), &revoked.request).await,
        ),
    ] {
        refused(name, answer, &rejected(Rejection::Revoked));
    }

    let old = fleet.device("old").await;
    let request = portreeve_ra::EnrollmentRequest {
        operation: Operation::Renew,
        ..fleet.request(old.credential(), &old.request)
    };
    let answer = fleet.later(91).enroll(request).await;
    refused("expired", answer, &rejected(Rejection::Expired));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_that_only_looks_like_ours_is_not() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    // Another octet somewhere in the signature.
    let mut forged = device.issuance.certificate.der().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = Credential::Certificate { chain: vec![forged] };
    let answer = fleet.renew(forged, &device.request).await;
    refused("forged", answer, &rejected(Rejection::Untrusted));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_renews_for_a_registration_that_is_closed() {
    let fleet = Fleet::start(ANY_TIME).await;
    let device = fleet.device("press").await;
    let press = fleet.ra().registrations().find("press").await.unwrap().unwrap();
    let by = fleet.by(&Standing::superadmin(Principal::Host));
    let suspended = fleet.ra().suspend_registration(&by, press.value().id).await;
    suspended.unwrap();
    let answer = fleet.renew(device.credential(), &device.request).await;
    refused("suspended", answer, &Refusal::RegistrationClosed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_takes_the_place_of_what_it_renews_within_the_limit() {
    let fleet = Fleet::start(ANY_TIME).await;
    let known = fleet
        .register(Registration {
            certificates_max: Some(1),
            ..any("press")
        })
        .await;
    let shown = fleet
        .secret(&known, portreeve_ra::SecretKind::EstPassword, None)
        .await;
    let first = certified(fleet.enroll(password(&shown), &Csr::of("press").anew()).await);
    let another = fleet.enroll(password(&shown), &Csr::of("press").anew()).await;
    refused("a second one", another, &Refusal::LimitReached);
    let renewed = certified(fleet.renew(certificate(&first), &Csr::of("press").anew()).await);
    certified(fleet.renew(certificate(&renewed), &Csr::of("press").anew()).await);
}
