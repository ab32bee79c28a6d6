use super::looks::may_have_none;
use crate::profile::Profile;

pub(super) fn look(profile: &Profile) -> Option<String> {
    may_have_none(profile).then(|| "a certificate can have no extended key usage, which means any".to_owned())
}
