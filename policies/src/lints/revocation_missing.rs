use std::time::Duration;

use portreeve_pkix::duration::Spelled;

use crate::profile::Profile;

/// What the CA/Browser Forum calls short-lived needs no revocation.
const SHORT_LIVED_MAX: Duration = Duration::from_secs(10 * 86_400);

pub(super) fn look(profile: &Profile) -> Option<String> {
    let addresses = profile.publication.crl || profile.publication.ocsp;
    let max = profile.validity.max;
    (!addresses && max > SHORT_LIVED_MAX)
        .then(|| format!("neither CRL nor OCSP in certificates of up to {}", Spelled(max)))
}
