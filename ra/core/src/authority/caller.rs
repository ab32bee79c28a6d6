//! Who asks: found out before anything else is looked up.

use std::sync::Arc;

use super::RegistrationAuthority;
use super::enroll::Filing;
use super::holder::Holder;
use super::judge::Scene;
use super::outlook::Outlook;
use crate::domain::{
    AccountBinding, Credential, CredentialKind, Endpoint, EndpointName, EnrollmentId, KnownSecret,
    ObjectHistory, ObjectKind, ObjectVersion, Operation, Origin, Refusal, RegistrationId, Requester,
    SecretId, SecretState, StreamId,
};
use crate::error::Error;
use crate::secrets::Use;
use crate::steps::admit::{Known, identify};
use crate::steps::verify::{self, History};
use crate::steps::{Verified, admit};

/// Who asks. A signature only claims who that is; a secret was found to be right; a certificate's key is there, and
/// whether it is believed is judged later.
pub(super) struct Caller {
    pub(super) requester: Requester,
    /// The registration's secret that was shown: live, or spent.
    pub(super) secret: Option<Verified<KnownSecret>>,
    /// The certificates that were shown, when they say who asks.
    pub(super) holder: Option<Holder>,
    /// What was shown besides.
    pub(super) besides: Vec<Beside>,
    /// The way of being known that says who asks, for those who are no accounts.
    pub(super) kind: Option<CredentialKind>,
}

/// What somebody showed besides what says who they are.
pub(super) enum Beside {
    /// A secret of this registration, which was right.
    Registration(RegistrationId),
    /// A certificate, of which nothing is known but that its key is there.
    Certificate(Box<Holder>),
}

impl Beside {
    /// As whom it would make its holder known.
    pub(super) fn requester(&self) -> Requester {
        match self {
            Self::Registration(id) => Requester::Registration(*id),
            Self::Certificate(holder) => holder.requester(),
        }
    }
}

impl Caller {
    fn with(self, holder: Holder) -> Self {
        Self {
            holder: Some(holder),
            ..self
        }
    }

    /// As something that was shown besides.
    fn beside(self) -> Option<Beside> {
        match (self.holder, self.requester) {
            (Some(holder), _) => Some(Beside::Certificate(Box::new(holder))),
            (None, Requester::Registration(id)) => Some(Beside::Registration(id)),
            (None, _) => None,
        }
    }

    fn known_by_signature(requester: Requester) -> Self {
        Self {
            requester,
            secret: None,
            holder: None,
            besides: Vec::new(),
            kind: None,
        }
    }

    /// The secret that was shown, if it is spent: then it leads to what it was spent for, and to nothing else.
    pub(super) fn spent(&self, now: portreeve_pkix::Timestamp) -> Option<SecretId> {
        let secret = self.secret.as_ref()?.value();
        (secret.state(now) == SecretState::Spent).then_some(secret.id)
    }

    /// Whether the endpoint accepts the way by which it is known.
    pub(super) fn accepted_at(&self, endpoint: &Endpoint) -> Result<(), Refusal> {
        match self.kind {
            Some(kind) if !endpoint.clients.authentication.contains(&kind) => {
                Err(Refusal::CredentialNotAccepted)
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// The way of being known by a credential, for those who are no accounts.
fn kind_of(credential: &Credential) -> Option<CredentialKind> {
    match credential {
        Credential::Secret { kind, .. } => Some(CredentialKind::of_secret(*kind)),
        Credential::Certificate { .. } => Some(CredentialKind::Certificate),
        Credential::Account { .. } | Credential::Key(_) | Credential::Several(_) => None,
    }
}

impl RegistrationAuthority {
    /// Finds out who asks; a secret that is not right is refused here, whatever it was meant for.
    pub(super) async fn caller(
        &self,
        credential: &Credential,
        (endpoint, operation): (&EndpointName, Operation),
        origin: &Origin,
        outlook: &Outlook,
    ) -> Result<Caller, Error> {
        match credential {
            Credential::Several(several) => {
                Box::pin(self.of_several(several, (endpoint, operation), origin, outlook)).await
            }
            one => self.of_one(one, origin, outlook).await,
        }
    }

    async fn of_one(
        &self,
        credential: &Credential,
        origin: &Origin,
        outlook: &Outlook,
    ) -> Result<Caller, Error> {
        let kind = kind_of(credential);
        match credential {
            Credential::Secret {
                kind: of_secret,
                reference,
                proof,
            } => {
                let secret = self
                    .secrets
                    .authentic(*of_secret, reference, proof, origin)
                    .await?;
                let admitted = admit::admit_holder(secret.value())?;
                Ok(Caller {
                    secret: Some(secret),
                    kind,
                    ..Caller::known_by_signature(admitted.requester().clone())
                })
            }
            Credential::Certificate { chain } => {
                let holder = self.holder(chain, outlook).await?;
                Ok(Caller {
                    kind,
                    ..Caller::known_by_signature(holder.requester())
                }
                .with(holder))
            }
            Credential::Account { .. } | Credential::Key(_) | Credential::Several(_) => {
                Ok(Caller::known_by_signature(identify(credential)?))
            }
        }
    }

    /// Of several credentials one says who asks: the certificate where one is renewed, else a secret. The others are
    /// recorded; a secret must be right all the same. Ways that the endpoint does not accept are passed over.
    async fn of_several(
        &self,
        several: &[Credential],
        (endpoint, operation): (&EndpointName, Operation),
        origin: &Origin,
        outlook: &Outlook,
    ) -> Result<Caller, Error> {
        if several.is_empty() {
            return Err(Refusal::CredentialMissing.into());
        }
        if several.len() > Credential::SEVERAL_MAX {
            return Err(Refusal::Malformed("too many credentials".to_owned()).into());
        }
        let stream = ObjectVersion::stream(ObjectKind::Endpoint, endpoint.as_str());
        let history = self.ledger.history_in(&outlook.reading, stream).await?;
        let endpoint = self.in_any_state(&super::judge::object(Some(history)))?;
        let accepted = &endpoint.clients.authentication;
        let says = several
            .iter()
            .enumerate()
            .filter_map(|(index, one)| Some((index, kind_of(one)?)))
            .filter(|(_, kind)| accepted.contains(kind))
            .min_by_key(|(_, kind)| {
                (*kind == CredentialKind::Certificate) != (operation == Operation::Renew)
            });
        let (index, _) = says.ok_or(Refusal::CredentialNotAccepted)?;
        let mut caller = None;
        let mut besides = Vec::new();
        for (number, one) in several.iter().enumerate() {
            let of_one = self.of_one(one, origin, outlook).await;
            if number == index {
                caller = Some(of_one?);
                continue;
            }
            match (one, of_one) {
                // What no one looks at need not be readable.
                (Credential::Certificate { .. }, Err(Error::Refused(_))) => {}
                (_, Err(error)) => return Err(error),
                (_, Ok(other)) => besides.extend(other.beside()),
            }
        }
        let caller = caller.ok_or(Refusal::CredentialMissing)?;
        Ok(Caller { besides, ..caller })
    }

    /// The endpoint, in force or not any more: what it accepted it still answers for.
    pub(super) async fn endpoint_in_any_state(&self, name: &EndpointName) -> Result<Arc<Endpoint>, Error> {
        let history = self.objects.history(ObjectKind::Endpoint, name.as_str()).await?;
        self.in_any_state(&history.unwrap_or_default())
    }

    fn in_any_state(&self, history: &ObjectHistory) -> Result<Arc<Endpoint>, Error> {
        self.read_endpoint(history.current().or_else(|| history.latest_released()))
    }

    /// Requester and endpoint, in one read, and in a second one the registration of an account that is bound to one.
    /// `secret` is what a registration asked with, `holder` the certificates that somebody showed.
    pub(super) async fn scene(
        &self,
        (requester, secret, holder): (&Requester, Option<SecretId>, Option<&Holder>),
        endpoint: &EndpointName,
        outlook: &Outlook,
    ) -> Result<Scene, Error> {
        let mut streams = vec![ObjectVersion::stream(ObjectKind::Endpoint, endpoint.as_str())];
        match requester {
            Requester::Account(account) => streams.push(StreamId::account(*account)),
            Requester::Registration(registration) => {
                streams.push(StreamId::registration(*registration));
                streams.extend(secret.map(StreamId::secret));
            }
            Requester::Certificate(_) | Requester::Key(_) => {}
        }
        let histories = self.ledger.histories_in(&outlook.reading, &streams).await?;
        let mut histories = histories.into_iter();
        let endpoints = super::judge::object(histories.next());
        let mut scene = Scene {
            account: None,
            known: None,
            presented: None,
            endpoints,
        };
        if let Some(holder) = holder {
            scene.presented = Some(self.presented(holder, &scene.endpoints, outlook).await?);
        }
        match requester {
            Requester::Account(_) => {
                scene.account = histories.next().and_then(verify::account);
                if let Some(binding) = scene.account.as_ref().and_then(|it| it.value().binding.as_ref()) {
                    scene.known = Some(self.bound_to(binding).await?);
                }
            }
            Requester::Registration(_) => scene.known = Some(known(histories.next(), histories.next())),
            Requester::Certificate(_) | Requester::Key(_) => {}
        }
        Ok(scene)
    }

    /// The registration and the key that an account is bound to.
    pub(super) async fn bound_to(&self, binding: &AccountBinding) -> Result<Known, Error> {
        self.registration_and_secret(binding.registration, binding.secret)
            .await
    }

    async fn registration_and_secret(
        &self,
        registration: RegistrationId,
        secret: SecretId,
    ) -> Result<Known, Error> {
        let streams = [StreamId::registration(registration), StreamId::secret(secret)];
        let mut histories = self.ledger.histories(&streams).await?.into_iter();
        Ok(known(histories.next(), histories.next()))
    }

    /// What is committed with the first step of an enrollment that uses up a secret.
    pub(super) fn use_for(&self, filing: &Filing, enrollment: EnrollmentId) -> Result<Use, Error> {
        match &filing.secret {
            Some(secret) => {
                let saying = self.own_saying(filing, "used for an enrollment");
                self.secrets
                    .used_for(secret, StreamId::enrollment(enrollment), saying)
            }
            None => Ok(Use::default()),
        }
    }
}

fn known(registration: Option<History>, secret: Option<History>) -> Known {
    let registration = registration.and_then(verify::registration);
    let secret = secret.and_then(verify::secret);
    Known {
        registration: registration.map(|it| Arc::new(it.into_value())),
        secret: secret.map(Verified::into_value),
    }
}
