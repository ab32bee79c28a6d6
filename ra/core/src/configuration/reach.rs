//! What an object is about: the CAs and profiles on which its authors need the right, and what it is used with.

use std::sync::Arc;

use super::{ConfigurationError, GUARD};
use crate::access::{Acting, Forbidden, Target};
use crate::authority::{REVOCATION_POLICY, RegistrationAuthority};
use crate::domain::{
    ApprovalPolicyName, BackendName, Endpoint, ObjectKind, ObjectVersion, On, ProfileName, Right,
    TrustAnchorsName,
};
use crate::error::Error;

/// A CA and a profile that an object is about. What is `None` limits nothing.
pub(crate) type About = (Option<BackendName>, Option<ProfileName>);

impl RegistrationAuthority {
    /// Refuses when somebody may not write one of these versions.
    pub(super) async fn may_write(
        &self,
        by: &Acting,
        versions: [Option<&ObjectVersion>; 2],
    ) -> Result<(), ConfigurationError> {
        self.may(by, Right::ConfigurationWrite, versions).await
    }

    /// Refuses when somebody lacks a right on something that one of these versions is about.
    pub(super) async fn may(
        &self,
        by: &Acting,
        right: Right,
        versions: [Option<&ObjectVersion>; 2],
    ) -> Result<(), ConfigurationError> {
        let somewhere = (Target::Installation, &by.origin);
        self.authorize(&by.standing, right, somewhere).await?;
        for version in versions.into_iter().flatten() {
            if guards_all(version) && !by.standing.may_everywhere(right) {
                self.refused((by.principal(), &by.origin), right, "every CA and profile")
                    .await;
                return Err(Forbidden(right).into());
            }
            for (backend, profile) in self.about(version).await? {
                let on = On {
                    backend: backend.as_ref(),
                    profile: profile.as_ref(),
                    team: None,
                };
                let needed = (Target::Object(on), &by.origin);
                self.authorize(&by.standing, right, needed).await?;
            }
        }
        Ok(())
    }

    /// The CAs and profiles that an object is about: whoever writes it, or agrees to it, needs the right on each of them.
    pub(crate) async fn about(&self, version: &ObjectVersion) -> Result<Vec<About>, ConfigurationError> {
        let unreadable = |reason: String| ConfigurationError::Unreadable(reason);
        match version.kind {
            ObjectKind::Profile => {
                let name = ProfileName::new(&version.name).map_err(|error| unreadable(error.to_string()))?;
                Ok(vec![(None, Some(name))])
            }
            ObjectKind::Endpoint => {
                let endpoint = self.policy().endpoint(version);
                let endpoint = endpoint.map_err(|error| unreadable(error.reason))?;
                Ok(offers(&endpoint))
            }
            // A policy is about what its endpoints offer, and so are trust anchors, whose clients may ask there.
            ObjectKind::ApprovalPolicy | ObjectKind::TrustAnchors => {
                let naming = self.endpoints_naming(version).await?;
                Ok(naming.iter().flat_map(|endpoint| offers(endpoint)).collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Every endpoint in force that can be read. Fails while one does not verify: what it names would seem to be used nowhere.
    async fn endpoints_in_force(&self) -> Result<Vec<Arc<Endpoint>>, Error> {
        let objects = self.objects().list_whole(ObjectKind::Endpoint).await?;
        Ok(objects
            .iter()
            .filter_map(|object| self.policy().endpoint(object).ok())
            .collect())
    }

    /// The endpoints in force that name this object.
    async fn endpoints_naming(&self, version: &ObjectVersion) -> Result<Vec<Arc<Endpoint>>, Error> {
        let mut found = self.endpoints_in_force().await?;
        found.retain(|endpoint| names(endpoint, version));
        Ok(found)
    }

    /// The objects in force that a text is used with: a profile at endpoints, an endpoint with its profiles, its approval
    /// policy and its trust anchors, trust anchors at endpoints and in place of those before.
    pub(super) async fn beside(
        &self,
        version: &ObjectVersion,
    ) -> Result<Vec<ObjectVersion>, ConfigurationError> {
        match version.kind {
            ObjectKind::Profile => Ok(self.objects().list_whole(ObjectKind::Endpoint).await?),
            ObjectKind::TrustAnchors => {
                let mut found = self.objects().list_whole(ObjectKind::Endpoint).await?;
                let before = self.objects().current(version.kind, &version.name).await?;
                found.extend(before);
                Ok(found)
            }
            ObjectKind::Endpoint => {
                let endpoint = self.policy().endpoint(version);
                let endpoint = endpoint.map_err(|error| ConfigurationError::Unreadable(error.reason))?;
                let profiles = endpoint.profiles.iter().map(ProfileName::as_str);
                let policy = endpoint.approval.iter().map(ApprovalPolicyName::as_str);
                let mut found = self.objects().all_current(ObjectKind::Profile, profiles).await?;
                found.extend(
                    self.objects()
                        .all_current(ObjectKind::ApprovalPolicy, policy)
                        .await?,
                );
                let anchors = endpoint.clients.trust.iter().chain(&endpoint.clients.ra_trust);
                let anchors = anchors.map(TrustAnchorsName::as_str);
                found.extend(
                    self.objects()
                        .all_current(ObjectKind::TrustAnchors, anchors)
                        .await?,
                );
                Ok(found.into_iter().flatten().collect())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Refuses when an object must stay in force.
    pub(super) async fn dispensable(&self, current: &ObjectVersion) -> Result<(), ConfigurationError> {
        match current.kind {
            ObjectKind::ApprovalPolicy => {
                let guarded =
                    current.name == REVOCATION_POLICY && self.approval_policy(GUARD).await?.is_some();
                if current.name == GUARD || guarded {
                    return Err(ConfigurationError::Guard);
                }
            }
            ObjectKind::TrustAnchors => {}
            _ => return Ok(()),
        }
        let naming = self.endpoints_naming(current).await?;
        if naming.is_empty() {
            return Ok(());
        }
        let naming = naming
            .iter()
            .map(|endpoint| format!("endpoint {}", endpoint.name));
        Err(ConfigurationError::Named(naming.collect()))
    }
}

/// Whether a policy guards what is done on all CAs and profiles.
fn guards_all(version: &ObjectVersion) -> bool {
    version.kind == ObjectKind::ApprovalPolicy && [GUARD, REVOCATION_POLICY].contains(&version.name.as_str())
}

fn offers(endpoint: &Endpoint) -> Vec<About> {
    let backend = &endpoint.backend;
    let profiles = endpoint.profiles.iter();
    profiles
        .map(|profile| (Some(backend.clone()), Some(profile.clone())))
        .collect()
}

/// Whether an endpoint names this object.
fn names(endpoint: &Endpoint, version: &ObjectVersion) -> bool {
    match version.kind {
        ObjectKind::Profile => endpoint.profiles.iter().any(|name| name.as_str() == version.name),
        ObjectKind::ApprovalPolicy => {
            let named = endpoint.approval.as_ref();
            named.is_some_and(|name| name.as_str() == version.name)
        }
        ObjectKind::TrustAnchors => {
            let mut named = endpoint.clients.trust.iter().chain(&endpoint.clients.ra_trust);
            named.any(|name| name.as_str() == version.name)
        }
        _ => false,
    }
}
