//! What a client is told when something is refused: one total `match` per kind of reason, no wildcard.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use portreeve_edge::BodyRefusal;
use portreeve_ra::ports::StoreError;
use portreeve_ra::{KeyRejection, NameRejection, Refusal};
use portreeve_wire::jose::{Algorithm, JoseError};

use crate::problem::{Failure, Problem, ProblemType as Type, Subproblem};
use crate::site::Site;

/// Why this edge refuses a request before, after or instead of the RA.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AcmeError {
    #[error("there is nothing here")]
    NotFound,
    #[error("this resource does not answer to that method")]
    Method { allow: &'static str },
    #[error("Replay-Nonce is a header of answers, not of requests")]
    ReplayNonceHeader,
    #[error("the Content-Type of a request must be application/jose+json")]
    ContentType,
    #[error("{0}")]
    Body(#[from] BodyRefusal),
    #[error("{0}")]
    Jose(#[from] JoseError),
    #[error("the external account binding: {0}")]
    Binding(JoseError),
    #[error("{0}")]
    Malformed(&'static str),
    #[error("the payload is not what this resource takes: {0}")]
    Payload(String),
    #[error("the url in the protected header is not the URL of this request")]
    UrlMismatch,
    #[error("the protected header has no nonce")]
    NonceMissing,
    #[error("the nonce is not one of ours, is too old, or was used before")]
    NonceInvalid,
    #[error("no such account")]
    AccountUnknown,
    #[error("the account is deactivated")]
    AccountDeactivated,
    #[error("the terms of service must be agreed to")]
    TermsNotAgreed { terms: String },
    #[error("contact {0:?}: only mailto is supported")]
    ContactUnsupported(String),
    #[error("contact {0:?}: {1}")]
    ContactInvalid(String, &'static str),
    #[error("{0}")]
    PublicKey(KeyRejection),
    #[error("identifier type {kind:?} is not supported")]
    IdentifierUnsupported { kind: String, value: String },
    #[error("names are refused")]
    Identifiers(Vec<Subproblem>),
    #[error("no profile {0:?} is offered")]
    Profile(String),
    #[error("{0}")]
    Csr(String),
    #[error("the order is {0}")]
    OrderNotReady(&'static str),
    #[error("the authorization is no longer open")]
    AuthorizationClosed,
    #[error("revocation reason {0} is not one of 0, 1, 3, 4, 5 and 9")]
    RevocationReason(i64),
    #[error("the account has too many open orders")]
    TooManyOrders { retry_after: Duration },
    #[error("a stored {0} cannot be read")]
    Document(&'static str),
    #[error("a validation could not be recorded: {0}")]
    Validation(Arc<str>),
    #[error("{0}")]
    Ra(#[from] portreeve_ra::Error),
}

impl From<StoreError> for AcmeError {
    fn from(error: StoreError) -> Self {
        Self::Ra(error.into())
    }
}

impl From<Refusal> for AcmeError {
    fn from(refusal: Refusal) -> Self {
        Self::Ra(refusal.into())
    }
}

impl AcmeError {
    /// The answer.
    pub(crate) fn problem(&self, site: &Site) -> Problem {
        let (status, kind) = match self {
            Self::Ra(portreeve_ra::Error::Refused(refusal)) => return of_refusal(refusal, site),
            Self::Ra(portreeve_ra::Error::Unavailable { retry_after }) => return unavailable(*retry_after),
            Self::Ra(portreeve_ra::Error::Internal(_)) | Self::Document(_) | Self::Validation(_) => {
                return internal();
            }
            Self::Jose(JoseError::UnsupportedAlgorithm(_)) => return self.algorithm(),
            Self::Identifiers(names) => return identifiers(names).into(),
            Self::IdentifierUnsupported { kind, value } => return self.unsupported(kind, value),
            Self::NotFound => (StatusCode::NOT_FOUND, Type::Malformed),
            Self::Method { .. } => (StatusCode::METHOD_NOT_ALLOWED, Type::Malformed),
            Self::ContentType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, Type::Malformed),
            Self::Body(BodyRefusal::TooLarge) | Self::Jose(JoseError::TooLarge { .. }) => {
                (StatusCode::PAYLOAD_TOO_LARGE, Type::Malformed)
            }
            Self::Body(BodyRefusal::TimedOut) => (StatusCode::REQUEST_TIMEOUT, Type::Malformed),
            Self::Body(BodyRefusal::Broken)
            | Self::ReplayNonceHeader
            | Self::Jose(JoseError::Malformed(_) | JoseError::AlgorithmMismatch | JoseError::BadSignature)
            | Self::Binding(_)
            | Self::Malformed(_)
            | Self::Payload(_)
            | Self::AuthorizationClosed => (StatusCode::BAD_REQUEST, Type::Malformed),
            Self::UrlMismatch => (StatusCode::FORBIDDEN, Type::Unauthorized),
            Self::NonceMissing | Self::NonceInvalid => (StatusCode::BAD_REQUEST, Type::BadNonce),
            Self::AccountUnknown => (StatusCode::BAD_REQUEST, Type::AccountDoesNotExist),
            Self::AccountDeactivated => (StatusCode::UNAUTHORIZED, Type::Unauthorized),
            Self::TermsNotAgreed { .. } => (StatusCode::FORBIDDEN, Type::UserActionRequired),
            Self::ContactUnsupported(_) => (StatusCode::BAD_REQUEST, Type::UnsupportedContact),
            Self::ContactInvalid(..) => (StatusCode::BAD_REQUEST, Type::InvalidContact),
            Self::PublicKey(_) | Self::Jose(JoseError::BadPublicKey(_)) => {
                (StatusCode::BAD_REQUEST, Type::BadPublicKey)
            }
            Self::Profile(_) => (StatusCode::BAD_REQUEST, Type::InvalidProfile),
            Self::Csr(_) => (StatusCode::BAD_REQUEST, Type::BadCsr),
            Self::OrderNotReady(_) => (StatusCode::FORBIDDEN, Type::OrderNotReady),
            Self::RevocationReason(_) => (StatusCode::BAD_REQUEST, Type::BadRevocationReason),
            Self::TooManyOrders { .. } => (StatusCode::TOO_MANY_REQUESTS, Type::RateLimited),
        };
        let mut problem = Problem::from(Failure::new(status, kind, self.to_string()));
        match self {
            Self::Method { allow } => problem.allow = Some(allow),
            Self::TermsNotAgreed { terms } => problem.terms = Some(terms.clone()),
            Self::TooManyOrders { retry_after } => problem.retry_after = Some(*retry_after),
            _ => {}
        }
        problem
    }

    fn algorithm(&self) -> Problem {
        let failure = Failure::new(
            StatusCode::BAD_REQUEST,
            Type::BadSignatureAlgorithm,
            self.to_string(),
        );
        Problem {
            algorithms: Algorithm::names().to_vec(),
            ..Problem::from(failure)
        }
    }

    fn unsupported(&self, kind: &str, value: &str) -> Problem {
        let mut failure = Failure::new(
            StatusCode::BAD_REQUEST,
            Type::UnsupportedIdentifier,
            self.to_string(),
        );
        failure.subproblems.push(Subproblem {
            kind: Type::UnsupportedIdentifier,
            detail: self.to_string(),
            identifier: (kind.to_owned(), value.to_owned()),
        });
        failure.into()
    }

    /// Whether it is a fault of ours, to be logged where the answer is made.
    pub(crate) const fn is_internal(&self) -> bool {
        matches!(
            self,
            Self::Document(_) | Self::Validation(_) | Self::Ra(portreeve_ra::Error::Internal(_))
        )
    }
}

/// What a refusal of the RA is in ACME.
pub(crate) fn of_refusal(refusal: &Refusal, site: &Site) -> Problem {
    let (status, kind) = match refusal {
        Refusal::UnknownEndpoint | Refusal::UnknownRequest | Refusal::UnknownCertificate => {
            (StatusCode::NOT_FOUND, Type::Malformed)
        }
        Refusal::UnknownProfile(_) => (StatusCode::BAD_REQUEST, Type::InvalidProfile),
        Refusal::AccountUnknown => (StatusCode::BAD_REQUEST, Type::AccountDoesNotExist),
        Refusal::AccountDeactivated => (StatusCode::UNAUTHORIZED, Type::Unauthorized),
        Refusal::KeyInUse(_)
        | Refusal::NotHeld
        | Refusal::CannotRevoke
        | Refusal::AlreadyDecided
        | Refusal::DigestMismatch
        | Refusal::NameTaken
        | Refusal::Stale => (StatusCode::CONFLICT, Type::Malformed),
        Refusal::BindingRequired => (StatusCode::FORBIDDEN, Type::ExternalAccountRequired),
        Refusal::BindingNotOffered => (StatusCode::BAD_REQUEST, Type::Malformed),
        Refusal::NotAuthorized
        | Refusal::Decision(_)
        | Refusal::NamesUnproven(_)
        | Refusal::Condition(_)
        | Refusal::Denied
        | Refusal::Expired
        | Refusal::RegistrationClosed
        | Refusal::LimitReached
        | Refusal::CredentialMissing
        | Refusal::CredentialNotAccepted
        | Refusal::CredentialsDisagree
        | Refusal::CertificateRequired
        | Refusal::ClientCertificate(_)
        | Refusal::NotOffered
        | Refusal::NotItsNames
        | Refusal::RenewalTooEarly(_) => (StatusCode::FORBIDDEN, Type::Unauthorized),
        Refusal::ClaimConflict => (StatusCode::FORBIDDEN, Type::OrderNotReady),
        Refusal::AlreadySpent => (StatusCode::BAD_REQUEST, Type::BadNonce),
        Refusal::Malformed(_) | Refusal::Validity(_) => (StatusCode::BAD_REQUEST, Type::Malformed),
        Refusal::PossessionWeak
        | Refusal::PossessionNotProven
        | Refusal::Key(_)
        | Refusal::Subject(_)
        | Refusal::Extension(_)
        | Refusal::RenewalKeySame
        | Refusal::RenewalKeyOther
        | Refusal::ChannelBinding(_) => (StatusCode::BAD_REQUEST, Type::BadCsr),
        Refusal::Names(_) => (StatusCode::BAD_REQUEST, Type::RejectedIdentifier),
        Refusal::CaRejected | Refusal::NotIssued => (StatusCode::INTERNAL_SERVER_ERROR, Type::ServerInternal),
        Refusal::RateLimited(_) => (StatusCode::TOO_MANY_REQUESTS, Type::RateLimited),
        Refusal::AlreadyRevoked => (StatusCode::BAD_REQUEST, Type::AlreadyRevoked),
        Refusal::RevocationReason => (StatusCode::BAD_REQUEST, Type::BadRevocationReason),
    };
    let mut problem = Problem::from(Failure::new(status, kind, refusal.to_string()));
    match refusal {
        Refusal::KeyInUse(account) => problem.location = Some(site.account(*account)),
        Refusal::RateLimited(wait) => problem.retry_after = Some(*wait),
        Refusal::Names(names) | Refusal::NamesUnproven(names) => {
            problem.failure.subproblems = names.iter().map(|name| subproblem(name, kind)).collect();
        }
        _ => {}
    }
    problem
}

/// An answer for the time when the store or the CA cannot be reached.
fn unavailable(retry_after: Duration) -> Problem {
    let detail = "the service is not available at the moment";
    let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, Type::ServerInternal, detail);
    Problem {
        retry_after: Some(retry_after),
        ..Problem::from(failure)
    }
}

/// An answer that says no more than that the fault is ours.
fn internal() -> Problem {
    let detail = "the request could not be completed";
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, Type::ServerInternal, detail).into()
}

/// One bad name has its own type, several are a rejected order with one subproblem each (RFC 8555 section 6.7.1).
fn identifiers(names: &[Subproblem]) -> Failure {
    let (kind, detail) = match names {
        [only] => (only.kind, format!("{}: {}", only.identifier.1, only.detail)),
        several => (
            Type::RejectedIdentifier,
            format!("{} names are refused, see subproblems", several.len()),
        ),
    };
    Failure {
        subproblems: names.to_vec(),
        ..Failure::new(StatusCode::BAD_REQUEST, kind, detail)
    }
}

fn subproblem(name: &NameRejection, kind: Type) -> Subproblem {
    let identifier = ("dns".to_owned(), name.name.clone());
    Subproblem {
        kind,
        detail: name.reason.clone(),
        identifier,
    }
}

#[cfg(test)]
#[path = "error/tests.rs"]
mod tests;
