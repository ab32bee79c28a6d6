//! From a period to two points in time.

use std::time::Duration;

use portreeve_pkix::{Certificate, Timestamp};
use portreeve_ra::ValidityPeriod;

const SECOND: Duration = Duration::from_secs(1);
/// 9999-12-31T23:59:59Z, the last time a certificate can hold.
const LAST: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

/// Both ends belong to it (RFC 5280 section 4.1.2.5); whole seconds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
}

/// Why there is no such validity.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoValidity {
    #[error("the CA certificate is not valid yet")]
    IssuerNotYetValid,
    #[error("the CA certificate has expired")]
    IssuerExpired,
    #[error("the certificate would have expired when it is made")]
    Over,
}

/// The validity of a certificate made now. It begins `backdate` before now and ends a second before `lifetime` is over.
/// It never reaches beyond the issuer's own validity on either side: what would is cut off.
pub(crate) fn validity(
    period: ValidityPeriod,
    issuer: &Certificate,
    now: Timestamp,
) -> Result<Validity, NoValidity> {
    if now < issuer.not_before() {
        return Err(NoValidity::IssuerNotYetValid);
    }
    if !issuer.is_valid_at(now) {
        return Err(NoValidity::IssuerExpired);
    }
    let whole = unbounded(period, now);
    let not_before = whole.not_before.max(issuer.not_before());
    let not_after = whole.not_after.min(issuer.not_after());
    if not_after <= now.floor_to_second() {
        return Err(NoValidity::Over);
    }
    Ok(Validity {
        not_before,
        not_after,
    })
}

/// The validity without an issuer to bound it.
pub(crate) fn unbounded(period: ValidityPeriod, now: Timestamp) -> Validity {
    let not_before = now
        .floor_to_second()
        .saturating_sub(whole_seconds(period.backdate));
    let not_after = not_before
        .saturating_add(whole_seconds(period.lifetime))
        .saturating_sub(SECOND);
    Validity {
        not_before,
        not_after: not_after.min(LAST),
    }
}

const fn whole_seconds(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}
