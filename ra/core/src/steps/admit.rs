//! Admission: is the one who asks known, and may they act? On whose behalf, and may that one have something?

use std::sync::Arc;

use portreeve_pkix::Timestamp;
use subtle::ConstantTimeEq;

use crate::domain::{
    Account, AccountStatus, CertificateRejection, Credential, Endpoint, EndpointName, KnownRegistration,
    KnownSecret, Operation, Refusal, RegistrationId, Renewal, Requester, SecretId,
};
use crate::steps::Verified;
use crate::steps::client::{self, Presented};
use crate::steps::paths::Purpose;
use crate::steps::renewal::Renewed;

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
    /// Its secret that let the requester in, or the one whose certificate was shown. One whose certificate somebody else
    /// issued was let in by none.
    pub(crate) secret: Option<SecretId>,
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
    client: Option<Client>,
}

/// As what somebody was admitted who is no account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Client {
    /// The certificate of ours that it was known by: it gets no other names than that.
    pub(crate) renewed: Option<(Renewal, Renewed)>,
    /// Whether it may ask for others.
    pub(crate) for_others: bool,
}

impl Admitted {
    pub(crate) const fn requester(&self) -> &Requester {
        &self.requester
    }

    /// On whose behalf, when it was admitted to ask for something.
    pub(crate) const fn behalf(&self) -> Option<&Behalf> {
        self.behalf.as_ref()
    }

    /// The registration that it is, or on whose behalf it asks. Whether that one still may ask is another matter.
    pub(crate) fn registration(&self) -> Option<RegistrationId> {
        match (&self.behalf, &self.requester) {
            (Some(behalf), _) => Some(behalf.registration.id),
            (None, Requester::Registration(id)) => Some(*id),
            (None, Requester::Account(_) | Requester::Certificate(_) | Requester::Key(_)) => None,
        }
    }

    /// As what it was admitted, when it is no account.
    pub(crate) const fn client(&self) -> Option<&Client> {
        self.client.as_ref()
    }

    /// Whether it may ask for others.
    pub(crate) fn for_others(&self) -> bool {
        self.client.as_ref().is_some_and(|client| client.for_others)
    }

    /// Admits the registration on whose behalf it asks, if it is on one's.
    pub(crate) fn asking(
        self,
        known: Option<Known>,
        endpoint: &Endpoint,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        match (known, &self.requester) {
            (Some(known), _) => {
                let behalf = admit_behalf(known, &endpoint.name, now)?;
                let listed = &endpoint.clients.ra_registrations;
                let for_others = listed.contains(&behalf.registration.registration.name);
                Ok(Self {
                    client: for_others.then_some(Client {
                        renewed: None,
                        for_others,
                    }),
                    behalf: Some(behalf),
                    ..self
                })
            }
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
        secret: Some(secret.id),
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
        client: None,
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
        client: None,
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

/// When the holder of a certificate is judged.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// It asks for something.
    Asks(Operation),
    /// It returns for what it asked for, or its request is judged once more. Its certificate may have expired meanwhile, and
    /// another may have taken its place.
    Later,
}

/// Admits the holder of a certificate, of ours or of somebody else's CA.
pub(crate) fn admit_certificate(
    presented: &Presented,
    endpoint: &Endpoint,
    when: When,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let own = presented.chain.first().ok_or(CertificateRejection::Malformed)?;
    if presented.compromised {
        return Err(CertificateRejection::KeyCompromised.into());
    }
    let client = match &presented.issued {
        Some(issued) => admit_own(presented, (issued, own), endpoint, (when, now))?,
        None => admit_foreign(presented, endpoint, (when, now))?,
    };
    let behalf = match &presented.registration {
        Some(registration) => {
            registration.admits(&endpoint.name, now)?;
            Some(Behalf {
                registration: Arc::clone(registration),
                secret: presented.secret,
            })
        }
        None if presented.must_be_registered(endpoint, client.for_others) => {
            return Err(CertificateRejection::NotRegistered.into());
        }
        None => None,
    };
    Ok(Admitted {
        requester: Requester::Certificate(own.fingerprint()),
        behalf,
        client: Some(client),
    })
}

/// The holder of a certificate of ours is who it was issued to. One that asks for others needs the endpoint to say so of its
/// registration, besides the purpose in its certificate; and that certificate must not be one that was asked for by somebody
/// for another, whose holder is not the registration.
fn admit_own(
    presented: &Presented,
    (issued, own): (&client::Issued, &portreeve_pkix::Certificate),
    endpoint: &Endpoint,
    (when, now): (When, Timestamp),
) -> Result<Client, Refusal> {
    let listed = presented.registration.as_ref().is_some_and(|known| {
        let listed = &endpoint.clients.ra_registrations;
        listed.contains(&known.registration.name)
    });
    let application = issued.enrollment.application();
    let for_another = application.is_none_or(|application| application.shown.for_others);
    let for_others = listed && !for_another && client::is_for_others(own);
    match when {
        When::Later => client::good(&issued.enrollment)?,
        When::Asks(_) if for_others => client::good_here((&issued.enrollment, own), endpoint, now)?,
        When::Asks(_) => client::may_renew((&issued.enrollment, own), endpoint, issued.lineage, now)?,
    }
    let renewed = Renewed {
        certificate: own.clone(),
        request: issued.request.clone(),
        for_another,
    };
    Ok(Client {
        renewed: Some((issued.renewal, renewed)),
        for_others,
    })
}

/// The holder of a certificate of somebody else's CA is believed as far as the endpoint trusts that CA.
fn admit_foreign(
    presented: &Presented,
    endpoint: &Endpoint,
    (when, now): (When, Timestamp),
) -> Result<Client, Refusal> {
    let others: Vec<_> = presented.ra_trust.iter().map(AsRef::as_ref).collect();
    let paths = &presented.paths;
    if paths
        .trusted(&presented.chain, &others, Purpose::Others, now)
        .is_ok()
    {
        return Ok(Client {
            renewed: None,
            for_others: true,
        });
    }
    let trust: Vec<_> = presented.trust.iter().map(AsRef::as_ref).collect();
    paths.trusted(&presented.chain, &trust, Purpose::Client, now)?;
    // What is to be renewed is no certificate of ours: some clients know no other way to enrol for the first time.
    if when == When::Asks(Operation::Renew) && !endpoint.renewal.first {
        return Err(Refusal::NotOffered);
    }
    Ok(Client::default())
}
