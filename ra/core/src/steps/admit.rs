//! Admission: is the one who asks known, and may they act?

use subtle::ConstantTimeEq;

use crate::domain::{Account, AccountStatus, Credential, EndpointName, Refusal, Requester};
use crate::steps::Verified;

/// Who a credential claims to be. Says nothing about whether that is true.
pub(crate) fn identify(credential: &Credential) -> Requester {
    match credential {
        Credential::Account { account, .. } => Requester::Account(*account),
        Credential::Key(key) => Requester::Key(key.fingerprint()),
    }
}

/// A requester that was admitted. Only this step makes one.
#[derive(Clone, Debug)]
pub(crate) struct Admitted(Requester);

impl Admitted {
    pub(crate) const fn requester(&self) -> &Requester {
        &self.0
    }
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

/// Admits a requester that was admitted before, later and without a message of its own: the account still belongs to
/// this endpoint and is still valid.
pub(crate) fn admit_again(
    requester: &Requester,
    account: Option<&Verified<Account>>,
    endpoint: &EndpointName,
) -> Result<Admitted, Refusal> {
    let Requester::Account(_) = requester else {
        return Err(Refusal::NotAuthorized);
    };
    let account = account.ok_or(Refusal::AccountUnknown)?.value();
    if account.endpoint != *endpoint {
        return Err(Refusal::NotAuthorized);
    }
    match account.status {
        AccountStatus::Valid => Ok(Admitted(requester.clone())),
        AccountStatus::Deactivated => Err(Refusal::AccountDeactivated),
    }
}
