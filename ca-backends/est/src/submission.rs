//! What may be forwarded.

use portreeve_pkix::{CertificationRequest, GeneralName};
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
