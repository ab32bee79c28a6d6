//! Judgement: from an admitted requester and a proven request to a verdict.

use portreeve_pkix::{GeneralName, Identifier, Timestamp};
use std::net::IpAddr;
use std::sync::Arc;

use super::RegistrationAuthority;
use super::caller::Caller;
use crate::domain::{
    Account, Agreement, Application, Credential, Endpoint, EndpointName, EnrollmentRequest, Facts, Finding,
    ObjectHistory, ObjectKind, ObjectVersion, Operation, ProfileName, RateLimit, Refusal, RequestTemplate,
    Submission, Verdict, key_report_stream, network, proof_stream,
};
use crate::error::{Error, InternalError};
use crate::ports::{Admission, PolicyError};
use crate::steps::admit::{Admitted, Behalf, Known, admit_account, admit_again, admit_holder};
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
    pub(super) account: Option<Verified<Account>>,
    /// On whose behalf it asks, if it is on somebody's.
    pub(super) known: Option<Known>,
    pub(super) endpoints: ObjectHistory,
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
    pub(super) async fn judge(
        &self,
        request: &EnrollmentRequest,
        scene: Scene,
        caller: &Caller,
    ) -> Result<Judged, Error> {
        let now = self.now();
        let endpoint = self.read_endpoint(scene.endpoints.current())?;
        let admitted = admit_either((&request.credential, caller), &request.endpoint, &scene)?;
        if caller.spent(now).is_some() {
            return Err(Refusal::NotAuthorized.into());
        }
        let admitted = admitted.asking(scene.known, &request.endpoint, now)?;
        self.limit(&admitted, &endpoint).await?;
        self.judge_admitted(admitted, endpoint, Wish::from(request)).await
    }

    /// Judges what an edge handed over: whoever asks was authenticated there, and is admitted here.
    pub(super) async fn judge_handed_over(&self, submission: &Submission) -> Result<Judged, Error> {
        let who = (&submission.requester, submission.secret);
        let scene = self.scene(who, &submission.endpoint).await?;
        let endpoint = self.read_endpoint(scene.endpoints.current())?;
        let admitted = admit_again(who.0, scene.account.as_ref(), &submission.endpoint)?;
        let admitted = admitted.asking(scene.known, &submission.endpoint, self.now())?;
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
        let profile = chosen_profile(wish.profile_hint, &endpoint, admitted.behalf())?;
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
        let who = (&application.requester, application.secret);
        let scene = self.scene(who, &application.endpoint).await?;
        let admitted = admit_again(who.0, scene.account.as_ref(), &application.endpoint)?;
        let admitted = admitted.asking(scene.known, &application.endpoint, self.now())?;
        let may_use = |behalf: &Behalf| behalf.registration.registration.may_use(&application.profile);
        if !admitted.behalf().is_none_or(may_use) {
            return Err(Refusal::UnknownProfile(application.profile.to_string()).into());
        }
        let gone = |name: &str| InternalError::Object {
            name: name.to_owned(),
            reason: "the version that a request was judged by is gone".to_owned(),
        };
        let endpoint = scene
            .endpoints
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

    /// What a request at this endpoint should look like, by the profile that is named or its first; `None` where clients are
    /// not told.
    pub async fn request_template(
        &self,
        name: &EndpointName,
        profile_hint: Option<&ProfileName>,
    ) -> Result<Option<RequestTemplate>, Error> {
        let endpoint = self.endpoint(name).await?;
        if !endpoint.offer.template {
            return Ok(None);
        }
        let profile = chosen_profile(profile_hint, &endpoint, None)?;
        let object = self
            .objects
            .current(ObjectKind::Profile, profile.as_str())
            .await?;
        let object = object.ok_or_else(|| Refusal::UnknownProfile(profile.to_string()))?;
        let template = self.parts.policy.template(&object);
        template
            .map(Some)
            .map_err(|error| Error::Internal(unreadable(error)))
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
        who: (&Credential, &Caller),
        name: &EndpointName,
        scene: &Scene,
    ) -> Result<(Admitted, Arc<Endpoint>), Error> {
        let admitted = admit_either(who, name, scene)?;
        // An endpoint that was taken out of force still answers for what it accepted.
        Ok((admitted, self.read_endpoint(scene.endpoints.latest_released())?))
    }

    /// Counts a request against the limits of its endpoint, the narrowest first, so that one requester does not use up
    /// what is there for all.
    async fn limit(&self, admitted: &Admitted, endpoint: &Endpoint) -> Result<(), Refusal> {
        let limits = &endpoint.rate_limit;
        let name = &endpoint.name;
        let registration = admitted.behalf().map(|behalf| behalf.registration.id);
        let counted = [
            (
                "requester",
                limits.requester,
                Some(format!("{name}|{}", admitted.requester())),
            ),
            (
                "registration",
                limits.registration,
                registration.map(|id| format!("{name}|on behalf of|{id}")),
            ),
            ("endpoint", limits.endpoint, Some(format!("{name}|all"))),
        ];
        for (what, limit, key) in counted {
            if let (Some(limit), Some(key)) = (limit, key) {
                self.admit_within((&endpoint.name, what), &key, limit).await?;
            }
        }
        Ok(())
    }

    /// Counts a request that has arrived at an endpoint, before anything of it is verified. What `limit` says is the
    /// address limit of the endpoint.
    pub async fn count_arrival(
        &self,
        endpoint: &EndpointName,
        address: IpAddr,
        limit: RateLimit,
    ) -> Result<(), Refusal> {
        let key = format!("{endpoint}|from|{}", network(address));
        self.admit_within((endpoint, "address"), &key, limit).await
    }

    async fn admit_within(
        &self,
        (endpoint, what): (&EndpointName, &'static str),
        key: &str,
        limit: RateLimit,
    ) -> Result<(), Refusal> {
        match self.parts.limiter.admit(key, limit, 1).await {
            Admission::Admitted => Ok(()),
            Admission::RetryAfter(wait) => {
                self.parts.metrics.limited(endpoint.as_str(), what);
                Err(Refusal::RateLimited(wait))
            }
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
            registration: admitted.behalf().map(|behalf| Arc::clone(&behalf.registration)),
            secret: admitted.behalf().map(|behalf| behalf.secret),
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

/// The profile that is asked for, or the first of the endpoint that the registration may use.
fn chosen_profile(
    hint: Option<&ProfileName>,
    endpoint: &Endpoint,
    behalf: Option<&Behalf>,
) -> Result<ProfileName, Refusal> {
    let may_use = |name: &&ProfileName| behalf.is_none_or(|it| it.registration.registration.may_use(name));
    let mut offered = endpoint.profiles.iter().filter(may_use);
    match hint {
        Some(hint) if offered.any(|name| name == hint) => Ok(hint.clone()),
        Some(hint) => Err(Refusal::UnknownProfile(hint.to_string())),
        None => offered
            .next()
            .cloned()
            .ok_or(Refusal::UnknownProfile(String::new())),
    }
}

/// Admits who showed a secret, which was found to be right, or who signed as an account.
fn admit_either(
    (credential, caller): (&Credential, &Caller),
    endpoint: &EndpointName,
    scene: &Scene,
) -> Result<Admitted, Refusal> {
    match &caller.secret {
        Some(secret) => admit_holder(secret.value()),
        None => admit_account(credential, scene.account.as_ref(), endpoint),
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
