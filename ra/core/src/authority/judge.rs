//! Judgement: from an admitted requester and a proven request to a verdict.

use portreeve_pkix::{GeneralName, Identifier, Timestamp};
use std::sync::Arc;

use super::RegistrationAuthority;
use crate::domain::{
    Account, Agreement, Application, Credential, Endpoint, EndpointName, EnrollmentRequest, Facts, Finding,
    ObjectHistory, ObjectKind, ObjectVersion, Operation, ProfileName, Refusal, Requester, StreamId,
    Submission, Verdict, key_report_stream, proof_stream,
};
use crate::error::{Error, InternalError};
use crate::ports::{Admission, PolicyError};
use crate::steps::admit::{Admitted, admit_account, admit_again};
use crate::steps::verify::{self, History};
use crate::steps::{ProvenRequest, Verified, possession};

/// A request that was admitted, proven and judged.
pub(super) struct Judged {
    pub(super) admitted: Admitted,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) operation: Operation,
    pub(super) profile: (ProfileName, u32),
    pub(super) request: ProvenRequest,
    pub(super) verdict: Verdict,
}

/// Who asks and where, as the store knows them: read, and not admitted.
pub(super) struct Scene {
    account: Option<Verified<Account>>,
    endpoints: ObjectHistory,
}

/// What is asked for, by whoever was admitted.
struct Wish<'a> {
    operation: Operation,
    request: &'a [u8],
    profile_hint: Option<&'a ProfileName>,
    not_before: Option<Timestamp>,
    not_after: Option<Timestamp>,
}

impl<'a> From<&'a EnrollmentRequest> for Wish<'a> {
    fn from(request: &'a EnrollmentRequest) -> Self {
        Self {
            operation: request.operation,
            request: &request.request,
            profile_hint: request.profile_hint.as_ref(),
            not_before: request.not_before,
            not_after: request.not_after,
        }
    }
}

impl<'a> From<&'a Submission> for Wish<'a> {
    fn from(submission: &'a Submission) -> Self {
        Self {
            operation: submission.operation,
            request: &submission.request,
            profile_hint: submission.profile_hint.as_ref(),
            not_before: submission.not_before,
            not_after: submission.not_after,
        }
    }
}

impl RegistrationAuthority {
    /// Admission, possession, facts, policy, in this order.
    pub(super) async fn judge(&self, request: &EnrollmentRequest, scene: Scene) -> Result<Judged, Error> {
        let Scene { account, endpoints } = scene;
        let endpoint = self.read_endpoint(endpoints.current())?;
        let admitted = admit_account(&request.credential, account.as_ref(), &request.endpoint)?;
        self.limit(&admitted, &endpoint).await?;
        self.judge_admitted(admitted, endpoint, Wish::from(request)).await
    }

    /// Judges what an edge handed over: whoever asks was authenticated there, and is admitted here.
    pub(super) async fn judge_handed_over(&self, submission: &Submission) -> Result<Judged, Error> {
        let Scene { account, endpoints } = self.scene(&submission.requester, &submission.endpoint).await?;
        let endpoint = self.read_endpoint(endpoints.current())?;
        let admitted = admit_again(&submission.requester, account.as_ref(), &submission.endpoint)?;
        self.judge_admitted(admitted, endpoint, Wish::from(submission))
            .await
    }

    async fn judge_admitted(
        &self,
        admitted: Admitted,
        endpoint: Arc<Endpoint>,
        wish: Wish<'_>,
    ) -> Result<Judged, Error> {
        let proven = possession::prove(wish.request)?;
        let profile = chosen_profile(wish.profile_hint, &endpoint)?;
        let (profiles, mut facts) = self
            .profile_and_facts(&admitted, (&endpoint, &profile), &proven)
            .await?;
        if endpoint.approval.is_some() && facts.approval == Agreement::NotAsked {
            return Err(no_policy(&endpoint).into());
        }
        facts.not_before_asked = wish.not_before.map(Timestamp::floor_to_second);
        facts.not_after_asked = wish.not_after;
        let unknown = || Refusal::UnknownProfile(profile.to_string());
        let version = profiles.current().ok_or_else(unknown)?;
        let verdict = self.evaluate(&facts, version, &proven)?;
        let profile = (profile, version.version);
        Ok(Judged {
            admitted,
            endpoint,
            operation: wish.operation,
            profile,
            request: proven,
            verdict,
        })
    }

    /// Judges an application once more, by the versions it was judged by: since then its requester may have been
    /// deactivated, its names may have lost their proofs, its key may have been reported. What will be certified stays
    /// what it was, and the times that were asked for are not judged again.
    pub(super) async fn judge_again(&self, application: &Application) -> Result<(), Error> {
        let Scene { account, endpoints } = self.scene(&application.requester, &application.endpoint).await?;
        let admitted = admit_again(&application.requester, account.as_ref(), &application.endpoint)?;
        let gone = |name: &str| InternalError::Object {
            name: name.to_owned(),
            reason: "the version that a request was judged by is gone".to_owned(),
        };
        let endpoint = endpoints
            .version(application.endpoint_version)
            .ok_or_else(|| gone(application.endpoint.as_str()))?;
        let endpoint = self.read_endpoint(Some(endpoint))?;
        let proven = possession::prove(&application.request)?;
        let (profiles, mut facts) = self
            .profile_and_facts(&admitted, (&endpoint, &application.profile), &proven)
            .await?;
        facts.approval = Agreement::Given;
        let profile = profiles
            .version(application.profile_version)
            .ok_or_else(|| gone(application.profile.as_str()))?;
        match self.evaluate(&facts, profile, &proven)? {
            Verdict::Permit { .. } | Verdict::Refer { .. } => Ok(()),
            Verdict::Refuse { refusal, .. } => Err(refusal.into()),
        }
    }

    fn evaluate(
        &self,
        facts: &Facts,
        profile: &ObjectVersion,
        proven: &ProvenRequest,
    ) -> Result<Verdict, Error> {
        self.parts
            .policy
            .evaluate(facts, profile, proven)
            .map_err(|error| Error::Internal(unreadable(error)))
    }

    /// The endpoint with this name, as published and verified.
    pub async fn endpoint(&self, name: &EndpointName) -> Result<Arc<Endpoint>, Error> {
        let object = self.objects.current(ObjectKind::Endpoint, name.as_str()).await?;
        self.read_endpoint(object.as_ref())
    }

    pub(super) fn read_endpoint(&self, object: Option<&ObjectVersion>) -> Result<Arc<Endpoint>, Error> {
        let object = object.ok_or(Refusal::UnknownEndpoint)?;
        self.parts
            .policy
            .endpoint(object)
            .map_err(|error| Error::Internal(unreadable(error)))
    }

    /// Admits whoever returns to ask about an enrollment, and says at which endpoint.
    pub(super) fn admit_returning(
        &self,
        credential: &Credential,
        name: &EndpointName,
        scene: &Scene,
    ) -> Result<(Admitted, Arc<Endpoint>), Error> {
        let Scene { account, endpoints } = scene;
        let admitted = admit_account(credential, account.as_ref(), name)?;
        // An endpoint that was taken out of force still answers for what it accepted.
        Ok((admitted, self.read_endpoint(endpoints.latest_released())?))
    }

    /// One read for requester and endpoint.
    pub(super) async fn scene(&self, requester: &Requester, endpoint: &EndpointName) -> Result<Scene, Error> {
        let mut streams = vec![ObjectVersion::stream(ObjectKind::Endpoint, endpoint.as_str())];
        if let Requester::Account(account) = requester {
            streams.push(StreamId::account(*account));
        }
        let mut histories = self.ledger.histories(&streams).await?.into_iter();
        let endpoints = object(histories.next());
        let account = histories.next().and_then(verify::account);
        Ok(Scene { account, endpoints })
    }

    async fn limit(&self, admitted: &Admitted, endpoint: &Endpoint) -> Result<(), Refusal> {
        let Some(limit) = endpoint.rate_limit else {
            return Ok(());
        };
        let key = format!("{}|{}", endpoint.name, admitted.requester());
        match self.parts.limiter.admit(&key, limit, 1).await {
            Admission::Admitted => Ok(()),
            Admission::RetryAfter(wait) => Err(Refusal::RateLimited(wait)),
        }
    }

    /// One read for the profile, the report on the key, the approval policy and every proof.
    async fn profile_and_facts(
        &self,
        admitted: &Admitted,
        (endpoint, profile): (&Arc<Endpoint>, &ProfileName),
        proven: &ProvenRequest,
    ) -> Result<(ObjectHistory, Facts), Error> {
        let now = self.now();
        let requester = admitted.requester();
        let identifiers = identifiers(proven);
        let fingerprint = proven.request().public_key().fingerprint();
        let mut streams = vec![
            ObjectVersion::stream(ObjectKind::Profile, profile.as_str()),
            key_report_stream(&fingerprint),
        ];
        let policy = endpoint.approval.as_ref();
        streams
            .extend(policy.map(|policy| ObjectVersion::stream(ObjectKind::ApprovalPolicy, policy.as_str())));
        streams.extend(
            identifiers
                .iter()
                .map(|identifier| proof_stream(requester, identifier)),
        );
        let mut histories = self.ledger.histories(&streams).await?.into_iter();
        let profiles = object(histories.next());
        let report = histories.next();
        let key_blocked = report.is_some_and(|report| verify::is_compromised(&report, &fingerprint));
        let policy = policy.and_then(|_| object(histories.next()).current().cloned());
        let approval = policy.map_or(Agreement::NotAsked, |policy| Agreement::By(Arc::new(policy)));
        let validated = identifiers
            .into_iter()
            .zip(histories)
            .filter_map(|(identifier, history)| {
                let proof = verify::proof(history)?.into_value();
                proof.holds(requester, &identifier, now).then_some(identifier)
            })
            .collect();
        let facts = Facts {
            now,
            endpoint: Arc::clone(endpoint),
            approval,
            requester: requester.clone(),
            validated,
            key_blocked,
            not_after_asked: None,
            not_before_asked: None,
        };
        Ok((profiles, facts))
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

fn chosen_profile(hint: Option<&ProfileName>, endpoint: &Endpoint) -> Result<ProfileName, Refusal> {
    match hint {
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

pub(super) fn object(history: Option<History>) -> ObjectHistory {
    history.map_or_else(ObjectHistory::default, |history| {
        verify::object(history).into_value()
    })
}

/// Without the policy that its endpoint names nobody can agree, and nothing is issued.
fn no_policy(endpoint: &Endpoint) -> InternalError {
    InternalError::Object {
        name: endpoint.name.to_string(),
        reason: "its approval policy is not in force".to_owned(),
    }
}

pub(super) fn unreadable(error: PolicyError) -> InternalError {
    InternalError::Object {
        reason: error.reason,
        name: error.name,
    }
}
