use std::time::Duration;

use portreeve_pkix::Oid;
use portreeve_pkix::duration::Spelled;

use super::looks::gives;
use crate::profile::Profile;

/// What browsers ever accepted last before the limits became shorter.
const MAX: Duration = Duration::from_secs(398 * 86_400);

pub(super) fn look(profile: &Profile) -> Option<String> {
    let max = profile.validity.max;
    (gives(profile, &Oid::EKU_SERVER_AUTH) && max > MAX)
        .then(|| format!("server certificates of up to {}", Spelled(max)))
}
