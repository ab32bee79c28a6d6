//! Judgement: from an admitted requester and a proven request to a verdict.

use portreeve_pkix::{CertificationRequest, GeneralName, Identifier, Timestamp};
use std::sync::Arc;

use super::RegistrationAuthority;
use super::again::Earlier;
use super::caller::{Beside, Caller};
use super::holder::Holder;
use super::outlook::Outlook;
use super::wish::Wish;
use crate::domain::{
    Account, Agreement, Application, Credential, Endpoint, EndpointName, EnrollmentRequest, Facts, Finding,
    ObjectHistory, ObjectKind, ObjectVersion, Operation, ProfileName, Refusal, RequestTemplate, Requester,
    SecretId, SeveralCredentials, Shown, Submission, Verdict, key_report_stream, proof_stream,
};
use crate::error::{Error, InternalError};
use crate::ports::PolicyError;
use crate::steps::admit::{
    Admitted, Behalf, Known, When, admit_account, admit_again, admit_certificate, admit_holder,
};
use crate::steps::client::Presented;
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
    /// What it came with, as it is kept.
    pub(super) shown: Shown,
}

/// Who asks and where, as the store knows them: read, and not admitted.
pub(super) struct Scene {
    pub(super) account: Option<Verified<Account>>,
    /// On whose behalf it asks, if it is on somebody's.
    pub(super) known: Option<Known>,
    /// The certificates it showed, when they say who it is.
    pub(super) presented: Option<Presented>,
    pub(super) endpoints: ObjectHistory,
}

impl RegistrationAuthority {
    /// Admission, possession, facts, policy, in this order.
    pub(super) async fn judge(
        &self,
        request: &EnrollmentRequest,
        scene: Scene,
        (caller, earlier): (&Caller, Option<&Earlier>),
        outlook: &Outlook,
    ) -> Result<Judged, Error> {
        let now = self.now();
        let endpoint = self.read_endpoint(scene.endpoints.current())?;
        caller.accepted_at(&endpoint)?;
        let when = (When::Asks(request.operation), now);
        let admitted = admit_either((&request.credential, caller), &endpoint, &scene, when)?;
        if !may_ask_again(caller.spent(now), earlier) {
            return Err(Refusal::NotAuthorized.into());
        }
        let admitted = admitted.asking(scene.known, &endpoint, now)?;
        self.agreeing((caller, &admitted), &endpoint, (&scene.endpoints, outlook))
            .await?;
        if !renews_something(request.operation, &admitted) {
            return Err(Refusal::CertificateRequired.into());
        }
        self.limit(&admitted, &endpoint).await?;
        let mut wish = Wish::from(request).read_as(outlook.request.as_ref());
        wish.shown.chain = caller.holder.as_ref().map(Holder::ders).unwrap_or_default();
        wish.shown.besides = caller.besides.iter().map(Beside::requester).collect();
        wish.shown.replaces = earlier.and_then(|earlier| earlier.undelivered);
        self.judge_admitted(admitted, endpoint, (wish, outlook)).await
    }

    /// Where the endpoint wants several credentials to be of one identity, whether they are: of one registration.
    async fn agreeing(
        &self,
        (caller, admitted): (&Caller, &Admitted),
        endpoint: &Endpoint,
        (endpoints, outlook): (&ObjectHistory, &Outlook),
    ) -> Result<(), Error> {
        if endpoint.clients.several == SeveralCredentials::Precedence {
            return Ok(());
        }
        let on_behalf_of = admitted.registration();
        for beside in &caller.besides {
            let other = match beside {
                Beside::Registration(id) => Some(*id),
                Beside::Certificate(holder) => {
                    let presented = self.presented(holder, endpoints, outlook).await?;
                    let other = admit_certificate(&presented, endpoint, When::Later, self.now())?;
                    other.registration()
                }
            };
            if other.is_none() || other != on_behalf_of {
                return Err(Refusal::CredentialsDisagree.into());
            }
        }
        Ok(())
    }

    /// Judges what an edge handed over: whoever asks was authenticated there, and is admitted here.
    pub(super) async fn judge_handed_over(&self, submission: &Submission) -> Result<Judged, Error> {
        let outlook = Outlook::default();
        let holder = self.holder_again(&submission.shown).await?;
        let who = (&submission.requester, submission.secret, holder.as_ref());
        let scene = self.scene(who, &submission.endpoint, &outlook).await?;
        let endpoint = self.read_endpoint(scene.endpoints.current())?;
        let when = (When::Asks(submission.operation), self.now());
        let admitted = admit_known(&submission.requester, &endpoint, &scene, when)?;
        let admitted = admitted.asking(scene.known, &endpoint, self.now())?;
        self.judge_admitted(admitted, endpoint, (Wish::from(submission), &outlook))
            .await
    }

    async fn judge_admitted(
        &self,
        admitted: Admitted,
        endpoint: Arc<Endpoint>,
        (wish, outlook): (Wish<'_>, &Outlook),
    ) -> Result<Judged, Error> {
        let (asked, shown) = self.asked(&admitted, &endpoint, &wish)?;
        let profile = chosen_profile(wish.profile_hint, &endpoint, admitted.behalf())?;
        // What would be refused anyway costs no key.
        let early = wish.needs_a_key();
        let asked = if early { asked } else { wish.keyed(asked).await? };
        let (profiles, mut facts) = self
            .profile_and_facts(&admitted, (&endpoint, &profile), &asked, outlook)
            .await?;
        if endpoint.approval.is_some() && facts.approval == Agreement::NotAsked {
            return Err(no_policy(&endpoint).into());
        }
        facts.not_before_asked = wish.not_before.map(Timestamp::floor_to_second);
        facts.not_after_asked = wish.not_after;
        let unknown = || Refusal::UnknownProfile(profile.to_string());
        let version = profiles.current().ok_or_else(unknown)?;
        facts.key_to_be_made = early;
        facts.key_blocked = facts.key_blocked && !early;
        let mut verdict = self.evaluate(&facts, version, &asked)?;
        if early {
            verdict = self.with_room(verdict, (&admitted, &shown)).await?;
        }
        let refused = matches!(verdict, Verdict::Refuse { .. });
        let request = if early && !refused {
            let made = wish.keyed(asked).await?;
            facts.key_to_be_made = false;
            verdict = self.evaluate(&facts, version, &made)?;
            made
        } else {
            asked
        };
        let profile = (profile, version.version);
        Ok(Judged {
            admitted,
            endpoint,
            operation: wish.operation,
            profile,
            request,
            verdict,
            shown,
        })
    }

    /// Judges an application once more, by the versions it was judged by: since then its requester may have been
    /// deactivated, its names may have lost their proofs, its key may have been reported. What will be certified stays
    /// what it was, and the times that were asked for are not judged again.
    pub(super) async fn judge_again(&self, application: &Application) -> Result<(), Error> {
        let outlook = Outlook::default();
        let holder = self.holder_again(&application.shown).await?;
        let who = (&application.requester, application.secret, holder.as_ref());
        let scene = self.scene(who, &application.endpoint, &outlook).await?;
        let gone = |name: &str| InternalError::Object {
            name: name.to_owned(),
            reason: "the version that a request was judged by is gone".to_owned(),
        };
        let endpoint = scene
            .endpoints
            .version(application.endpoint_version)
            .ok_or_else(|| gone(application.endpoint.as_str()))?;
        let endpoint = self.read_endpoint(Some(endpoint))?;
        // One that was taken out of force lets nobody in any more, and keeps what it accepted. Of a text that this node
        // cannot read, it is what it was when it accepted.
        let in_force = scene.endpoints.current();
        let in_force = self.read_endpoint(in_force.or_else(|| scene.endpoints.latest_released()));
        let now_in_force = in_force.unwrap_or_else(|_| Arc::clone(&endpoint));
        let when = (When::Later, self.now());
        let admitted = admit_known(&application.requester, &now_in_force, &scene, when)?;
        let admitted = admitted.asking(scene.known, &now_in_force, self.now())?;
        let may_use = |behalf: &Behalf| behalf.registration.registration.may_use(&application.profile);
        if !admitted.behalf().is_none_or(may_use) {
            return Err(Refusal::UnknownProfile(application.profile.to_string()).into());
        }
        // Names that were asked to be changed were found to be allowed.
        let proven = possession::prove(&application.request)?;
        let proven = match application.shown.renewal {
            Some(_) => proven.renamed(),
            None => proven,
        };
        let (profiles, mut facts) = self
            .profile_and_facts(&admitted, (&endpoint, &application.profile), &proven, &outlook)
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

    /// Admits whoever returns to ask about an enrollment, and says at which endpoint. Credentials that must be of one identity
    /// must be so then as well.
    pub(super) async fn admit_returning(
        &self,
        (credential, caller): (&Credential, &Caller),
        scene: &Scene,
    ) -> Result<(Admitted, Arc<Endpoint>), Error> {
        // An endpoint that was taken out of force still answers for what it accepted.
        let endpoint = self.read_endpoint(scene.endpoints.latest_released())?;
        let when = (When::Later, self.now());
        let admitted = admit_either((credential, caller), &endpoint, scene, when)?;
        self.agreeing(
            (caller, &admitted),
            &endpoint,
            (&scene.endpoints, &Outlook::default()),
        )
        .await?;
        Ok((admitted, endpoint))
    }

    /// One read for the profile, the report on the key, the approval policy and every proof.
    async fn profile_and_facts(
        &self,
        admitted: &Admitted,
        (endpoint, profile): (&Arc<Endpoint>, &ProfileName),
        proven: &ProvenRequest,
        outlook: &Outlook,
    ) -> Result<(ObjectHistory, Facts), Error> {
        let now = self.now();
        let requester = admitted.requester();
        let identifiers = identifiers(proven.request());
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
        let histories = self.ledger.histories_in(&outlook.reading, &streams).await?;
        let mut histories = histories.into_iter();
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
            key_to_be_made: false,
            not_after_asked: None,
            not_before_asked: None,
            registration: admitted.behalf().map(|behalf| Arc::clone(&behalf.registration)),
            secret: admitted.behalf().and_then(|behalf| behalf.secret),
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

/// Admits who showed a secret, which was found to be right, or a certificate, or who signed as an account.
fn admit_either(
    (credential, caller): (&Credential, &Caller),
    endpoint: &Endpoint,
    scene: &Scene,
    (when, now): (When, Timestamp),
) -> Result<Admitted, Refusal> {
    match (&caller.secret, &scene.presented) {
        (Some(secret), _) => admit_holder(secret.value()),
        (None, Some(presented)) => admit_certificate(presented, endpoint, when, now),
        (None, None) => admit_account(credential, scene.account.as_ref(), &endpoint.name),
    }
}

/// Admits a requester that was known before, without a message of its own. Whether a registration still may ask is for
/// [`Admitted::asking`].
fn admit_known(
    requester: &Requester,
    endpoint: &Endpoint,
    scene: &Scene,
    (when, now): (When, Timestamp),
) -> Result<Admitted, Refusal> {
    match &scene.presented {
        Some(presented) => {
            let admitted = admit_certificate(presented, endpoint, when, now)?;
            let same = admitted.requester() == requester;
            same.then_some(admitted).ok_or(Refusal::NotAuthorized)
        }
        None => admit_again(requester, scene.account.as_ref(), &endpoint.name),
    }
}

/// A secret that is spent is good for asking again only for a key that is made here, where it was spent for the same.
fn may_ask_again(spent: Option<SecretId>, earlier: Option<&Earlier>) -> bool {
    spent.is_none() || earlier.is_some_and(|earlier| earlier.secret == spent)
}

/// Whoever wants a certificate renewed shows that certificate, or may ask for others.
fn renews_something(operation: Operation, admitted: &Admitted) -> bool {
    let of_registration = matches!(admitted.requester(), Requester::Registration(_));
    operation != Operation::Renew || !of_registration || admitted.for_others()
}

/// Every identifier in the request: subject alternative names, and common names that are DNS names.
pub(super) fn identifiers(request: &CertificationRequest) -> Vec<Identifier> {
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
