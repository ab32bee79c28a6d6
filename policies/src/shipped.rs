//! The profiles that come with the gateway.

use crate::profile::{Profile, ProfileError};

const SHIPPED: &[(&str, &str)] = &[
    ("tls-server", include_str!("../profiles/tls-server.toml")),
    ("tls-client", include_str!("../profiles/tls-client.toml")),
    ("device", include_str!("../profiles/device.toml")),
    ("short-lived", include_str!("../profiles/short-lived.toml")),
    ("dev", include_str!("../profiles/dev.toml")),
    ("dev-short", include_str!("../profiles/dev-short.toml")),
];

/// Name and text of every shipped profile.
///
/// `dev` and `dev-short` are permissive and meant for `portreeve dev` only.
pub const fn shipped() -> &'static [(&'static str, &'static str)] {
    SHIPPED
}

const APPROVAL_POLICIES: &[(&str, &str)] = &[
    ("one", include_str!("../approval-policies/one.toml")),
    ("four-eyes", include_str!("../approval-policies/four-eyes.toml")),
];

/// Name and text of every shipped approval policy.
pub const fn shipped_approval_policies() -> &'static [(&'static str, &'static str)] {
    APPROVAL_POLICIES
}

const ROLES: &[(&str, &str)] = &[
    ("ra-officer", include_str!("../roles/ra-officer.toml")),
    ("approver", include_str!("../roles/approver.toml")),
    ("registrar", include_str!("../roles/registrar.toml")),
    ("auditor", include_str!("../roles/auditor.toml")),
    ("reader", include_str!("../roles/reader.toml")),
];

/// Name and text of every shipped role of operators. `superadmin` is built in and has no text.
pub const fn shipped_roles() -> &'static [(&'static str, &'static str)] {
    ROLES
}

/// The shipped profile with this name.
pub fn shipped_profile(name: &str) -> Option<Result<Profile, ProfileError>> {
    SHIPPED
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, body)| Profile::parse(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::ProfileName;

    #[test]
    fn every_shipped_profile_reads() {
        for (name, body) in shipped() {
            assert!(ProfileName::new(name).is_ok(), "{name}");
            let profile = Profile::parse(body).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(!profile.description.is_empty(), "{name}");
            assert!(body.len() < 64 * 1024, "{name}");
        }
    }

    #[test]
    fn every_shipped_role_reads_and_none_may_change_operators() {
        for (name, body) in shipped_roles() {
            let role = crate::parse_role(name, body).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(
                !role.rights.contains(&portreeve_ra::Right::OperatorWrite),
                "{name}"
            );
        }
    }

    #[test]
    fn every_shipped_approval_policy_reads_and_four_eyes_are_shown() {
        use portreeve_ra::EvidenceRule::{Accepted, Required};
        let read = shipped_approval_policies().iter().map(|(name, body)| {
            let read = crate::parse_approval_policy(name, 1, body).unwrap();
            (*name, read.policy.terms.people(), read.policy.terms.evidence)
        });
        let expected = [("one", 1, Accepted), ("four-eyes", 2, Required)];
        assert_eq!(read.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn only_the_profiles_of_dev_are_permissive() {
        use crate::profile::CommonNameRule;
        for (name, body) in shipped() {
            let profile = Profile::parse(body).unwrap();
            let dev = name.starts_with("dev") && *name != "device";
            let single_labels = profile.names.dns.as_ref().is_some_and(|dns| dns.single_labels);
            let free = profile.subject.common_name.rule == CommonNameRule::Free
                && profile.subject.attributes.is_empty();
            assert_eq!(single_labels && free, dev, "{name}");
        }
    }
}
