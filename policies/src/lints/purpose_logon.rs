use super::looks::{LOGON, given};
use crate::profile::Profile;

pub(super) fn look(profile: &Profile) -> Option<String> {
    let given = given(profile, &LOGON);
    (!given.is_empty()).then(|| format!("{} without an account that is bound to it", given.join(", ")))
}
