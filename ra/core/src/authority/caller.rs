//! Who asks: found out before anything else is looked up.

use std::sync::Arc;

use super::RegistrationAuthority;
use super::judge::Scene;
use crate::domain::{
    AccountBinding, Credential, EndpointName, EnrollmentId, KnownSecret, ObjectKind, ObjectVersion, Origin,
    RegistrationId, Requester, SecretId, SecretState, StreamId,
};
use crate::error::Error;
use crate::secrets::Use;
use crate::steps::admit::{Known, identify};
use crate::steps::verify::{self, History};
use crate::steps::{Verified, admit};

use super::enroll::Filing;

/// Who asks. A signature only claims who that is; a secret was found to be right.
pub(super) struct Caller {
    pub(super) requester: Requester,
    /// The registration's secret that was shown: live, or spent.
    pub(super) secret: Option<Verified<KnownSecret>>,
}

impl Caller {
    /// The secret that was shown, if it is spent: then it leads to what it was spent for, and to nothing else.
    pub(super) fn spent(&self, now: portreeve_pkix::Timestamp) -> Option<SecretId> {
        let secret = self.secret.as_ref()?.value();
        (secret.state(now) == SecretState::Spent).then_some(secret.id)
    }
}

impl RegistrationAuthority {
    /// Finds out who asks; a secret that is not right is refused here, whatever it was meant for.
    pub(super) async fn caller(&self, credential: &Credential, origin: &Origin) -> Result<Caller, Error> {
        let Credential::Secret {
            kind,
            reference,
            proof,
        } = credential
        else {
            let requester = identify(credential)?;
            return Ok(Caller {
                requester,
                secret: None,
            });
        };
        let secret = self.secrets.authentic(*kind, reference, proof, origin).await?;
        let admitted = admit::admit_holder(secret.value())?;
        Ok(Caller {
            requester: admitted.requester().clone(),
            secret: Some(secret),
        })
    }

    /// Requester and endpoint, in one read, and in a second one the registration of an account that is bound to one.
    /// `secret` is what a registration asked with.
    pub(super) async fn scene(
        &self,
        (requester, secret): (&Requester, Option<SecretId>),
        endpoint: &EndpointName,
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
        let mut histories = self.ledger.histories(&streams).await?.into_iter();
        let endpoints = super::judge::object(histories.next());
        let mut scene = Scene {
            account: None,
            known: None,
            endpoints,
        };
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
