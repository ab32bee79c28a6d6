//! Admission: is the one who asks known, and may they act? On whose behalf, and may that one have something?

use std::sync::Arc;

use portreeve_pkix::Timestamp;
use subtle::ConstantTimeEq;

use crate::domain::{
    Account, AccountStatus, Credential, EndpointName, KnownRegistration, KnownSecret, Refusal, Requester,
    SecretId,
};
use crate::steps::Verified;

/// Who a signature claims to be by. Says nothing about whether that is true. Whose a secret is, is known only when it
/// was found to be right.
pub(crate) fn identify(credential: &Credential) -> Result<Requester, Refusal> {
    match credential {
        Credential::Account { account, .. } => Ok(Requester::Account(*account)),
        Credential::Key(key) => Ok(Requester::Key(key.fingerprint())),
        Credential::Secret { .. } | Credential::Certificate { .. } | Credential::Several(_) => {
            Err(Refusal::NotAuthorized)
        }
    }
}

/// On whose behalf somebody was admitted.
#[derive(Clone, Debug)]
pub(crate) struct Behalf {
    /// The registration, which is active and may ask at the endpoint.
    pub(crate) registration: Arc<KnownRegistration>,
    /// Its secret that let the requester in.
    pub(crate) secret: SecretId,
}

/// A registration and the secret that led to it, as the store knows them: read, and not admitted.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) registration: Option<Arc<KnownRegistration>>,
    pub(crate) secret: Option<KnownSecret>,
}

/// A requester that was admitted. Only this step makes one.
#[derive(Clone, Debug)]
pub(crate) struct Admitted {
    requester: Requester,
    behalf: Option<Behalf>,
}

impl Admitted {
    pub(crate) const fn requester(&self) -> &Requester {
        &self.requester
    }

    /// On whose behalf, when it was admitted to ask for something.
    pub(crate) const fn behalf(&self) -> Option<&Behalf> {
        self.behalf.as_ref()
    }

    /// Admits the registration on whose behalf it asks, if it is on one's.
    pub(crate) fn asking(
        self,
        known: Option<Known>,
        endpoint: &EndpointName,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        match (known, &self.requester) {
            (Some(known), _) => Ok(Self {
                behalf: Some(admit_behalf(known, endpoint, now)?),
                ..self
            }),
            (None, Requester::Registration(_)) => Err(Refusal::RegistrationClosed),
            (None, _) => Ok(self),
        }
    }
}

/// Admits a registration: active, meant for this endpoint, and its secret is there and not revoked. A secret that has
/// expired since lets no more in, and does not shut out whom it let in.
pub(crate) fn admit_behalf(known: Known, endpoint: &EndpointName, now: Timestamp) -> Result<Behalf, Refusal> {
    let (Some(registration), Some(secret)) = (known.registration, known.secret) else {
        return Err(Refusal::RegistrationClosed);
    };
    registration.admits(endpoint, now)?;
    if secret.revoked || !secret.released || secret.registration() != Some(registration.id) {
        return Err(Refusal::RegistrationClosed);
    }
    Ok(Behalf {
        registration,
        secret: secret.id,
    })
}

/// Admits an account: it exists, belongs to this endpoint, is valid, and its key is the one that signed.
pub(crate) fn admit_account(
    credential: &Credential,
    account: Option<&Verified<Account>>,
    endpoint: &EndpointName,
) -> Result<Admitted, Refusal> {
    let Credential::Account { account: id, key } = credential else {
        return Err(Refusal::NotAuthorized);
    };
    let known = account.ok_or(Refusal::AccountUnknown)?.value();
    let same_key: bool = known.key.fingerprint().ct_eq(&key.fingerprint()).into();
    if !same_key {
        return Err(Refusal::NotAuthorized);
    }
    admit_again(&Requester::Account(*id), account, endpoint)
}

/// Admits the holder of a registration's secret that was found to be right.
pub(crate) fn admit_holder(secret: &KnownSecret) -> Result<Admitted, Refusal> {
    let registration = secret.registration().ok_or(Refusal::NotAuthorized)?;
    Ok(Admitted {
        requester: Requester::Registration(registration),
        behalf: None,
    })
}

/// Admits a requester that was admitted before, later and without a message of its own: the account still belongs to
/// this endpoint and is still valid. Whether a registration still may ask is for [`Admitted::asking`].
pub(crate) fn admit_again(
    requester: &Requester,
    account: Option<&Verified<Account>>,
    endpoint: &EndpointName,
) -> Result<Admitted, Refusal> {
    let admitted = Admitted {
        requester: requester.clone(),
        behalf: None,
    };
    match requester {
        Requester::Registration(_) => return Ok(admitted),
        Requester::Account(_) => {}
        Requester::Certificate(_) | Requester::Key(_) => return Err(Refusal::NotAuthorized),
    }
    let account = account.ok_or(Refusal::AccountUnknown)?.value();
    if account.endpoint != *endpoint {
        return Err(Refusal::NotAuthorized);
    }
    match account.status {
        AccountStatus::Valid => Ok(admitted),
        AccountStatus::Deactivated => Err(Refusal::AccountDeactivated),
    }
}
