//! What an edge hands over that does not judge itself.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::Timestamp;

use super::{Application, Shown};
use crate::domain::claim::ClaimKey;
use crate::domain::ids::{EndpointName, EnrollmentId, ProfileName, SecretId};
use crate::domain::request::Operation;
use crate::domain::{Requester, RevocationReason};

/// What was asked, by whom: as an edge hands it to a worker. The edge answers for the requester; a worker judges all
/// the rest.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Submission {
    /// Where it arrived.
    pub endpoint: EndpointName,
    /// What is asked for.
    pub operation: Operation,
    /// Who asks.
    pub requester: Requester,
    /// The claim that leads here.
    pub claim: ClaimKey,
    /// The request as received.
    pub request: Vec<u8>,
    /// The profile the client names, if it does.
    pub profile_hint: Option<ProfileName>,
    /// The beginning it asks for.
    pub not_before: Option<Timestamp>,
    /// The end it asks for.
    pub not_after: Option<Timestamp>,
    /// The secret it was asked with, when the requester is a registration.
    pub secret: Option<SecretId>,
    /// What it came with besides.
    pub shown: Shown,
}

/// By what right a revocation is asked for (RFC 8555 section 7.6).
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum RevocationRight {
    /// The requester asked for the certificate.
    Owner,
    /// The request is signed by the certificate's key.
    Key,
    /// The requester has proven every name in it.
    Names,
}

/// A revocation that an edge hands to a worker.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct RequestedRevocation {
    /// Why.
    pub reason: RevocationReason,
    /// By what right.
    pub right: RevocationRight,
    /// Who asks.
    pub by: Requester,
}

/// What is known of a request in every state: where it arrived, who asks, for what.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Asked<'a> {
    /// Where it arrived.
    pub endpoint: &'a EndpointName,
    /// Who asks.
    pub requester: &'a Requester,
    /// The claim that leads here.
    pub claim: ClaimKey,
    /// The request as received.
    pub request: &'a [u8],
    /// The secret it was asked with, when the requester is a registration.
    pub secret: Option<SecretId>,
    /// The certificate that may not have reached its requester before this one.
    pub replaces: Option<EnrollmentId>,
    /// What was asked for.
    pub operation: Operation,
}

impl<'a> From<&'a Application> for Asked<'a> {
    fn from(application: &'a Application) -> Self {
        Self {
            endpoint: &application.endpoint,
            requester: &application.requester,
            claim: application.claim,
            request: application
                .shown
                .received
                .as_deref()
                .unwrap_or(&application.request),
            secret: application.secret,
            replaces: application.shown.replaces,
            operation: application.operation,
        }
    }
}

impl<'a> From<&'a Submission> for Asked<'a> {
    fn from(submission: &'a Submission) -> Self {
        Self {
            endpoint: &submission.endpoint,
            requester: &submission.requester,
            claim: submission.claim,
            request: submission
                .shown
                .received
                .as_deref()
                .unwrap_or(&submission.request),
            secret: submission.secret,
            replaces: submission.shown.replaces,
            operation: submission.operation,
        }
    }
}
