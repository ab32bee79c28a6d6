use super::looks::signs_in;
use crate::profile::Profile;

pub(super) fn look(profile: &Profile) -> Option<String> {
    (signs_in(profile) && !profile.policies.is_empty())
        .then(|| "certificate policies in a certificate that signs in".to_owned())
}
