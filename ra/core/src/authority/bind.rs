//! Accounts of edges: opened, and bound to a registration when a key of it vouches for them (RFC 8555 section 7.3.4).

use std::sync::Arc;

use super::RegistrationAuthority;
use crate::accounts::{Bound, Found, OpenAccount, Opened, edge, may_race};
use crate::domain::{
    Account, AccountBinding, AccountId, AccountStatus, ExternalAccounts, KnownRegistration, Refusal,
    SecretKind, SecretProof, SecretState, StreamId,
};
use crate::error::{Error, InternalError};
use crate::steps::admit::admit_behalf;

/// Octets that are kept of what a client sent as proof, at most.
pub const EVIDENCE_MAX: usize = 4 * 1024;

/// What is to bind an account: the key that vouches for it. The edge has checked what the message says, and that it
/// vouches for this account's key; whether it is authentic is checked here.
#[derive(Clone, Debug)]
pub struct ExternalAccount {
    /// The name of the key.
    pub reference: String,
    /// The MAC made with it.
    pub proof: SecretProof,
    /// What the client sent, to be kept as evidence; at most [`EVIDENCE_MAX`] octets.
    pub evidence: Vec<u8>,
}

impl RegistrationAuthority {
    /// Opens an account, or finds the one that has the key; then nothing changes, whatever else is asked. The endpoint
    /// says whether it must be bound. A key that is good for a number of accounts is used up in the commit that opens
    /// one; of several that use the last one at once, one gets it.
    pub async fn open_account(
        &self,
        request: OpenAccount,
        external: Option<ExternalAccount>,
    ) -> Result<(AccountId, Account, Found), Error> {
        if let Some((id, account)) = self.accounts.by_key(&request.endpoint, &request.key).await? {
            return Ok((id, account, Found::Existing));
        }
        let endpoint = self.endpoint(&request.endpoint).await?;
        let external = match (endpoint.eab, external) {
            (ExternalAccounts::Off, Some(_)) => return Err(Refusal::BindingNotOffered.into()),
            (ExternalAccounts::Required, None) => return Err(Refusal::BindingRequired.into()),
            (_, None) => return self.accounts.open(request).await,
            (_, Some(external)) if external.evidence.len() > EVIDENCE_MAX => {
                return Err(Refusal::Malformed("the external account binding is too long".to_owned()).into());
            }
            (_, Some(external)) => external,
        };
        let mut turn = 0;
        loop {
            let id = self.accounts.new_id();
            let bound = self.binding(id, &request, &external).await?;
            match self.accounts.try_open(id, &request, Some(bound)).await? {
                Opened::As(opened) => return Ok(*opened),
                Opened::Raced(_) if may_race(turn) => turn += 1,
                Opened::Raced(stream) => return Err(Error::Internal(InternalError::Contended(stream))),
            }
            if let Some((id, account)) = self.accounts.by_key(&request.endpoint, &request.key).await? {
                return Ok((id, account, Found::Existing));
            }
        }
    }

    /// What binds this account: the key is authentic and live, its registration active and meant for the endpoint.
    async fn binding(
        &self,
        id: AccountId,
        request: &OpenAccount,
        external: &ExternalAccount,
    ) -> Result<Bound, Error> {
        let origin = &request.change.origin;
        let (reference, proof) = (&external.reference, &external.proof);
        let secret = self
            .secrets
            .authentic(SecretKind::AcmeEab, reference, proof, origin)
            .await?;
        if secret.value().state(self.now()) != SecretState::Live {
            return Err(Refusal::NotAuthorized.into());
        }
        let registration = secret.value().registration().ok_or(Refusal::NotAuthorized)?;
        let known = self.registrations.registration(registration).await?;
        let known = known.ok_or(Refusal::NotAuthorized)?;
        known.value().admits(&request.endpoint, self.now())?;
        let saying = edge(id, origin.clone(), "bound an account");
        let used = self.secrets.used_for(&secret, StreamId::account(id), saying)?;
        let binding = AccountBinding {
            registration,
            secret: secret.value().id,
            evidence: external.evidence.clone(),
        };
        Ok(Bound { binding, used })
    }

    /// The registration on whose behalf an account asks, for an edge that wants to say early what would be refused
    /// later. Refused when nothing would be issued for it now; `None` for an account that is bound to none.
    pub async fn on_behalf_of(&self, account: &Account) -> Result<Option<Arc<KnownRegistration>>, Error> {
        let Some(binding) = &account.binding else {
            return Ok(None);
        };
        if account.status == AccountStatus::Deactivated {
            return Err(Refusal::AccountDeactivated.into());
        }
        let known = self.bound_to(binding).await?;
        let behalf = admit_behalf(known, &account.endpoint, self.now())?;
        Ok(Some(behalf.registration))
    }
}
