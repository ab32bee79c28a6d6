//! Rows to write. Everything is made from small numbers, so that cases read as tables.

use std::time::Duration;

use portreeve_pkix::{SerialNumber, Timestamp, sha256};
use portreeve_ra::ports::{
    Batch, CertificateRow, CommitError, Conflict, DocumentId, DocumentKey, DocumentWrite, NewTask, Ownership,
    RegistrationRow, RequestRow, RevokedRow, SearchedNames, SecretRow, Spend, TaskKind,
};
use portreeve_ra::{
    AccountId, Actor, Circumstances, Claim, ClaimHandle, ClaimKey, EndpointName, EnrollmentId, Event,
    IncidentEvent, KeyId, NodeId, Operation, Origin, Place, Purpose, Record, RegistrationId, Requester,
    RevocationReason, SecretId, SecretKind, StreamId, StreamKind, TaskId, Unsigned,
};

/// 16 octets that sort by the number.
pub fn octets(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

/// An enrollment.
pub fn enrollment(number: u64) -> EnrollmentId {
    EnrollmentId::from_bytes(octets(number))
}

/// A node.
pub fn node(number: u64) -> NodeId {
    NodeId::from_bytes(octets(number))
}

/// A task id.
pub fn task_id(number: u64) -> TaskId {
    TaskId::from_bytes(octets(number))
}

/// A stream of incidents.
pub fn stream(number: u64) -> StreamId {
    StreamId {
        kind: StreamKind::Incident,
        id: octets(number),
    }
}

/// A record of that stream at that position, which says these words.
pub fn record_saying(stream: StreamId, position: u64, words: &str) -> Record {
    record_by(Purpose::Worker, (stream, position), words)
}

/// A record of that stream at that position, which this role says.
pub fn record_by(purpose: Purpose, (stream, position): (StreamId, u64), words: &str) -> Record {
    let place = Place {
        stream,
        position,
        previous: [0; 32],
    };
    let circumstances = Circumstances {
        purpose,
        at: Timestamp::from_unix_seconds(1_800_000_000),
        actor: Actor::Node,
        origin: Origin::node(node(1)),
        reason: String::new(),
    };
    let events = [Event::Incident(IncidentEvent::Closed {
        comment: words.to_owned(),
    })];
    let unsigned = Unsigned::new(place, circumstances, &events, [7; 16]).unwrap();
    unsigned.sign_with(KeyId([1; 8]), [2; 64])
}

/// A record of that stream at that position.
pub fn record(stream: StreamId, position: u64) -> Record {
    record_saying(stream, position, "closed")
}

/// A batch of these records.
pub fn records(records: impl IntoIterator<Item = Record>) -> Batch {
    Batch {
        records: records.into_iter().collect(),
        ..Batch::default()
    }
}

/// The key of a claim.
pub fn claim_key(number: u64) -> ClaimKey {
    let endpoint = EndpointName::new("acme/test").unwrap();
    ClaimKey::new(
        &endpoint,
        Operation::Enroll,
        &ClaimHandle(octets(number).to_vec()),
    )
}

/// A claim of the key by the enrollment.
pub fn claim(key: u64, by: u64, until: Timestamp) -> Claim {
    Claim {
        key: claim_key(key),
        requester: Requester::Account(AccountId::from_bytes(octets(by))),
        digest: sha256(&octets(by)),
        enrollment: enrollment(by),
        until,
    }
}

/// A value to spend.
pub fn spend(number: u64, until: Timestamp) -> Spend {
    Spend {
        key: sha256(&octets(number)),
        until,
    }
}

/// The kind of the documents here.
pub const KIND: &str = "test.order";

/// A document's id.
pub fn document_id(number: u64) -> DocumentId {
    DocumentId {
        kind: KIND,
        id: octets(number),
    }
}

/// A document of that version.
pub fn document(number: u64, version: u64, body: &str) -> DocumentWrite {
    DocumentWrite {
        id: document_id(number),
        version,
        body: Some(body.as_bytes().to_vec()),
        keys: Vec::new(),
        expires_at: None,
    }
}

/// A secondary key.
pub fn key(index: &'static str, value: &str, unique: bool) -> DocumentKey {
    DocumentKey {
        index,
        value: value.as_bytes().to_vec(),
        unique,
    }
}

/// A batch of these documents.
pub fn documents(documents: impl IntoIterator<Item = DocumentWrite>) -> Batch {
    Batch {
        documents: documents.into_iter().collect(),
        ..Batch::default()
    }
}

/// A task due now that nobody holds.
pub fn task(number: u64) -> NewTask {
    NewTask {
        id: task_id(number),
        kind: TaskKind::Enrollment,
        subject: StreamId::enrollment(enrollment(number)),
        wait: Duration::ZERO,
        lease: None,
    }
}

/// A row of the list of requests.
pub fn request_row(number: u64, endpoint: &str, state: &str) -> RequestRow {
    RequestRow {
        enrollment: enrollment(number),
        endpoint: endpoint.to_owned(),
        requester: "account:1".to_owned(),
        names: format!("host{number}.example"),
        profile: "tls-server".to_owned(),
        state: state.to_owned(),
        backend: "issuing".to_owned(),
        key: sha256(&octets(number)),
        key_algorithm: "P-256".to_owned(),
        searched: searched(number),
        ownership: Ownership::default(),
        proposal: number
            .is_multiple_of(2)
            .then(|| portreeve_ra::ProposalId::from_bytes(octets(number))),
        created_at: Timestamp::from_unix_seconds(1),
        updated_at: Timestamp::from_unix_millis(2_001),
    }
}

/// The names of a host with that number.
pub fn searched(number: u64) -> SearchedNames {
    SearchedNames {
        common: vec![format!("host{number}.example")],
        alternative: vec![format!("host{number}.example"), format!("also{number}.example")],
    }
}

/// A serial number.
pub fn serial(octets: &[u8]) -> SerialNumber {
    SerialNumber::from_bytes(octets).unwrap()
}

/// A row of the list of certificates.
pub fn certificate_row(number: u64) -> CertificateRow {
    CertificateRow {
        enrollment: enrollment(number),
        backend: "issuing".to_owned(),
        serial: serial(&[0x80; 19]),
        names: format!("host{number}.example"),
        key: sha256(&octets(number)),
        not_before: Timestamp::from_unix_seconds(1),
        not_after: Timestamp::from_unix_seconds(2),
        key_algorithm: "P-256".to_owned(),
        fingerprint: sha256(&octets(number + 1_000_000)),
        endpoint: "acme/test".to_owned(),
        profile: "tls-server".to_owned(),
        profile_version: 3,
        requester: "account:1".to_owned(),
        searched: searched(number),
        ownership: Ownership {
            registration: Some(format!("device{number}")),
            team: None,
        },
        issued_at: Timestamp::from_unix_millis(1_001),
        revoked: None,
    }
}

/// A row of a CRL.
pub fn revoked_row(number: u64, serial: SerialNumber, not_after: i64) -> RevokedRow {
    RevokedRow {
        enrollment: enrollment(number),
        backend: "issuing".to_owned(),
        serial,
        reason: RevocationReason::KeyCompromise,
        revoked_at: Timestamp::from_unix_seconds(1),
        not_after: Timestamp::from_unix_seconds(not_after),
    }
}

/// The conflict a commit met.
#[track_caller]
pub fn conflict(outcome: Result<(), CommitError>) -> Conflict {
    match outcome {
        Err(CommitError::Conflict(conflict)) => conflict,
        other => panic!("a conflict was expected, not {other:?}"),
    }
}

/// A row of the list of registrations.
pub fn registration_row(number: u64) -> RegistrationRow {
    RegistrationRow {
        registration: RegistrationId::from_bytes(*enrollment(number).as_bytes()),
        name: format!("Web_{number}"),
        team: (!number.is_multiple_of(3))
            .then(|| ["web", "db"][usize::from(number.is_multiple_of(2))].to_owned()),
        state: if number.is_multiple_of(5) {
            "suspended"
        } else {
            "active"
        }
        .to_owned(),
        vouched: number.is_multiple_of(7),
        until: number
            .is_multiple_of(2)
            .then(|| Timestamp::from_unix_seconds(1_000)),
    }
}

/// A row of the list of secrets.
pub fn secret_row(number: u64) -> SecretRow {
    SecretRow {
        secret: SecretId::from_bytes(*enrollment(number).as_bytes()),
        owner: ["registration:a", "operator:b"][usize::from(number.is_multiple_of(2))].to_owned(),
        kind: if number.is_multiple_of(3) {
            SecretKind::AcmeEab
        } else {
            SecretKind::Token
        },
        reference: format!("r{number}"),
        state: "live".to_owned(),
        until: None,
        created_at: Timestamp::from_unix_seconds(1_000),
    }
}
