use std::time::Duration;

use portreeve_pkix::duration::Spelled;

use crate::profile::Profile;

/// Five years.
const MAX: Duration = Duration::from_secs(1830 * 86_400);

pub(super) fn look(profile: &Profile) -> Option<String> {
    let max = profile.validity.max;
    (max > MAX).then(|| format!("certificates of up to {}", Spelled(max)))
}
