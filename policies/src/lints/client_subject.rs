use portreeve_ra::Endpoint;

use super::looks::{free_subject, signs_in, unapproved};
use crate::profile::Profile;

/// Proof of names does not help: a common name that is no DNS name is not proven.
pub(super) fn look(profile: &Profile, endpoint: &Endpoint) -> Option<String> {
    let free = free_subject(profile);
    (signs_in(profile) && unapproved(endpoint) && !free.is_empty()).then(|| {
        format!(
            "a requester at {} chooses {} in a certificate that signs in",
            endpoint.name,
            free.join(" and ")
        )
    })
}
