use portreeve_pkix::Oid;
use portreeve_ra::Endpoint;

use super::looks::{gives, unapproved};
use crate::profile::Profile;

pub(super) fn look(profile: &Profile, endpoint: &Endpoint) -> Option<String> {
    let signs = gives(profile, &Oid::EKU_CODE_SIGNING) || gives(profile, &Oid::EKU_TIME_STAMPING);
    (signs && unapproved(endpoint)).then(|| {
        format!(
            "codeSigning or timeStamping without approval at {}",
            endpoint.name
        )
    })
}
