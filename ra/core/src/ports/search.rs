//! Rows that searches find, and how a store is asked for them.

use portreeve_pkix::{SerialNumber, Timestamp};

use crate::domain::{EnrollmentId, ProposalId, RevocationReason};
use crate::search::{Expression, Plan, Position};

/// The names of a subject by which it is found, in lower case. In a list they may be cut off; exact names of certificates
/// are found all the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SearchedNames {
    /// Common names.
    pub common: Vec<String>,
    /// Alternative names of all forms, in words.
    pub alternative: Vec<String>,
}

/// Through what something was asked for, as it was then.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ownership {
    /// The name of the registration.
    pub registration: Option<String>,
    /// The team that owned it.
    pub team: Option<String>,
}

/// A row of the list of requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RequestRow {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// Where it arrived.
    pub endpoint: String,
    /// Who asks.
    pub requester: String,
    /// Subject and names, in words, at most 1,024 characters.
    pub names: String,
    /// The profile; empty while nobody has judged it.
    pub profile: String,
    /// The CA; empty while nobody has judged it.
    pub backend: String,
    /// The state's word.
    pub state: String,
    /// What people decide on.
    pub proposal: Option<ProposalId>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub key: [u8; 32],
    /// The kind of key.
    pub key_algorithm: String,
    /// Names by which it is found.
    pub searched: SearchedNames,
    /// Through what it was asked for. Once known, it stays when a later row does not say it.
    pub ownership: Ownership,
    /// When it was received.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A row of the list of certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateRow {
    /// The enrollment it came from.
    pub enrollment: EnrollmentId,
    /// The backend that signed it.
    pub backend: String,
    /// Its serial number.
    pub serial: SerialNumber,
    /// Subject and names, in words.
    pub names: String,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: [u8; 32],
    /// The kind of key.
    pub key_algorithm: String,
    /// SHA-256 of the certificate.
    pub fingerprint: [u8; 32],
    /// Its beginning.
    pub not_before: Timestamp,
    /// Its end.
    pub not_after: Timestamp,
    /// Where it was asked for.
    pub endpoint: String,
    /// The profile.
    pub profile: String,
    /// The version of the profile.
    pub profile_version: u32,
    /// Who asked.
    pub requester: String,
    /// Names by which it is found.
    pub searched: SearchedNames,
    /// Through what it was asked for.
    pub ownership: Ownership,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// Why and since when it is revoked or on hold. Not written: a [`RevokedRow`](super::RevokedRow) says so.
    pub revoked: Option<(RevocationReason, Timestamp)>,
}

/// What a store is asked for: rows of which an expression is true, along the way of a plan.
#[derive(Copy, Clone, Debug)]
pub struct Scan<'a> {
    /// What must be true of a row, the rights of whoever asks included; `None` asks for all.
    pub expression: Option<&'a Expression>,
    /// Along what to read.
    pub plan: &'a Plan,
    /// What times are relative to.
    pub now: Timestamp,
    /// After which place.
    pub after: Option<Position>,
    /// Rows, at most.
    pub limit: u32,
}

/// What was found of a scan. A store looks at a bounded number of rows and then says where to go on, so there may be few
/// rows here, or none, and more behind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Found<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where it goes on; `None` at the end.
    pub next: Option<Position>,
}
