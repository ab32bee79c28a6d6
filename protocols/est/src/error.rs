//! What a client is told when something is refused: one total `match` per kind of reason, no wildcard.

use std::fmt::Write;
use std::time::Duration;

use http::StatusCode;
use portreeve_edge::BodyRefusal;
use portreeve_pkix::DecodeError;
use portreeve_ra::{CertificateRejection, NameRejection, Refusal};

use portreeve_wire::cms::CmsError;
use portreeve_wire::est::EstError as FormatError;

use crate::reply::Reply;

/// Octets of an explanation, at most.
const WORDS_MAX: usize = 512;

/// When to come back after a race that was lost too often.
const RACE_PAUSE: Duration = Duration::from_secs(1);

/// Why this edge refuses a request before, after or instead of the RA.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EstError {
    #[error("there is nothing here")]
    NotFound,
    #[error("this operation does not answer to that method")]
    Method { allow: &'static str },
    #[error("the Content-Type of a request must be application/pkcs10")]
    ContentType,
    #[error("{0}")]
    Body(#[from] BodyRefusal),
    #[error("{0}")]
    Format(#[from] FormatError),
    #[error("the request is malformed: {0}")]
    Request(#[from] DecodeError),
    #[error("the Authorization header cannot be read")]
    Authorization,
    #[error("who asks must be shown")]
    Nobody,
    #[error("the key cannot be encrypted as it is asked: {0}")]
    KeyEncryption(&'static str),
    #[error("a key that was made is gone")]
    KeyGone,
    #[error("a key could not be encrypted: {0}")]
    Encryption(CmsError),
    #[error("{0}")]
    Ra(#[from] portreeve_ra::Error),
}

impl From<Refusal> for EstError {
    fn from(refusal: Refusal) -> Self {
        Self::Ra(refusal.into())
    }
}

impl EstError {
    /// The answer.
    pub(crate) fn reply(&self) -> Reply {
        match self {
            Self::Ra(portreeve_ra::Error::Refused(refusal)) => of_refusal(refusal),
            Self::Ra(portreeve_ra::Error::Unavailable { retry_after }) => unavailable(*retry_after),
            Self::Ra(portreeve_ra::Error::Internal(_)) | Self::KeyGone | Self::Encryption(_) => internal(),
            Self::NotFound => self.words(StatusCode::NOT_FOUND),
            Self::Method { allow } => self.words(StatusCode::METHOD_NOT_ALLOWED).allow(allow),
            Self::ContentType => self.words(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::Body(BodyRefusal::TooLarge) => self.words(StatusCode::PAYLOAD_TOO_LARGE),
            Self::Body(BodyRefusal::TimedOut) => self.words(StatusCode::REQUEST_TIMEOUT),
            Self::Body(BodyRefusal::Broken) | Self::Format(_) | Self::Request(_) | Self::KeyEncryption(_) => {
                self.words(StatusCode::BAD_REQUEST)
            }
            Self::Authorization | Self::Nobody => self.words(StatusCode::UNAUTHORIZED),
        }
    }

    fn words(&self, status: StatusCode) -> Reply {
        Reply::text(status, &short(self.to_string()))
    }

    /// Whether it is a fault of ours, to be logged where the answer is made.
    pub(crate) const fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::KeyGone | Self::Encryption(_) | Self::Ra(portreeve_ra::Error::Internal(_))
        )
    }
}

/// What a refusal of the RA is in EST. 401: no credential, or one that is not right. 403: it is known who asks, and the
/// endpoint or the policy refuses. 400: the request is malformed, or possession or linking is not shown.
pub(crate) fn of_refusal(refusal: &Refusal) -> Reply {
    let status = match refusal {
        Refusal::UnknownEndpoint | Refusal::UnknownRequest => StatusCode::NOT_FOUND,
        Refusal::CredentialMissing | Refusal::NotAuthorized | Refusal::CredentialNotAccepted => {
            StatusCode::UNAUTHORIZED
        }
        Refusal::ClientCertificate(rejection) => of_certificate(*rejection),
        Refusal::Malformed(_)
        | Refusal::PossessionWeak
        | Refusal::PossessionNotProven
        | Refusal::ChannelBinding(_) => StatusCode::BAD_REQUEST,
        Refusal::CredentialsDisagree
        | Refusal::CertificateRequired
        | Refusal::NotOffered
        | Refusal::NotItsNames
        | Refusal::RenewalTooEarly(_)
        | Refusal::RenewalKeySame
        | Refusal::RenewalKeyOther
        | Refusal::UnknownProfile(_)
        | Refusal::Key(_)
        | Refusal::Names(_)
        | Refusal::NamesUnproven(_)
        | Refusal::Subject(_)
        | Refusal::Validity(_)
        | Refusal::Extension(_)
        | Refusal::Condition(_)
        | Refusal::Denied
        | Refusal::Expired
        | Refusal::CaRejected
        | Refusal::RegistrationClosed
        | Refusal::LimitReached
        // No request of this protocol is refused so.
        | Refusal::AccountUnknown
        | Refusal::AccountDeactivated
        | Refusal::KeyInUse(_)
        | Refusal::AlreadySpent
        | Refusal::UnknownCertificate
        | Refusal::AlreadyRevoked
        | Refusal::RevocationReason
        | Refusal::NotHeld
        | Refusal::CannotRevoke
        | Refusal::AlreadyDecided
        | Refusal::DigestMismatch
        | Refusal::Decision(_)
        | Refusal::BindingRequired
        | Refusal::BindingNotOffered
        | Refusal::NameTaken
        | Refusal::Stale => StatusCode::FORBIDDEN,
        Refusal::RateLimited(wait) => {
            return Reply::text(StatusCode::TOO_MANY_REQUESTS, &refusal.to_string()).retry_after(*wait);
        }
        Refusal::ClaimConflict => return unavailable(RACE_PAUSE),
        Refusal::NotIssued => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Reply::text(status, &short(explained(refusal)))
}

/// Whoever shows a certificate that is not right may know a password, and is asked for it.
const fn of_certificate(rejection: CertificateRejection) -> StatusCode {
    match rejection {
        CertificateRejection::Malformed
        | CertificateRejection::TooLong
        | CertificateRejection::Untrusted
        | CertificateRejection::Expired
        | CertificateRejection::NotYetValid
        | CertificateRejection::Revoked
        | CertificateRejection::Held
        | CertificateRejection::KeyCompromised
        | CertificateRejection::NotRegistered => StatusCode::UNAUTHORIZED,
        CertificateRejection::Purpose | CertificateRejection::Elsewhere | CertificateRejection::NotNewest => {
            StatusCode::FORBIDDEN
        }
    }
}

/// The refusal, and the names that it is about.
fn explained(refusal: &Refusal) -> String {
    let mut words = refusal.to_string();
    if let Refusal::Names(names) | Refusal::NamesUnproven(names) = refusal {
        for NameRejection { name, reason } in names {
            let _ = write!(words, "\n{name}: {reason}");
        }
    }
    words
}

fn short(mut words: String) -> String {
    if words.len() > WORDS_MAX {
        let end = (0..=WORDS_MAX).rev().find(|end| words.is_char_boundary(*end));
        words.truncate(end.unwrap_or_default());
        words.push('…');
    }
    words
}

/// An answer for the time when the store, the CA or a processor is not to be had.
fn unavailable(retry_after: Duration) -> Reply {
    let words = "the service is not available at the moment";
    Reply::text(StatusCode::SERVICE_UNAVAILABLE, words).retry_after(retry_after)
}

/// An answer that says no more than that the fault is ours.
fn internal() -> Reply {
    Reply::text(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the request could not be completed",
    )
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
