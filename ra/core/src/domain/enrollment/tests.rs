use super::*;
use crate::domain::{
    BackendName, CertificateContents, ClaimKey, EndpointName, EventKind, IntentBody, Operation, ProfileName,
    Publication, ValidityPeriod,
};
use portreeve_pkix::{DistinguishedName, KeyUsage, SerialNumber};
use proptest::prelude::*;

fn application() -> std::sync::Arc<Application> {
    let spki = hex::decode(
        "302a300506032b6570032100d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    );
    let public_key = PublicKey::from_der(&spki.unwrap()).unwrap();
    let (requester, claim) = (Requester::Key([7; 32]), ClaimKey([8; 32]));
    std::sync::Arc::new(Application {
        endpoint: EndpointName::new("acme/default").unwrap(),
        endpoint_version: 1,
        operation: Operation::Enroll,
        requester,
        claim,
        request: vec![1],
        profile: ProfileName::new("dev").unwrap(),
        profile_version: 1,
        backend: BackendName::new("issuing").unwrap(),
        contents: CertificateContents {
            subject: DistinguishedName::empty(),
            names: Vec::new(),
            public_key,
            validity: ValidityPeriod {
                backdate: Duration::from_secs(60),
                lifetime: Duration::from_secs(3600),
            },
            key_usage: KeyUsage::default(),
            extended_key_usage: Vec::new(),
            policies: Vec::new(),
            basic_constraints: true,
            publication: Publication::default(),
        },
        findings: Vec::new(),
        registration: None,
        secret: None,
        shown: Shown::default(),
    })
}

fn command(number: u8) -> Command {
    let proposal = ProposalId::from_bytes([1; 16]);
    let serial = SerialNumber::random128(&[5; 16]);
    match number {
        0 => Command::Receive(application()),
        1 => Command::Refer(proposal),
        2 => Command::Approve(None),
        3 => Command::Approve(Some(proposal)),
        4 => Command::Approve(Some(ProposalId::from_bytes([2; 16]))),
        5 => Command::Begin(Intent {
            backend: BackendName::new("issuing").unwrap(),
            prepared_at: Timestamp::from_unix_seconds(1),
            issuer: vec![0x30, 0],
            body: IntentBody::Tbs {
                serial,
                tbs: vec![0x30, 0],
            },
        }),
        6 => Command::Progress(vec![1]),
        7 => Command::Issue {
            certificate: vec![1],
            chain: Vec::new(),
        },
        8 => Command::Confirm,
        9 => Command::Refuse(Refusal::Denied),
        10 => Command::Fail("no".to_owned()),
        11 => Command::Expire,
        12 => Command::Doubt,
        13 => Command::Quarantine {
            certificate: vec![1],
            difference: "key".to_owned(),
        },
        14 => Command::Revoke(RevocationReason::Superseded),
        15 => Command::Resolve(Resolution::Retry),
        16 => Command::Resolve(Resolution::GiveUp),
        17 => Command::Revoke(RevocationReason::CertificateHold),
        18 => Command::Release,
        19 => Command::RequestStatus(RequestedStatus {
            change: StatusChange::Release,
            by: "operator:alice".parse().unwrap(),
            comment: String::new(),
        }),
        _ => Command::Revoke(RevocationReason::KeyCompromise),
    }
}

proptest! {
    /// Whatever is asked in whatever order: at most one certificate, none without an intent, no intent without
    /// an approval, no approval of people without the right proposal, and nothing after an end but what becomes of the certificate:
    /// what is revoked for good is neither released nor put on hold.
    #[test]
    fn no_sequence_of_commands_breaks_the_order(numbers in proptest::collection::vec(0u8..21, 0..40)) {
        let mut enrollment = Enrollment::new(EnrollmentId::from_bytes([9; 16]));
        let mut happened: Vec<EventKind> = Vec::new();
        let mut revoked_as: Option<RevocationReason> = None;
        for (second, number) in numbers.into_iter().enumerate() {
            let before = enrollment.state();
            let Ok(event) = enrollment.decide(command(number)) else { continue };
            let at = Timestamp::from_unix_seconds(i64::try_from(second).unwrap());
            enrollment.apply(&event, at);
            let kind = event.kind();
            match kind {
                EventKind::EnrollmentIssued => {
                    prop_assert!(!happened.contains(&kind));
                    prop_assert!(happened.contains(&EventKind::EnrollmentIssuing));
                }
                EventKind::EnrollmentIssuing => {
                    prop_assert!(!happened.contains(&kind));
                    prop_assert!(happened.contains(&EventKind::EnrollmentApproved));
                }
                EventKind::EnrollmentApproved => {
                    let referred = happened.contains(&EventKind::EnrollmentReferred);
                    prop_assert_eq!(referred, number == 3, "approval by people exactly when referred");
                }
                EventKind::EnrollmentRevoked => {
                    prop_assert!(happened.contains(&EventKind::EnrollmentIssued));
                    let hold = RevocationReason::CertificateHold;
                    let earlier = revoked_as.replace(enrollment.revoked().map_or(hold, |(reason, _)| reason));
                    let may = match (earlier, revoked_as) {
                        (None, _) => true,
                        (Some(earlier), Some(now)) if earlier == hold => now != hold,
                        (Some(earlier), now) => {
                            now == Some(RevocationReason::KeyCompromise) && Some(earlier) != now
                        }
                    };
                    prop_assert!(may, "{:?} after {:?}", revoked_as, earlier);
                }
                EventKind::EnrollmentReleased => {
                    prop_assert_eq!(revoked_as.take(), Some(RevocationReason::CertificateHold));
                    prop_assert_eq!((enrollment.revoked(), enrollment.released()), (None, Some(at)));
                }
                EventKind::EnrollmentResolved => {
                    let unclear = [EnrollmentState::InDoubt, EnrollmentState::Quarantined];
                    prop_assert!(before.is_some_and(|state| unclear.contains(&state)));
                    prop_assert!(happened.contains(&EventKind::EnrollmentIssuing));
                }
                _ => {}
            }
            if before.is_some_and(|state| state.is_final() && state != EnrollmentState::Issued) {
                let after_the_end = [
                    EventKind::EnrollmentRevoked,
                    EventKind::EnrollmentReleased,
                    EventKind::EnrollmentStatusRequested,
                ];
                prop_assert!(after_the_end.contains(&kind));
            }
            happened.push(kind);
        }
    }
}

/// The console's key can say it, so a stream that has it in another place must not gain by it.
#[test]
fn a_resolution_counts_only_where_an_operator_has_a_say() {
    for (name, commands) in [
        ("nothing", vec![]),
        ("awaiting approval", vec![0, 1]),
        ("approved", vec![0, 2]),
    ] {
        for resolution in [Resolution::Retry, Resolution::GiveUp] {
            let mut enrollment = Enrollment::new(EnrollmentId::from_bytes([9; 16]));
            for number in &commands {
                let event = enrollment.decide(command(*number)).unwrap();
                enrollment.apply(&event, Timestamp::default());
            }
            let before = enrollment.clone();
            enrollment.apply(&EnrollmentEvent::Resolved { resolution }, Timestamp::default());
            assert_eq!(enrollment, before, "{name} {resolution:?}");
        }
    }
}

/// What a worker has not said of a hold changes nothing.
#[test]
fn a_release_counts_only_of_what_is_on_hold() {
    let at = Timestamp::from_unix_seconds(7);
    for (name, revoked) in [
        ("good", None),
        ("revoked for good", Some(RevocationReason::Superseded)),
    ] {
        let mut enrollment = Enrollment::new(EnrollmentId::from_bytes([9; 16]));
        if let Some(reason) = revoked {
            enrollment.apply(&EnrollmentEvent::Revoked { reason }, at);
        }
        let before = enrollment.clone();
        enrollment.apply(&EnrollmentEvent::Released, at);
        assert_eq!(enrollment, before, "{name}");
    }
}
