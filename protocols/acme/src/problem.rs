//! Problem documents (RFC 8555 section 6.7, RFC 9457).

use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use http::StatusCode;
use serde_json::{Value, json};

/// What every problem type begins with.
const URN: &str = "urn:ietf:params:acme:error:";

/// The problem types that this edge uses (RFC 8555 section 6.7, draft-ietf-acme-profiles). Their order is part of
/// stored documents.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum ProblemType {
    AccountDoesNotExist,
    AlreadyRevoked,
    BadCsr,
    BadNonce,
    BadPublicKey,
    BadRevocationReason,
    BadSignatureAlgorithm,
    Connection,
    Dns,
    InvalidContact,
    InvalidProfile,
    Malformed,
    OrderNotReady,
    RateLimited,
    RejectedIdentifier,
    ServerInternal,
    Tls,
    Unauthorized,
    UnsupportedContact,
    UnsupportedIdentifier,
    UserActionRequired,
    ExternalAccountRequired,
}

impl ProblemType {
    /// The last part of the URN.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::AccountDoesNotExist => "accountDoesNotExist",
            Self::AlreadyRevoked => "alreadyRevoked",
            Self::BadCsr => "badCSR",
            Self::BadNonce => "badNonce",
            Self::BadPublicKey => "badPublicKey",
            Self::BadRevocationReason => "badRevocationReason",
            Self::BadSignatureAlgorithm => "badSignatureAlgorithm",
            Self::Connection => "connection",
            Self::Dns => "dns",
            Self::InvalidContact => "invalidContact",
            Self::InvalidProfile => "invalidProfile",
            Self::Malformed => "malformed",
            Self::OrderNotReady => "orderNotReady",
            Self::RateLimited => "rateLimited",
            Self::RejectedIdentifier => "rejectedIdentifier",
            Self::ServerInternal => "serverInternal",
            Self::Tls => "tls",
            Self::Unauthorized => "unauthorized",
            Self::UnsupportedContact => "unsupportedContact",
            Self::UnsupportedIdentifier => "unsupportedIdentifier",
            Self::UserActionRequired => "userActionRequired",
            Self::ExternalAccountRequired => "externalAccountRequired",
        }
    }
}

/// What is wrong with one identifier (RFC 8555 section 6.7.1).
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Subproblem {
    pub(crate) kind: ProblemType,
    pub(crate) detail: String,
    /// Type and value of the identifier as the client wrote it.
    pub(crate) identifier: (String, String),
}

/// The part of a problem that outlives the answer: challenges and orders keep it as their `error`.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) kind: ProblemType,
    pub(crate) detail: String,
    pub(crate) subproblems: Vec<Subproblem>,
}

impl Failure {
    /// A failure about no identifier in particular.
    pub(crate) fn new(status: StatusCode, kind: ProblemType, detail: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            kind,
            detail: detail.into(),
            subproblems: Vec::new(),
        }
    }

    /// The problem document.
    pub(crate) fn json(&self) -> Value {
        let mut document = json!({
            "type": format!("{URN}{}", self.kind.as_str()),
            "detail": self.detail,
            "status": self.status,
        });
        if let (false, Some(members)) = (self.subproblems.is_empty(), document.as_object_mut()) {
            let subproblems = self.subproblems.iter().map(Subproblem::json).collect();
            members.insert("subproblems".to_owned(), Value::Array(subproblems));
        }
        document
    }
}

impl Subproblem {
    fn json(&self) -> Value {
        let (kind, value) = &self.identifier;
        json!({
            "type": format!("{URN}{}", self.kind.as_str()),
            "detail": self.detail,
            "identifier": {"type": kind, "value": value},
        })
    }
}

/// A problem as the answer to one request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Problem {
    pub(crate) failure: Failure,
    /// Becomes `Retry-After`.
    pub(crate) retry_after: Option<Duration>,
    /// Becomes `Location`.
    pub(crate) location: Option<String>,
    /// Becomes `Allow`.
    pub(crate) allow: Option<&'static str>,
    /// Becomes a link to the terms of service.
    pub(crate) terms: Option<String>,
    /// Signature algorithms that are accepted, when another was used (RFC 8555 section 6.2).
    pub(crate) algorithms: Vec<&'static str>,
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            retry_after: None,
            location: None,
            allow: None,
            terms: None,
            algorithms: Vec::new(),
        }
    }
}

impl Problem {
    /// The problem document.
    pub(crate) fn json(&self) -> Value {
        let mut document = self.failure.json();
        if let (false, Some(members)) = (self.algorithms.is_empty(), document.as_object_mut()) {
            members.insert("algorithms".to_owned(), json!(self.algorithms));
        }
        document
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.failure.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}
