use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use portreeve_pkix::{CertificationRequest, Timestamp};
use portreeve_ra::{AccountId, BindingRejection, DecisionRejection, InternalError, KeyRejection};

use super::*;
use crate::reply::Challenge;

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
        Refusal::ClientCertificate(CertificateRejection::Malformed),
        Refusal::ClientCertificate(CertificateRejection::TooLong),
        Refusal::ClientCertificate(CertificateRejection::Untrusted),
        Refusal::ClientCertificate(CertificateRejection::Purpose),
        Refusal::ClientCertificate(CertificateRejection::Expired),
        Refusal::ClientCertificate(CertificateRejection::NotYetValid),
        Refusal::ClientCertificate(CertificateRejection::Revoked),
        Refusal::ClientCertificate(CertificateRejection::Held),
        Refusal::ClientCertificate(CertificateRejection::KeyCompromised),
        Refusal::ClientCertificate(CertificateRejection::Elsewhere),
        Refusal::ClientCertificate(CertificateRejection::NotNewest),
        Refusal::ClientCertificate(CertificateRejection::NotRegistered),
        Refusal::NotOffered,
        Refusal::NotItsNames,
        Refusal::RenewalTooEarly(Timestamp::from_unix_seconds(1_900_000_000)),
        Refusal::RenewalKeySame,
        Refusal::RenewalKeyOther,
        Refusal::ChannelBinding(BindingRejection::Missing),
        Refusal::ChannelBinding(BindingRejection::Wrong),
        Refusal::ChannelBinding(BindingRejection::TlsUnique),
        Refusal::ChannelBinding(BindingRejection::NoBinding),
    ]
}

fn line(name: &str, reply: Reply) -> String {
    let response = reply.into_response(Challenge::Basic);
    let mut line = format!("{name:<24} {}", response.status().as_u16());
    for header in [RETRY_AFTER, ALLOW, WWW_AUTHENTICATE] {
        if let Some(value) = response.headers().get(&header) {
            write!(line, " {header}={}", value.to_str().unwrap()).unwrap();
        }
    }
    let body = String::from_utf8(response.body().to_vec()).unwrap();
    write!(line, " | {}", body.trim_end().replace('\n', " / ")).unwrap();
    line
}

#[test]
fn the_matrix_of_refusals() {
    let refusals = refusals();
    let lines: Vec<String> = refusals
        .iter()
        .map(|refusal| line(refusal.code(), of_refusal(refusal)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

fn errors() -> Vec<(&'static str, EstError)> {
    let retry_after = Duration::from_secs(5);
    vec![
        ("not found", EstError::NotFound),
        ("method", EstError::Method { allow: "POST" }),
        ("content type", EstError::ContentType),
        ("body too large", EstError::Body(BodyRefusal::TooLarge)),
        ("body too slow", EstError::Body(BodyRefusal::TimedOut)),
        ("body broken", EstError::Body(BodyRefusal::Broken)),
        ("no base64", FormatError::NotBase64.into()),
        (
            "no request",
            EstError::Request(CertificationRequest::from_der(&[0x30]).unwrap_err()),
        ),
        ("authorization", EstError::Authorization),
        ("nobody", EstError::Nobody),
        ("key encryption", EstError::KeyEncryption("RC2")),
        ("key gone", EstError::KeyGone),
        ("encryption", EstError::Encryption(CmsError::Library)),
        (
            "unavailable",
            portreeve_ra::Error::Unavailable { retry_after }.into(),
        ),
        (
            "internal",
            portreeve_ra::Error::Internal(InternalError::Store("secret detail".into())).into(),
        ),
    ]
}

#[test]
fn the_matrix_of_our_own_errors() {
    let lines: Vec<String> = errors()
        .iter()
        .map(|(name, error)| line(name, error.reply()))
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn faults_of_ours_are_not_explained() {
    for (name, error) in errors().into_iter().filter(|(_, error)| error.is_internal()) {
        let response = error.reply().into_response(Challenge::Basic);
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR, "{name}");
        assert!(
            !String::from_utf8_lossy(response.body()).contains("secret"),
            "{name}"
        );
    }
}

#[test]
fn explanations_are_short() {
    let names: Vec<NameRejection> = (0..200)
        .map(|number| NameRejection {
            name: format!("ö{number}.test"),
            reason: "no".into(),
        })
        .collect();
    let response = of_refusal(&Refusal::Names(names)).into_response(Challenge::Basic);
    assert!(response.body().len() <= WORDS_MAX + 8);
}
