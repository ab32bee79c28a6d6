//! Judgement: from an admitted requester and a proven request to a verdict.

use portreeve_pkix::{GeneralName, Identifier, Timestamp};
use std::sync::Arc;

use super::RegistrationAuthority;
use crate::domain::{
    Account, Credential, Endpoint, EndpointName, EnrollmentRequest, Facts, Finding, ObjectHistory,
    ObjectKind, ObjectVersion, ProfileName, Refusal, StreamId, Verdict, proof_stream,
};
use crate::error::{Error, InternalError};
use crate::ports::{Admission, PolicyError, Space};
use crate::steps::admit::{Admitted, admit_account};
use crate::steps::verify::{self, History};
use crate::steps::{ProvenRequest, Verified, possession};

/// A request that was admitted, proven and judged.
pub(super) struct Judged {
    pub(super) admitted: Admitted,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) profile: (ProfileName, u32),
    pub(super) request: ProvenRequest,
    pub(super) verdict: Verdict,
}

impl RegistrationAuthority {
    /// Admission, possession, facts, policy, in this order.
    pub(super) async fn judge(&self, request: &EnrollmentRequest) -> Result<Judged, Error> {
        let (account, endpoint) = self.account_and_endpoint(request).await?;
        let admitted = admit_account(&request.credential, account.as_ref(), &request.endpoint)?;
        self.limit(&admitted, &endpoint)?;
        let proven = possession::prove(&request.request)?;
        let profile = chosen_profile(request, &endpoint)?;
        let (profile_version, facts) = self
            .profile_and_facts(request, &admitted, (&endpoint, &profile), &proven)
            .await?;
        let verdict = self
            .parts
            .policy
            .evaluate(&facts, &profile_version, &proven)
            .map_err(|error| Error::Internal(unreadable(error)))?;
        let profile = (profile, profile_version.version);
        Ok(Judged {
            admitted,
            endpoint,
            profile,
            request: proven,
            verdict,
        })
    }

    /// The endpoint with this name, as published and verified.
    pub async fn endpoint(&self, name: &EndpointName) -> Result<Arc<Endpoint>, Error> {
        let object = self.objects.current(ObjectKind::Endpoint, name.as_str()).await?;
        self.read_endpoint(object.as_ref())
    }

    fn read_endpoint(&self, object: Option<&ObjectVersion>) -> Result<Arc<Endpoint>, Error> {
        let object = object.ok_or(Refusal::UnknownEndpoint)?;
        self.parts
            .policy
            .endpoint(object)
            .map_err(|error| Error::Internal(unreadable(error)))
    }

    /// One read for both.
    async fn account_and_endpoint(
        &self,
        request: &EnrollmentRequest,
    ) -> Result<(Option<Verified<Account>>, Arc<Endpoint>), Error> {
        let mut streams = vec![ObjectVersion::stream(
            ObjectKind::Endpoint,
            request.endpoint.as_str(),
        )];
        if let Credential::Account { account, .. } = &request.credential {
            streams.push(StreamId::account(*account));
        }
        let mut histories = self.ledger.histories(&streams).await?.into_iter();
        let endpoint = object(histories.next());
        let account = histories.next().and_then(verify::account);
        Ok((account, self.read_endpoint(endpoint.current())?))
    }

    fn limit(&self, admitted: &Admitted, endpoint: &Endpoint) -> Result<(), Refusal> {
        let Some(limit) = endpoint.rate_limit else {
            return Ok(());
        };
        let key = format!("{}|{}", endpoint.name, admitted.requester());
        match self.parts.limiter.admit(&key, limit, 1) {
            Admission::Admitted => Ok(()),
            Admission::RetryAfter(wait) => Err(Refusal::RateLimited(wait)),
        }
    }

    /// One read for the profile and every proof.
    async fn profile_and_facts(
        &self,
        request: &EnrollmentRequest,
        admitted: &Admitted,
        (endpoint, profile): (&Arc<Endpoint>, &ProfileName),
        proven: &ProvenRequest,
    ) -> Result<(ObjectVersion, Facts), Error> {
        let now = self.now();
        let requester = admitted.requester();
        let identifiers = identifiers(proven);
        let mut streams = vec![ObjectVersion::stream(ObjectKind::Profile, profile.as_str())];
        streams.extend(
            identifiers
                .iter()
                .map(|identifier| proof_stream(requester, identifier)),
        );
        let mut histories = self.ledger.histories(&streams).await?.into_iter();
        let unknown = || Refusal::UnknownProfile(profile.to_string());
        let profile = object(histories.next()).current().cloned().ok_or_else(unknown)?;
        let validated = identifiers
            .into_iter()
            .zip(histories)
            .filter_map(|(identifier, history)| {
                let proof = verify::proof(history)?.into_value();
                proof.holds(requester, &identifier, now).then_some(identifier)
            })
            .collect();
        let fingerprint = proven.request().public_key().fingerprint();
        let key_blocked = self
            .parts
            .store
            .reserved(Space::BlockedKey, &fingerprint)
            .await?
            .is_some();
        let facts = Facts {
            now,
            endpoint: Arc::clone(endpoint),
            requester: requester.clone(),
            validated,
            key_blocked,
            not_after_asked: request.not_after,
            not_before_asked: request.not_before.map(Timestamp::floor_to_second),
        };
        Ok((profile, facts))
    }
}

/// Findings as lines of the audit log.
pub(super) fn lines(findings: &[Finding]) -> Vec<String> {
    findings
        .iter()
        .take(64)
        .map(|finding| format!("{}: {}", finding.rule, finding.text))
        .collect()
}

fn chosen_profile(request: &EnrollmentRequest, endpoint: &Endpoint) -> Result<ProfileName, Refusal> {
    match &request.profile_hint {
        Some(hint) if endpoint.profiles.contains(hint) => Ok(hint.clone()),
        Some(hint) => Err(Refusal::UnknownProfile(hint.to_string())),
        None => endpoint
            .profiles
            .first()
            .cloned()
            .ok_or(Refusal::UnknownProfile(String::new())),
    }
}

/// Every identifier in the request: subject alternative names, and common names that are DNS names.
fn identifiers(proven: &ProvenRequest) -> Vec<Identifier> {
    let request = proven.request();
    let mut found: Vec<Identifier> = request
        .names()
        .iter()
        .filter_map(GeneralName::identifier)
        .collect();
    for name in request.subject().common_names() {
        if let Ok(name) = portreeve_pkix::DnsName::parse(name) {
            found.push(Identifier::Dns(name));
        }
    }
    found.sort();
    found.dedup();
    found
}

fn object(history: Option<History>) -> ObjectHistory {
    history.map_or_else(ObjectHistory::default, |history| {
        verify::object(history).into_value()
    })
}

fn unreadable(error: PolicyError) -> InternalError {
    InternalError::Object {
        reason: error.reason,
        name: error.name,
    }
}
