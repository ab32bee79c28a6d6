use crate::profile::{Profile, UnlistedAttributes};

pub(super) fn look(profile: &Profile) -> Option<String> {
    (profile.subject.unlisted == UnlistedAttributes::Keep)
        .then(|| "attributes without a rule are certified as asked for".to_owned())
}
