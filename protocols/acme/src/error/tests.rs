use std::fmt::Write;

use portreeve_pkix::Timestamp;
use portreeve_ra::{AccountId, BindingRejection, CertificateRejection, DecisionRejection, InternalError};

use super::*;
use crate::site::tests::site;

fn refusals() -> Vec<Refusal> {
    let names = |name: &str, reason: &str| {
        vec![NameRejection {
            name: name.into(),
            reason: reason.into(),
        }]
    };
    vec![
        Refusal::UnknownEndpoint,
        Refusal::UnknownProfile("gold".into()),
        Refusal::AccountUnknown,
        Refusal::AccountDeactivated,
        Refusal::KeyInUse(AccountId::from_bytes([0x22; 16])),
        Refusal::NotAuthorized,
        Refusal::ClaimConflict,
        Refusal::AlreadySpent,
        Refusal::UnknownRequest,
        Refusal::Malformed("no".into()),
        Refusal::PossessionWeak,
        Refusal::PossessionNotProven,
        Refusal::Key(KeyRejection::RsaRoca),
        Refusal::Names(names("a.test", "not under an allowed suffix")),
        Refusal::NamesUnproven(names("b.test", "no proof")),
        Refusal::Subject("two common names".into()),
        Refusal::Validity("longer than 90 days".into()),
        Refusal::Extension("basicConstraints".into()),
        Refusal::Condition("only in working hours (hours)".into()),
        Refusal::Denied,
        Refusal::Expired,
        Refusal::CaRejected,
        Refusal::NotIssued,
        Refusal::RateLimited(Duration::from_millis(1500)),
        Refusal::UnknownCertificate,
        Refusal::AlreadyRevoked,
        Refusal::RevocationReason,
        Refusal::NotHeld,
        Refusal::CannotRevoke,
        Refusal::AlreadyDecided,
        Refusal::DigestMismatch,
        Refusal::Decision(DecisionRejection::Twice),
        Refusal::RegistrationClosed,
        Refusal::LimitReached,
        Refusal::BindingRequired,
        Refusal::BindingNotOffered,
        Refusal::NameTaken,
        Refusal::Stale,
        Refusal::CredentialMissing,
        Refusal::CredentialNotAccepted,
        Refusal::CredentialsDisagree,
        Refusal::CertificateRequired,
        Refusal::ClientCertificate(CertificateRejection::Revoked),
        Refusal::NotOffered,
        Refusal::NotItsNames,
        Refusal::RenewalTooEarly(Timestamp::from_unix_seconds(1_900_000_000)),
        Refusal::RenewalKeySame,
        Refusal::RenewalKeyOther,
        Refusal::ChannelBinding(BindingRejection::Wrong),
    ]
}

fn line(name: &str, problem: &Problem) -> String {
    let mut line = format!(
        "{name:<24} {} {}",
        problem.status().as_u16(),
        problem.failure.kind.as_str()
    );
    if let Some(wait) = problem.retry_after {
        write!(line, " retry-after={wait:?}").unwrap();
    }
    if let Some(location) = &problem.location {
        write!(line, " location={location}").unwrap();
    }
    if let Some(terms) = &problem.terms {
        write!(line, " terms={terms}").unwrap();
    }
    if let Some(allow) = problem.allow {
        write!(line, " allow={allow:?}").unwrap();
    }
    for part in &problem.failure.subproblems {
        write!(
            line,
            " [{} {}: {}]",
            part.kind.as_str(),
            part.identifier.1,
            part.detail
        )
        .unwrap();
    }
    write!(line, " | {}", problem.failure.detail).unwrap();
    line
}

#[test]
fn the_matrix_of_refusals() {
    let site = site();
    let lines: Vec<String> = refusals()
        .iter()
        .map(|refusal| line(refusal.code(), &of_refusal(refusal, &site)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn name(value: &str, kind: Type) -> Subproblem {
    Subproblem {
        kind,
        detail: "because".into(),
        identifier: ("dns".into(), value.into()),
    }
}

fn errors() -> Vec<(&'static str, AcmeError)> {
    vec![
        ("not found", AcmeError::NotFound),
        ("method", AcmeError::Method { allow: "POST" }),
        ("Replay-Nonce sent", AcmeError::ReplayNonceHeader),
        ("content type", AcmeError::ContentType),
        ("body too large", AcmeError::Body(BodyRefusal::TooLarge)),
        ("body too slow", AcmeError::Body(BodyRefusal::TimedOut)),
        ("body broken", AcmeError::Body(BodyRefusal::Broken)),
        ("malformed", AcmeError::Malformed("no")),
        ("payload", AcmeError::Payload("expected an object".into())),
        ("bad signature", JoseError::BadSignature.into()),
        (
            "bad algorithm",
            JoseError::UnsupportedAlgorithm("none".into()).into(),
        ),
        ("bad algorithm for the key", JoseError::AlgorithmMismatch.into()),
        ("bad envelope", JoseError::Malformed("unprotected header").into()),
        (
            "bad jwk",
            JoseError::BadPublicKey(portreeve_wire::jose::JwkFlaw::Private).into(),
        ),
        ("url mismatch", AcmeError::UrlMismatch),
        ("nonce missing", AcmeError::NonceMissing),
        ("nonce invalid", AcmeError::NonceInvalid),
        ("account unknown", AcmeError::AccountUnknown),
        ("account deactivated", AcmeError::AccountDeactivated),
        (
            "terms",
            AcmeError::TermsNotAgreed {
                terms: "https://ra.example/terms".into(),
            },
        ),
        (
            "contact unsupported",
            AcmeError::ContactUnsupported("tel:1".into()),
        ),
        (
            "contact invalid",
            AcmeError::ContactInvalid("mailto:a".into(), "no domain"),
        ),
        ("public key", AcmeError::PublicKey(KeyRejection::RsaSize(1024))),
        (
            "identifier type",
            AcmeError::IdentifierUnsupported {
                kind: "ip".into(),
                value: "::1".into(),
            },
        ),
        (
            "one bad name",
            AcmeError::Identifiers(vec![name("_a.test", Type::Malformed)]),
        ),
        (
            "two bad names",
            AcmeError::Identifiers(vec![
                name("_a.test", Type::Malformed),
                name("b.invalid", Type::RejectedIdentifier),
            ]),
        ),
        ("profile", AcmeError::Profile("gold".into())),
        ("csr", AcmeError::Csr("names differ".into())),
        ("order not ready", AcmeError::OrderNotReady("pending")),
        ("authorization closed", AcmeError::AuthorizationClosed),
        ("revocation reason", AcmeError::RevocationReason(7)),
        (
            "too many orders",
            AcmeError::TooManyOrders {
                retry_after: Duration::from_secs(60),
            },
        ),
        ("document", AcmeError::Document("acme.order")),
        ("validation", AcmeError::Validation("secret detail".into())),
        (
            "unavailable",
            portreeve_ra::Error::Unavailable {
                retry_after: Duration::from_secs(5),
            }
            .into(),
        ),
        (
            "internal",
            portreeve_ra::Error::Internal(InternalError::Store("secret detail".into())).into(),
        ),
    ]
}

#[test]
fn the_matrix_of_our_own_errors() {
    let site = site();
    let lines: Vec<String> = errors()
        .iter()
        .map(|(name, error)| line(name, &error.problem(&site)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn faults_of_ours_are_not_explained() {
    for (name, error) in errors().into_iter().filter(|(_, error)| error.is_internal()) {
        let problem = error.problem(&site());
        assert_eq!(problem.status(), StatusCode::INTERNAL_SERVER_ERROR, "{name}");
        assert!(!problem.json().to_string().contains("secret"), "{name}");
    }
}

#[test]
fn the_document_of_a_compound_problem() {
    let error = AcmeError::Identifiers(vec![
        name("a", Type::Malformed),
        name("b", Type::RejectedIdentifier),
    ]);
    let document = error.problem(&site()).json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
}
