use portreeve_ra::Endpoint;

use super::looks::{unbounded, unproven};
use crate::profile::Profile;

pub(super) fn look(profile: &Profile, endpoint: &Endpoint) -> Option<String> {
    let forms = unbounded(&profile.names);
    (unproven(endpoint) && !forms.is_empty())
        .then(|| format!("whoever asks at {} gets any {}", endpoint.name, forms.join(", ")))
}
