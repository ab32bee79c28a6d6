use super::*;
use portreeve_pkix::{DnsName, Identifier, Timestamp};
use portreeve_ra::Requester;

use crate::shipped::shipped;

fn object(kind: ObjectKind, name: &str, body: &str) -> ObjectVersion {
    ObjectVersion {
        kind,
        name: name.into(),
        version: 3,
        body: body.into(),
    }
}

fn shipped_object(name: &str) -> ObjectVersion {
    let (_, body) = shipped()
        .iter()
        .find(|(known, _)| *known == name)
        .expect("shipped profile");
    object(ObjectKind::Profile, name, body)
}

/// A request as a client of another make encodes and signs it.
fn request(name: &str) -> CertificationRequest {
    let key = rcgen::KeyPair::generate().expect("key");
    let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    let request = parameters.serialize_request(&key).expect("request");
    CertificationRequest::from_der(request.der()).expect("request")
}

fn facts(policies: &Policies, endpoint: &str) -> Facts {
    let endpoint = object(ObjectKind::Endpoint, "acme/default", endpoint);
    let endpoint = policies.endpoint(&endpoint).expect("endpoint");
    let policy = "age_max = \"7d\"\n[[step]]\nanyone = true\n";
    let approval = endpoint.approval.as_ref().map(|name| {
        let policy = object(ObjectKind::ApprovalPolicy, name.as_str(), policy);
        Agreement::By(Arc::new(policy))
    });
    Facts {
        now: Timestamp::from_unix_seconds(1_800_000_000),
        endpoint,
        approval: approval.unwrap_or(Agreement::NotAsked),
        requester: Requester::Key([7; 32]),
        validated: vec![Identifier::Dns(DnsName::parse("a.example").expect("name"))],
        key_blocked: false,
        key_to_be_made: false,
        not_after_asked: None,
        not_before_asked: None,
        registration: None,
        secret: None,
    }
}

#[test]
fn permits_refers_and_refuses() {
    let policies = Policies::default();
    let profile = shipped_object("tls-server");
    let plain = "profiles = [\"tls-server\"]\nbackend = \"issuing\"";
    let approval = format!("{plain}\napproval = \"one\"");
    let judged = |name: &str, endpoint: &str| {
        policies
            .judge(&facts(&policies, endpoint), &profile, &request(name))
            .expect("verdict")
    };
    assert!(matches!(judged("a.example", plain), Verdict::Permit { .. }));
    assert!(matches!(judged("a.example", &approval), Verdict::Refer { .. }));
    assert!(matches!(judged("b.example", plain), Verdict::Refuse { .. }));
    let agreed = Facts {
        approval: Agreement::Given,
        ..facts(&policies, &approval)
    };
    let again = policies.judge(&agreed, &profile, &request("a.example"));
    assert!(matches!(again, Ok(Verdict::Permit { .. })), "people have agreed");
}

#[test]
fn objects_that_cannot_be_read() {
    let policies = Policies::default();
    let rows = [
        (
            "profile as endpoint",
            policies.endpoint(&shipped_object("dev")).err(),
            "is a profile, not a endpoint",
        ),
        (
            "endpoint as profile",
            policies
                .profile(&object(ObjectKind::Endpoint, "acme/a", ""))
                .err(),
            "is a endpoint, not a profile",
        ),
        (
            "damaged",
            policies
                .profile(&object(ObjectKind::Profile, "a", "nonsense"))
                .err(),
            "expected",
        ),
        (
            "newer",
            policies
                .endpoint(&object(ObjectKind::Endpoint, "acme/a", "colour = 1"))
                .err(),
            "unknown field `colour`",
        ),
    ];
    for (name, error, reason) in rows {
        let error = error.unwrap_or_else(|| panic!("{name}: accepted"));
        assert_eq!(error.version, 3, "{name}");
        assert!(error.reason.contains(reason), "{name}: {error}");
    }
}

#[test]
fn compiled_objects_are_shared() {
    let policies = Policies::default();
    let profile = shipped_object("dev");
    let first = policies.profile(&profile).expect("profile");
    assert!(Arc::ptr_eq(&first, &policies.profile(&profile).expect("profile")));
    let mut altered = profile;
    altered.body.push_str("# \n");
    assert!(!Arc::ptr_eq(
        &first,
        &policies.profile(&altered).expect("profile")
    ));
}

#[test]
fn extra_blocked_keys() {
    let request = request("a.example");
    let list = hex::encode(request.public_key().fingerprint());
    let policies = Policies::new(Arc::new(Blocklist::embedded().with_text(&list).expect("list")));
    let facts = facts(&policies, "profiles = [\"tls-server\"]\nbackend = \"issuing\"");
    let verdict = policies
        .judge(&facts, &shipped_object("tls-server"), &request)
        .expect("verdict");
    assert!(matches!(verdict, Verdict::Refuse { .. }));
    let to_be_made = Facts {
        key_to_be_made: true,
        ..facts.clone()
    };
    let verdict = policies.judge(&to_be_made, &shipped_object("tls-server"), &request);
    assert!(
        matches!(verdict, Ok(Verdict::Permit { .. })),
        "another key is made"
    );
    let verdict = Policies::default()
        .judge(&facts, &shipped_object("tls-server"), &request)
        .expect("verdict");
    assert!(matches!(verdict, Verdict::Permit { .. }));
}
