use portreeve_ra::Endpoint;

use super::looks::{forms, signs_in, unproven};
use crate::profile::Profile;

/// Also when the profile bounds the names: within the bounds each requester can be every other one.
pub(super) fn look(profile: &Profile, endpoint: &Endpoint) -> Option<String> {
    let forms = forms(&profile.names);
    (signs_in(profile) && unproven(endpoint) && !forms.is_empty()).then(|| {
        format!(
            "a requester at {} chooses the {} of a certificate that signs in",
            endpoint.name,
            forms.join(", ")
        )
    })
}
