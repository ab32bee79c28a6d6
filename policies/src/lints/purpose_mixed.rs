use portreeve_pkix::Oid;

use super::looks::gives;
use crate::profile::Profile;

pub(super) fn look(profile: &Profile) -> Option<String> {
    let both = gives(profile, &Oid::EKU_SERVER_AUTH) && gives(profile, &Oid::EKU_CLIENT_AUTH);
    both.then(|| "serverAuth and clientAuth in one certificate".to_owned())
}
