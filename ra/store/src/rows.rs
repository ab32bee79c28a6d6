//! Rows as values, the same on either engine. Each function names the columns it expects.

use borsh::BorshDeserialize;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{
    CertificateRow, Claimed, DamagedTask, FENCE_MAX, LeaseRow, Ownership, RegistrationRow, RequestRow,
    RevokedRow, SearchedNames, SecretRow, StoreError, TaskKind, TaskLease,
};
use portreeve_ra::{
    Claim, ClaimKey, EnrollmentId, ProposalId, Record, RegistrationId, Requester, RevocationReason, SecretId,
    SecretKind, StoredRecord, TaskId,
};

use crate::row::{
    Columns, blob, blob_or_null, number, number_or_null, octets, serial, stream, text, text_or_null, time,
    time_or_null,
};

/// `header, payload_digest, salt, payload, key, signature`, from the column `first` on.
pub(crate) fn record(row: &impl Columns, first: usize) -> Result<Record, StoreError> {
    Record::from_stored(StoredRecord {
        header: blob(row, first)?.to_vec(),
        payload_digest: blob(row, first + 1)?.to_vec(),
        salt: blob_or_null(row, first + 2)?.map(<[u8]>::to_vec),
        payload: blob_or_null(row, first + 3)?.map(<[u8]>::to_vec),
        key: blob(row, first + 4)?.to_vec(),
        signature: blob(row, first + 5)?.to_vec(),
    })
    .map_err(|error| StoreError::Broken(error.to_string()))
}

/// `place, until, requester, digest, enrollment`, without the place.
pub(crate) fn claim(row: &impl Columns, key: ClaimKey) -> Result<Claim, StoreError> {
    let requester = Requester::try_from_slice(blob(row, 2)?)
        .map_err(|_| StoreError::Broken("the requester of a claim".to_owned()))?;
    Ok(Claim {
        key,
        requester,
        digest: octets(row, 3)?,
        enrollment: EnrollmentId::from_bytes(octets(row, 4)?),
        until: time(row, 1)?,
    })
}

/// The columns of [`request`].
pub(crate) const REQUEST: &str = "enrollment, endpoint, requester, names, profile, state, proposal, created_at, \
    updated_at, backend, key, key_algorithm, cn, sans, registration, team";

/// The columns of [`certificate`].
pub(crate) const CERTIFICATE: &str = "enrollment, backend, serial, names, key, not_before, not_after, key_algorithm, \
    fingerprint, endpoint, profile, profile_version, requester, cn, sans, registration, team, issued_at, reason, \
    revoked_at";

/// Columns [`REQUEST`].
pub(crate) fn request(row: &impl Columns) -> Result<RequestRow, StoreError> {
    let proposal = blob_or_null(row, 6)?;
    Ok(RequestRow {
        enrollment: EnrollmentId::from_bytes(octets(row, 0)?),
        endpoint: text(row, 1)?,
        requester: text(row, 2)?,
        names: text(row, 3)?,
        profile: text(row, 4)?,
        state: text(row, 5)?,
        proposal: proposal
            .map(|_| octets(row, 6))
            .transpose()?
            .map(ProposalId::from_bytes),
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
        backend: text(row, 9)?,
        key: octets(row, 10)?,
        key_algorithm: text(row, 11)?,
        searched: searched(row, 12)?,
        ownership: ownership(row, 14)?,
    })
}

/// Columns [`CERTIFICATE`].
pub(crate) fn certificate(row: &impl Columns) -> Result<CertificateRow, StoreError> {
    Ok(CertificateRow {
        enrollment: EnrollmentId::from_bytes(octets(row, 0)?),
        backend: text(row, 1)?,
        serial: serial(row, 2)?,
        names: text(row, 3)?,
        key: octets(row, 4)?,
        not_before: time(row, 5)?,
        not_after: time(row, 6)?,
        key_algorithm: text(row, 7)?,
        fingerprint: octets(row, 8)?,
        endpoint: text(row, 9)?,
        profile: text(row, 10)?,
        profile_version: number(row, 11)?,
        requester: text(row, 12)?,
        searched: searched(row, 13)?,
        ownership: ownership(row, 15)?,
        issued_at: time(row, 17)?,
        revoked: match (number_or_null(row, 18)?, number_or_null(row, 19)?) {
            (Some(_), Some(since)) => Some((reason(row, 18)?, Timestamp::from_unix_millis(since))),
            _ => None,
        },
    })
}

/// `cn, sans`.
fn searched(row: &impl Columns, first: usize) -> Result<SearchedNames, StoreError> {
    let names = |text: String| {
        let parts = text.split('\n').filter(|name| !name.is_empty());
        parts.map(str::to_owned).collect()
    };
    Ok(SearchedNames {
        common: names(text(row, first)?),
        alternative: names(text(row, first + 1)?),
    })
}

/// `registration, team`.
fn ownership(row: &impl Columns, first: usize) -> Result<Ownership, StoreError> {
    Ok(Ownership {
        registration: text_or_null(row, first)?,
        team: text_or_null(row, first + 1)?,
    })
}

fn reason(row: &impl Columns, index: usize) -> Result<RevocationReason, StoreError> {
    RevocationReason::from_number(number(row, index)?)
        .ok_or_else(|| StoreError::Broken("unknown revocation reason".to_owned()))
}

/// `enrollment, backend, serial, reason, revoked_at, not_after`.
pub(crate) fn revoked(row: &impl Columns) -> Result<RevokedRow, StoreError> {
    Ok(RevokedRow {
        enrollment: EnrollmentId::from_bytes(octets(row, 0)?),
        backend: text(row, 1)?,
        serial: serial(row, 2)?,
        reason: reason(row, 3)?,
        revoked_at: time(row, 4)?,
        not_after: time(row, 5)?,
    })
}

/// `registration, name, team, state, vouched, until`.
pub(crate) fn registration(row: &impl Columns) -> Result<RegistrationRow, StoreError> {
    Ok(RegistrationRow {
        registration: RegistrationId::from_bytes(octets(row, 0)?),
        name: text(row, 1)?,
        team: text_or_null(row, 2)?,
        state: text(row, 3)?,
        vouched: number::<u8>(row, 4)? != 0,
        until: time_or_null(row, 5)?,
    })
}

/// `secret, owner, kind, reference, state, until, created_at`.
pub(crate) fn secret(row: &impl Columns) -> Result<SecretRow, StoreError> {
    let kind = SecretKind::from_number(number(row, 2)?)
        .ok_or_else(|| StoreError::Broken("unknown kind of secret".to_owned()))?;
    Ok(SecretRow {
        secret: SecretId::from_bytes(octets(row, 0)?),
        owner: text(row, 1)?,
        kind,
        reference: text(row, 3)?,
        state: text(row, 4)?,
        until: time_or_null(row, 5)?,
        created_at: time(row, 6)?,
    })
}

/// Rows of `id, kind, subject_kind, subject, attempts, fence, due`; the longest due first. One that cannot be read is
/// told of by itself.
pub(crate) fn claimed<R: Columns>(rows: &[R]) -> Claimed {
    let (mut leases, mut damaged) = (Vec::new(), Vec::new());
    for row in rows {
        match time(row, 6).and_then(|due| Ok((due, task_lease(row)?))) {
            Ok(lease) => leases.push(lease),
            Err(error) => damaged.push(DamagedTask {
                id: blob(row, 0).map_or_else(|_| Vec::new(), |id| id.iter().take(16).copied().collect()),
                reason: error.to_string(),
            }),
        }
    }
    leases.sort_by_key(|(due, lease): &(Timestamp, TaskLease)| (*due, lease.id));
    Claimed {
        leases: leases.into_iter().map(|(_, lease)| lease).collect(),
        damaged,
    }
}

fn task_lease(row: &impl Columns) -> Result<TaskLease, StoreError> {
    let kind = TaskKind::from_number(number(row, 1)?)
        .ok_or_else(|| StoreError::Broken("unknown kind of task".to_owned()))?;
    let fence = number(row, 5)?;
    if fence >= FENCE_MAX {
        return Err(StoreError::Broken("its fence cannot grow any more".to_owned()));
    }
    Ok(TaskLease {
        id: TaskId::from_bytes(octets(row, 0)?),
        kind,
        subject: stream(row, 2)?,
        attempts: number(row, 4)?,
        fence,
    })
}

/// `fence, until` of a duty that was taken; no row, not taken.
pub(crate) fn duty<R: Columns>(rows: &[R]) -> Result<Option<LeaseRow>, StoreError> {
    rows.first()
        .map(|row| {
            Ok(LeaseRow {
                fence: number(row, 0)?,
                until: time(row, 1)?,
            })
        })
        .transpose()
}
