use super::looks::given;
use crate::profile::Profile;

const CERTIFICATE_REQUEST_AGENT: &str = "1.3.6.1.4.1.311.20.2.1";

pub(super) fn look(profile: &Profile) -> Option<String> {
    (!given(profile, &[CERTIFICATE_REQUEST_AGENT]).is_empty())
        .then(|| "the holder can request certificates in the name of others".to_owned())
}
