use super::*;
use crate::domain::Shown;
use crate::domain::approval::{Approvers, EvidenceRule, Step};
use crate::domain::claim::ClaimKey;
use crate::domain::contents::{Publication, ValidityPeriod};
use crate::domain::ids::{AccountId, ApprovalPolicyName, BackendName, EndpointName, ProfileName};
use crate::domain::request::Operation;
use portreeve_pkix::{DistinguishedName, GeneralName, KeyUsage, PublicKey};

fn terms() -> ApprovalTerms {
    ApprovalTerms {
        policy: ApprovalPolicyName::new("two").unwrap(),
        version: 3,
        steps: vec![Step {
            who: Approvers::Anyone,
            min: 2,
        }],
        evidence: EvidenceRule::Accepted,
        issue_within: Duration::from_secs(60),
    }
}

fn application() -> Application {
    Application {
        endpoint: EndpointName::new("acme/four-eyes").unwrap(),
        endpoint_version: 1,
        operation: Operation::Enroll,
        requester: Requester::Account(AccountId::from_bytes([1; 16])),
        registration: None,
        secret: None,
        claim: ClaimKey([2; 32]),
        request: b"request".to_vec(),
        profile: ProfileName::new("dev").unwrap(),
        profile_version: 4,
        backend: BackendName::new("issuing").unwrap(),
        contents: CertificateContents {
            subject: DistinguishedName::default(),
            names: vec![GeneralName::Dns("a.example".parse().unwrap())],
            public_key: PublicKey::from_ed25519(&[5; 32]).unwrap(),
            validity: ValidityPeriod {
                backdate: Duration::from_secs(60),
                lifetime: Duration::from_secs(90 * 86_400),
            },
            key_usage: KeyUsage::NONE,
            extended_key_usage: Vec::new(),
            policies: Vec::new(),
            basic_constraints: true,
            publication: Publication::default(),
        },
        findings: Vec::new(),
        shown: Shown::default(),
    }
}

fn changed(change: impl FnOnce(&mut Application)) -> GrantSubject {
    let mut application = application();
    change(&mut application);
    GrantSubject::of(&application, &terms()).unwrap()
}

#[test]
fn another_key_another_order_and_a_shorter_life_are_covered() {
    let granted = changed(|_| {});
    let rows = [
        ("the same", changed(|_| {})),
        (
            "another key",
            changed(|it| it.contents.public_key = PublicKey::from_ed25519(&[6; 32]).unwrap()),
        ),
        ("another order", changed(|it| it.claim = ClaimKey([9; 32]))),
        ("another request", changed(|it| it.request = b"other".to_vec())),
        (
            "a shorter life",
            changed(|it| it.contents.validity.lifetime = Duration::from_secs(1)),
        ),
        (
            "another version of the endpoint",
            changed(|it| it.endpoint_version = 2),
        ),
    ];
    for (name, asked) in rows {
        assert!(granted.covers(&asked), "{name}");
    }
}

#[test]
fn anything_else_is_not_covered() {
    let granted = changed(|_| {});
    let rows = [
        (
            "another account",
            changed(|it| it.requester = Requester::Account(AccountId::from_bytes([2; 16]))),
        ),
        (
            "a certificate with those octets",
            changed(|it| it.requester = Requester::Certificate([1; 32])),
        ),
        (
            "another name",
            changed(|it| it.contents.names = vec![GeneralName::Dns("b.example".parse().unwrap())]),
        ),
        (
            "one more name",
            changed(|it| {
                it.contents
                    .names
                    .push(GeneralName::Dns("b.example".parse().unwrap()))
            }),
        ),
        (
            "another version of the profile",
            changed(|it| it.profile_version = 5),
        ),
        (
            "another profile",
            changed(|it| it.profile = ProfileName::new("other").unwrap()),
        ),
        (
            "another endpoint",
            changed(|it| it.endpoint = EndpointName::new("acme/approval").unwrap()),
        ),
        (
            "another CA",
            changed(|it| it.backend = BackendName::new("other").unwrap()),
        ),
        (
            "a longer life",
            changed(|it| it.contents.validity.lifetime = Duration::from_secs(91 * 86_400)),
        ),
        (
            "other contents",
            changed(|it| it.contents.basic_constraints = false),
        ),
        ("a renewal", changed(|it| it.operation = Operation::Renew)),
    ];
    for (name, asked) in rows {
        assert!(!granted.covers(&asked), "{name}");
    }
    let mut stricter = terms();
    stricter.version = 4;
    let asked = GrantSubject::of(&application(), &stricter).unwrap();
    assert!(!granted.covers(&asked), "another version of the approval policy");
}

#[test]
fn who_is_only_known_by_a_key_is_granted_nothing() {
    let mut application = application();
    application.requester = Requester::Key([1; 32]);
    assert_eq!(GrantSubject::of(&application, &terms()), None);
}

#[test]
fn terms_of_grants() {
    for (uses, days, good) in [
        (1, 1, true),
        (100, 7, true),
        (0, 1, false),
        (1, 0, false),
        (101, 1, false),
        (1, 8, false),
    ] {
        assert_eq!(GrantTerms::new(uses, days).is_some(), good, "{uses} {days}");
    }
    let (one, other) = (GrantTerms::new(5, 1).unwrap(), GrantTerms::new(2, 7).unwrap());
    assert_eq!(one.least(other), GrantTerms { uses: 2, days: 1 });
    let from = Timestamp::from_unix_seconds(1_000);
    assert_eq!(one.ends(from), Timestamp::from_unix_seconds(1_000 + 86_400));
    let beyond = GrantTerms { uses: 1, days: 200 };
    assert_eq!(beyond.ends(from), GrantTerms { uses: 1, days: 7 }.ends(from));
}

#[test]
fn uses_are_counted_by_proposal() {
    let (one, other) = (ProposalId::from_bytes([1; 16]), ProposalId::from_bytes([2; 16]));
    let enrollment = EnrollmentId::from_bytes([3; 16]);
    let mut grants = Grants::default();
    assert_eq!(grants.candidates().count(), 0);
    grants.apply(&GrantEvent::Spent {
        proposal: one,
        enrollment,
    });
    assert_eq!(grants.spent(one), None, "nothing was given");
    for proposal in [one, other, one] {
        grants.apply(&GrantEvent::Given { proposal });
    }
    assert_eq!(
        grants.candidates().collect::<Vec<_>>(),
        [other, one],
        "the newest first, each once"
    );
    grants.apply(&GrantEvent::Spent {
        proposal: one,
        enrollment,
    });
    assert_eq!((grants.spent(one), grants.spent(other)), (Some(1), Some(0)));
    grants.apply(&GrantEvent::Given { proposal: one });
    assert_eq!(grants.spent(one), Some(1), "given again is no more uses");
    grants.apply(&GrantEvent::Withdrawn { proposal: one });
    assert_eq!(grants.spent(one), None);
    assert_eq!(grants.candidates().collect::<Vec<_>>(), [other]);
}
