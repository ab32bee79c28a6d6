//! Says before an order is made which names no profile of its endpoint would let pass.

use std::sync::Arc;

use async_trait::async_trait;
use portreeve_acme::{NameCheck, RejectedName};
use portreeve_pkix::{DnsName, Identifier};
use portreeve_policies::profile::{DnsRules, IpRules};
use portreeve_policies::{Policies, Profile};
use portreeve_ra::{
    Endpoint, Error, InternalError, ObjectKind, ObjectVersion, ProfileName, RegistrationAuthority,
};

/// Looks into the profiles of the endpoint. A hint: when the order is finalized policy judges all of it.
pub struct ProfileNames {
    /// Reads objects.
    pub ra: Arc<RegistrationAuthority>,
    /// Reads profiles.
    pub policies: Arc<Policies>,
}

#[async_trait]
impl NameCheck for ProfileNames {
    async fn check(&self, endpoint: &Endpoint, names: &[Identifier]) -> Result<Vec<RejectedName>, Error> {
        let wanted = endpoint.profiles.iter().map(ProfileName::as_str);
        let objects = self.ra.objects().all_current(ObjectKind::Profile, wanted).await?;
        let profiles = objects
            .iter()
            .zip(&endpoint.profiles)
            .map(|(object, name)| self.profile(object.as_ref(), name))
            .collect::<Result<Vec<_>, _>>()?;
        let reject = |name: &Identifier| {
            let reasons: Option<Vec<String>> = profiles.iter().map(|profile| reason(profile, name)).collect();
            let reason = reasons?.into_iter().next()?;
            Some(RejectedName {
                identifier: name.clone(),
                reason,
            })
        };
        Ok(names.iter().filter_map(reject).collect())
    }
}

impl ProfileNames {
    fn profile(
        &self,
        object: Option<&ObjectVersion>,
        name: &ProfileName,
    ) -> Result<Arc<Profile>, InternalError> {
        let missing = || InternalError::Object {
            name: name.to_string(),
            reason: "is not published".to_owned(),
        };
        self.policies
            .profile(object.ok_or_else(missing)?)
            .map_err(|error| InternalError::Object {
                name: error.name,
                reason: error.reason,
            })
    }
}

/// Why this profile lets the name not pass, if it does not.
fn reason(profile: &Profile, name: &Identifier) -> Option<String> {
    match name {
        Identifier::Dns(name) => match &profile.names.dns {
            Some(rules) => dns_reason(rules, name).map(str::to_owned),
            None => Some("DNS names are not certified here".to_owned()),
        },
        Identifier::Ip(address) => match &profile.names.ip {
            Some(IpRules { allow, deny }) => {
                let within =
                    |networks: &[ipnet::IpNet]| networks.iter().any(|network| network.contains(address));
                (!within(allow) || within(deny))
                    .then(|| "address lies outside of what is certified here".to_owned())
            }
            None => Some("IP addresses are not certified here".to_owned()),
        },
    }
}

fn dns_reason(rules: &DnsRules, name: &DnsName) -> Option<&'static str> {
    if name.is_wildcard() && !rules.wildcards {
        return Some("wildcard names are not certified here");
    }
    if !rules.single_labels && !name.base().as_str().contains('.') {
        return Some("names of one label are not certified here");
    }
    if !rules.allow.iter().any(|scope| scope.contains(name)) {
        return Some("name lies outside of what is certified here");
    }
    rules
        .deny
        .iter()
        .any(|denied| name.is_under(denied))
        .then_some("name is denied here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        let rules: DnsRules =
            toml::from_str("allow = [\"example.com\", \"local\"]\ndeny = [\"secret.example.com\"]\n")
                .unwrap();
        let rows = [
            ("allowed", "www.example.com", true),
            ("the suffix itself", "example.com", true),
            ("elsewhere", "www.example.org", false),
            ("denied", "a.secret.example.com", false),
            ("wildcard", "*.example.com", false),
            ("one label", "local", false),
        ];
        for (case, name, passes) in rows {
            assert_eq!(
                dns_reason(&rules, &DnsName::parse(name).unwrap()).is_none(),
                passes,
                "{case}"
            );
        }
    }
}
