//! Rows to search among.

use portreeve_ra::ports::RevokedRow;

use super::*;

/// What relative times are relative to.
pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

pub(super) const DAY: i64 = 86_400;

pub(super) fn days(number: i64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW.unix_seconds() + number * DAY)
}

pub(super) fn texts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Certificate `number` was issued `number` days ago and ends in `ends` days.
pub(super) fn issued(number: u64, (common, alternative): (&[&str], &[&str]), ends: i64) -> CertificateRow {
    CertificateRow {
        serial: serial(&[0x0a, u8::try_from(number % 250).unwrap() + 1]),
        searched: SearchedNames {
            common: texts(common),
            alternative: texts(alternative),
        },
        ownership: Ownership::default(),
        not_after: days(ends),
        issued_at: days(-i64::try_from(number).unwrap()),
        ..certificate_row(number)
    }
}

pub(super) fn revocation(number: u64, reason: RevocationReason, since: i64) -> Projection {
    Projection::Revoked(RevokedRow {
        reason,
        revoked_at: days(since),
        ..revoked_row(number, serial(&[0x0a, u8::try_from(number).unwrap() + 1]), 1)
    })
}
