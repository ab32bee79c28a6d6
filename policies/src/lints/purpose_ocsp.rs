use portreeve_pkix::Oid;

use super::looks::gives;
use crate::profile::Profile;

pub(super) fn look(profile: &Profile) -> Option<String> {
    gives(profile, &Oid::EKU_OCSP_SIGNING)
        .then(|| "the holder can answer for the CA that issued it".to_owned())
}
