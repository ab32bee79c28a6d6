use super::looks::signs_in;
use crate::profile::Profile;

pub(super) fn look(profile: &Profile) -> Option<String> {
    let wildcards = profile.names.dns.as_ref().is_some_and(|dns| dns.wildcards);
    (wildcards && signs_in(profile)).then(|| "wildcards in a certificate that signs in".to_owned())
}
