//! What may be forwarded.

use portreeve_pkix::{CertificationRequest, Extension, GeneralName, Oid, decode};
use portreeve_ra::CertificateContents;

use crate::config::ChallengePassword;

/// Why a request is not forwarded. Each is the end of its enrollment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unforwardable {
    /// It is no PKCS #10 request.
    #[error("request cannot be forwarded by EST: {0}")]
    NotPkcs10(portreeve_pkix::DecodeError),
    /// It is for another key than was decided on.
    #[error("request is for another key than was decided on")]
    OtherKey,
    /// It asks for more than was decided on.
    #[error("request asks for {0}, which was not decided on; it stands under the client's signature")]
    AsksForMore(String),
    /// It carries a challenge password.
    #[error(
        "request carries a challenge password, which means something on the client's own connection only and cannot be \
         taken out under its signature"
    )]
    ChallengePassword,
}

/// Reads the request that was received and checks that nothing else is asked of the server than was decided here.
///
/// The server may fill in what the request leaves out; whether it did rightly shows when the certificate is accepted.
pub(crate) fn check(
    received: &[u8],
    contents: &CertificateContents,
    challenge_password: ChallengePassword,
) -> Result<CertificationRequest, Unforwardable> {
    let request = CertificationRequest::from_der(received).map_err(Unforwardable::NotPkcs10)?;
    if *request.public_key() != contents.public_key {
        return Err(Unforwardable::OtherKey);
    }
    if request.challenge_password().is_some() && challenge_password == ChallengePassword::Refuse {
        return Err(Unforwardable::ChallengePassword);
    }
    let undecided_name = |name: &&GeneralName| !contents.names.contains(name);
    if let Some(name) = request.names().iter().find(undecided_name) {
        return Err(Unforwardable::AsksForMore(name.to_string()));
    }
    let undecided = |extension: &&Extension| !is_decided(extension, contents);
    if let Some(extension) = request.extensions().iter().find(undecided) {
        return Err(Unforwardable::AsksForMore(format!(
            "the extension {}",
            extension.oid
        )));
    }
    if let Some(change) = request.change_subject_name() {
        let names = change.names.iter().flatten();
        if let Some(name) = names.into_iter().find(undecided_name) {
            return Err(Unforwardable::AsksForMore(name.to_string()));
        }
    }
    let decided: Vec<_> = contents.subject.attributes().collect();
    let subject = request
        .change_subject_name()
        .and_then(|change| change.subject.as_ref());
    let asked = subject.unwrap_or_else(|| request.subject());
    let undecided = asked
        .attributes()
        .find(|attribute| !decided.contains(attribute))
        .map(|attribute| Unforwardable::AsksForMore(format!("the subject {:?}", attribute.value)));
    match undecided {
        Some(refused) => Err(refused),
        None => Ok(request),
    }
}

/// Whether an extension asks for nothing but what was decided. The alternative names are compared one by one; whatever the
/// profile does not write is not decided, the identifiers and addresses that a CA adds by itself among it.
fn is_decided(extension: &Extension, contents: &CertificateContents) -> bool {
    let value = &extension.value;
    let among = |asked: Vec<Oid>, decided: &[Oid]| asked.iter().all(|oid| decided.contains(oid));
    match &extension.oid {
        oid if *oid == Oid::SUBJECT_ALT_NAME => true,
        oid if *oid == Oid::KEY_USAGE => {
            decode::key_usage(value).is_ok_and(|asked| asked.bits() & !contents.key_usage.bits() == 0)
        }
        oid if *oid == Oid::EXTENDED_KEY_USAGE => {
            decode::extended_key_usage(value).is_ok_and(|asked| among(asked, &contents.extended_key_usage))
        }
        oid if *oid == Oid::CERTIFICATE_POLICIES => {
            decode::certificate_policies(value).is_ok_and(|asked| among(asked, &contents.policies))
        }
        oid if *oid == Oid::BASIC_CONSTRAINTS => {
            decode::basic_constraints(value).is_ok_and(|asked| !asked.ca && contents.basic_constraints)
        }
        _ => false,
    }
}
