//! Who may decide on a proposal, and who counts as one of those who ask.

use std::collections::{BTreeMap, BTreeSet};

use super::RegistrationAuthority;
use super::judge::object;
use crate::configuration::{About, ConfigurationError, GUARD, whose};
use crate::domain::{
    Application, ApprovalTerms, BackendName, CertificateMatch, EnrollmentId, Exclusion, KnownRegistration,
    ObjectKind, ObjectVersion, On, Principal, ProfileName, Proposal, ProposalSubject, Refusal,
    RegistrationId, SecretId, SecretOwner, StreamId, TeamName,
};
use crate::error::Error;
use crate::steps::verify;

/// On what the right to decide is needed: all of these.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Affected {
    /// The CA.
    pub backend: Option<BackendName>,
    /// The profile.
    pub profile: Option<ProfileName>,
    /// The team that owns it.
    pub team: Option<TeamName>,
}

impl From<About> for Affected {
    fn from((backend, profile): About) -> Self {
        Self {
            backend,
            profile,
            team: None,
        }
    }
}

/// What decides who may decide on a proposal, besides its own terms: as it is now.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Constituency {
    /// Where the right is needed.
    pub affected: BTreeSet<Affected>,
    /// Whether it is needed on everything there is and will be: it is about what people may do.
    pub everywhere: bool,
    /// Who counts as one of those who ask, each with why.
    pub excluded: Vec<(Principal, Exclusion)>,
}

impl Constituency {
    /// On what the right is needed.
    pub fn on(&self) -> Vec<On<'_>> {
        let affected = self.affected.iter().map(|one| On {
            backend: one.backend.as_ref(),
            profile: one.profile.as_ref(),
            team: one.team.as_ref(),
        });
        affected.collect()
    }

    fn exclude(&mut self, who: &Principal, why: Exclusion) {
        let known = self.excluded.iter().any(|(other, _)| other == who);
        if !known {
            self.excluded.push((who.clone(), why));
        }
    }
}

/// A version of an object whose authors count as those who ask.
type Judge<'a> = (ObjectKind, &'a str, u32);

impl RegistrationAuthority {
    /// Who may decide on a proposal, as verified objects say now.
    pub async fn constituency(&self, proposal: &Proposal) -> Result<Constituency, Error> {
        let mut found = match &proposal.subject {
            ProposalSubject::Enrollment(id) => self.of_enrollment(*id, &proposal.terms).await?,
            ProposalSubject::Object { kind, name, version } => {
                self.of_object((*kind, name, *version), &proposal.terms).await?
            }
            ProposalSubject::Certificates { enrollments, .. } => {
                self.of_certificates(enrollments, &proposal.terms).await?
            }
            ProposalSubject::Registration(id) => self.of_registration(*id, &proposal.terms).await?,
            ProposalSubject::Secret(id) => self.of_secret(*id, &proposal.terms).await?,
        };
        if let Some(opener) = proposal.opened_by.principal() {
            found.exclude(opener, Exclusion::Asks);
        }
        if let ProposalSubject::Object { kind, name, version } = &proposal.subject {
            // Somebody else may have asked for what they drafted.
            let history = self.objects.history(*kind, name).await?;
            let proposed = history.as_ref().and_then(|history| history.revision(*version));
            if let Some(author) = proposed.and_then(|revision| revision.written.by.principal()) {
                found.exclude(author, Exclusion::Wrote(*kind, name.clone()));
            }
        }
        Ok(found)
    }

    async fn of_enrollment(&self, id: EnrollmentId, terms: &ApprovalTerms) -> Result<Constituency, Error> {
        let enrollment = self.load_enrollment(id).await?.ok_or(Refusal::UnknownRequest)?;
        let application = enrollment.value().application().ok_or(Refusal::UnknownRequest)?;
        let mut found = Constituency::default();
        let team = self.exclude_requester(&mut found, application).await?;
        self.exclude_authors(&mut found, &judges_of(application, terms))
            .await?;
        if !application.shown.chain.is_empty() && application.shown.renewal.is_none() {
            self.exclude_authors_of_trust(&mut found, application).await?;
        }
        found.affected.insert(Affected {
            backend: Some(application.backend.clone()),
            profile: Some(application.profile.clone()),
            team,
        });
        Ok(found)
    }

    /// Excludes whoever wrote the trust anchors by which a certificate of somebody else's CA was believed.
    async fn exclude_authors_of_trust(
        &self,
        found: &mut Constituency,
        application: &Application,
    ) -> Result<(), Error> {
        let endpoint = application.endpoint.as_str();
        let version = application.endpoint_version;
        let object = self
            .objects
            .version(ObjectKind::Endpoint, endpoint, version)
            .await?;
        let endpoint = self.read_endpoint(object.as_ref())?;
        let sets = endpoint.clients.trust.iter().chain(&endpoint.clients.ra_trust);
        for set in sets {
            let history = self
                .objects
                .history(ObjectKind::TrustAnchors, set.as_str())
                .await?;
            let Some((history, current)) = history.as_ref().and_then(|it| Some((it, it.current()?))) else {
                continue;
            };
            for author in history.unconfirmed_authors(current.version) {
                found.exclude(
                    author,
                    Exclusion::Wrote(ObjectKind::TrustAnchors, set.to_string()),
                );
            }
        }
        Ok(())
    }

    /// Excludes those on whose behalf an application was made. Says which team it belongs to.
    async fn exclude_requester(
        &self,
        found: &mut Constituency,
        application: &Application,
    ) -> Result<Option<TeamName>, Error> {
        if let Some(secret) = application.secret {
            let secret = self
                .secrets
                .secret(secret)
                .await?
                .ok_or(Refusal::UnknownRequest)?;
            if let Some(issuer) = secret.value().issued_by.principal() {
                found.exclude(issuer, Exclusion::IssuedSecret);
            }
        }
        match application.registration {
            Some(id) => self.exclude_registration(found, id).await,
            None => Ok(None),
        }
    }

    async fn exclude_registration(
        &self,
        found: &mut Constituency,
        id: RegistrationId,
    ) -> Result<Option<TeamName>, Error> {
        let known = verify::registration(self.ledger.history(StreamId::registration(id)).await?);
        let Some(known) = known else {
            return Err(Refusal::UnknownRequest.into());
        };
        let KnownRegistration {
            registration,
            unconfirmed_authors,
            ..
        } = known.into_value();
        if let Some(owner) = &registration.owner {
            found.exclude(owner, Exclusion::Owner);
        }
        for author in &unconfirmed_authors {
            found.exclude(author, Exclusion::WroteRegistration);
        }
        Ok(registration.team)
    }

    /// Excludes whoever wrote one of these versions and was not confirmed by another person. One read for all.
    async fn exclude_authors(&self, found: &mut Constituency, judges: &[Judge<'_>]) -> Result<(), Error> {
        let streams: Vec<StreamId> = judges
            .iter()
            .map(|(kind, name, _)| ObjectVersion::stream(*kind, name))
            .collect();
        let histories = self.ledger.histories(&streams).await?;
        for (history, (kind, name, version)) in histories.into_iter().zip(judges) {
            for author in object(Some(history)).unconfirmed_authors(*version) {
                found.exclude(author, Exclusion::Wrote(*kind, (*name).to_owned()));
            }
        }
        Ok(())
    }

    async fn of_object(
        &self,
        (kind, name, version): Judge<'_>,
        terms: &ApprovalTerms,
    ) -> Result<Constituency, Error> {
        let mut found = Constituency::default();
        let history = self.objects.history(kind, name).await?.unwrap_or_default();
        let proposed = history.revision(version).map(|revision| &revision.object);
        let current = history.current().filter(|current| current.version != version);
        self.exclude_authors(&mut found, &[policy_of(terms)]).await?;
        if kind.is_of_people() {
            // Whoever loses something may agree to it.
            let widens = |proposed| self.parts.policy.widens(current, proposed);
            if let Some(whose) = whose(kind, name)
                && proposed.is_none_or(widens)
            {
                found.exclude(&whose, Exclusion::Owner);
            }
        } else {
            let before = version.saturating_sub(1);
            self.exclude_authors(&mut found, &[(kind, name, before)]).await?;
        }
        let guards = kind == ObjectKind::ApprovalPolicy && name == GUARD;
        found.everywhere = kind.is_of_people() || guards;
        found.affected.insert(Affected::default());
        for object in proposed.into_iter().chain(current) {
            match self.about(object).await {
                Ok(about) => found.affected.extend(about.into_iter().map(Affected::from)),
                Err(ConfigurationError::Ra(error)) => return Err(error),
                // What it is about cannot be told.
                Err(_) => found.everywhere = true,
            }
        }
        Ok(found)
    }

    /// Who may decide on a registration may on what it is and what it is to be.
    async fn of_registration(
        &self,
        id: RegistrationId,
        terms: &ApprovalTerms,
    ) -> Result<Constituency, Error> {
        let mut found = Constituency::default();
        self.exclude_authors(&mut found, &[policy_of(terms)]).await?;
        let team = self.exclude_registration(&mut found, id).await?;
        found.affected.insert(Affected {
            team,
            ..Affected::default()
        });
        let known = self.registrations.registration(id).await?;
        if let Some(waiting) = known.and_then(|known| known.into_value().waiting) {
            let asked = waiting.proposed.registration;
            if let Some(owner) = &asked.owner {
                found.exclude(owner, Exclusion::Owner);
            }
            found.affected.insert(Affected {
                team: asked.team,
                ..Affected::default()
            });
        }
        Ok(found)
    }

    /// Whoever signs in with a secret does not approve it, nor does whoever asks for certificates with it.
    async fn of_secret(&self, id: SecretId, terms: &ApprovalTerms) -> Result<Constituency, Error> {
        let mut found = Constituency::default();
        self.exclude_authors(&mut found, &[policy_of(terms)]).await?;
        let known = self.secrets.secret(id).await?.ok_or(Refusal::UnknownRequest)?;
        let mut affected = Affected::default();
        match &known.value().secret.owner {
            SecretOwner::Registration(registration) => {
                affected.team = self.exclude_registration(&mut found, *registration).await?;
            }
            SecretOwner::Operator(name) => {
                found.everywhere = true;
                found.exclude(&Principal::Operator(name.clone()), Exclusion::Owner);
            }
        }
        found.affected.insert(affected);
        Ok(found)
    }

    async fn of_certificates(
        &self,
        enrollments: &[EnrollmentId],
        terms: &ApprovalTerms,
    ) -> Result<Constituency, Error> {
        let mut found = Constituency::default();
        self.exclude_authors(&mut found, &[policy_of(terms)]).await?;
        let streams: Vec<StreamId> = enrollments.iter().copied().map(StreamId::enrollment).collect();
        let mut named = BTreeSet::new();
        for history in self.ledger.histories(&streams).await? {
            let enrollment = verify::enrollment(history).ok_or(Refusal::UnknownRequest)?;
            let application = enrollment.value().application().ok_or(Refusal::UnknownRequest)?;
            let (backend, profile) = (application.backend.clone(), application.profile.clone());
            named.insert((backend, profile, application.registration));
        }
        let teams = self.teams_of(named.iter().filter_map(|(.., id)| *id)).await?;
        for (backend, profile, registration) in named {
            found.affected.insert(Affected {
                backend: Some(backend),
                profile: Some(profile),
                team: registration.and_then(|id| teams.get(&id).cloned()),
            });
        }
        Ok(found)
    }

    /// The teams that own these registrations, as far as they have one. One read for all.
    async fn teams_of(
        &self,
        ids: impl Iterator<Item = RegistrationId>,
    ) -> Result<BTreeMap<RegistrationId, TeamName>, Error> {
        let ids: BTreeSet<RegistrationId> = ids.collect();
        let ids: Vec<RegistrationId> = ids.into_iter().collect();
        let known = self.registrations.all(&ids).await?.into_iter().flatten();
        Ok(known
            .filter_map(|known| Some((known.id, known.registration.team?)))
            .collect())
    }

    /// The keys with which a principal signs evidence, each by the SHA-256 of its SubjectPublicKeyInfo. The host has none.
    pub async fn evidence_keys(&self, by: &Principal) -> Result<Vec<[u8; 32]>, Error> {
        let Principal::Operator(name) = by else {
            return Ok(Vec::new());
        };
        let operator = self.operator(name).await?;
        let keys = operator.iter().flat_map(|operator| &operator.certificates);
        Ok(keys
            .filter_map(|certificate| match certificate {
                CertificateMatch::Spki(key) => Some(*key),
                CertificateMatch::Names { .. } => None,
            })
            .collect())
    }
}

/// The versions by which an application was judged.
fn judges_of<'a>(application: &'a Application, terms: &'a ApprovalTerms) -> [Judge<'a>; 3] {
    [
        (
            ObjectKind::Endpoint,
            application.endpoint.as_str(),
            application.endpoint_version,
        ),
        (
            ObjectKind::Profile,
            application.profile.as_str(),
            application.profile_version,
        ),
        policy_of(terms),
    ]
}

/// The policy that terms come from: an approval policy, or a profile that asks for people itself.
fn policy_of(terms: &ApprovalTerms) -> Judge<'_> {
    (ObjectKind::ApprovalPolicy, terms.policy.as_str(), terms.version)
}
