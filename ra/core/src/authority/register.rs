//! What operators do with registrations and their secrets. Each verb asks the standing of whoever acts: what they may
//! not see is absent for them.

use std::collections::BTreeMap;

use super::RegistrationAuthority;
use crate::access::{Acting, Target};
use crate::domain::{
    KnownRegistration, KnownSecret, On, Refusal, Registration, RegistrationEvent, RegistrationId,
    RegistrationState, Right, SecretId, SecretKind, SecretOwner, TeamName,
};
use crate::error::Error;
use crate::ports::{Cursor, Page, RegistrationFilter, SecretFilter};
use crate::registrations::Changed;
use crate::steps::Verified;

/// Teams of one operator by which a list is narrowed, at most.
const TEAMS_MAX: usize = 256;

/// Whether they may see a registration: who may do something with it may.
fn sees(by: &Acting, registration: &Registration) -> bool {
    let on = owned(registration);
    let rights = [
        Right::RegistrationRead,
        Right::RegistrationWrite,
        Right::SecretWrite,
        Right::ConfigurationApprove,
    ];
    rights.iter().any(|right| by.standing.may(*right, on))
}

/// A registration, as something that a team may own.
pub(super) fn owned(registration: &Registration) -> On<'_> {
    On {
        team: registration.team.as_ref(),
        ..On::default()
    }
}

/// Which registrations to list.
#[derive(Clone, Debug, Default)]
pub struct RegistrationSearch {
    /// Only those whose name contains this, whatever the case of ASCII letters.
    pub name: Option<String>,
    /// Only those of this team.
    pub team: Option<TeamName>,
    /// Only those in this state; `expired` is not one that can be asked for.
    pub state: Option<RegistrationState>,
}

/// A registration on a list, with the secret that the list is about, if it is one of secrets.
#[derive(Clone, Debug)]
pub struct ListedRegistration {
    /// The registration.
    pub registration: KnownRegistration,
    /// The secret.
    pub secret: Option<KnownSecret>,
}

impl RegistrationAuthority {
    /// Lets nothing be issued for a registration, until it is resumed.
    pub async fn suspend_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<KnownRegistration>, Error> {
        self.record_change(by, id, RegistrationEvent::Suspended).await
    }

    /// Ends a registration for good. Its certificates stay as they are.
    pub async fn end_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<KnownRegistration>, Error> {
        self.record_change(by, id, RegistrationEvent::Ended).await
    }

    /// Agrees to what a registration is now, so that its authors no longer count as requesters. Nobody confirms what they
    /// wrote themselves, or what is theirs.
    pub async fn confirm_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<KnownRegistration>, Error> {
        let Some(known) = self.registration_seen(by, id).await? else {
            return Ok(None);
        };
        self.need(by, Right::ConfigurationApprove, owned(&known.registration))
            .await?;
        let principal = by.principal();
        let theirs = known.registration.owner.as_ref() == Some(principal);
        if theirs || known.unconfirmed_authors.contains(principal) {
            self.refused(
                (principal, &by.origin),
                Right::ConfigurationApprove,
                "their own work",
            )
            .await;
            return Err(Refusal::NotAuthorized.into());
        }
        let event = RegistrationEvent::Confirmed {
            by: principal.clone(),
        };
        // What was looked at is what is agreed to.
        self.change_registration(by, id, (event, Some(known.version)))
            .await
    }

    /// A registration, if they may see it.
    pub async fn registration_seen(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<KnownRegistration>, Error> {
        let known = self.registrations.registration(id).await?;
        let known = known.map(Verified::into_value);
        Ok(known.filter(|known| sees(by, &known.registration)))
    }

    /// The registration with this name, if they may see it.
    pub async fn registration_named(
        &self,
        by: &Acting,
        name: &str,
    ) -> Result<Option<KnownRegistration>, Error> {
        let known = self.registrations.find(name).await?.map(Verified::into_value);
        Ok(known.filter(|known| sees(by, &known.registration)))
    }

    /// Registrations that they may see, newest first. A page may have fewer than there are.
    pub async fn registrations_seen(
        &self,
        by: &Acting,
        search: &RegistrationSearch,
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<KnownRegistration>, Error> {
        self.may_list(by).await?;
        // Whoever may see those that nobody owns may see all.
        let reads_all = by.standing.may(Right::RegistrationRead, On::default());
        let teams = match (&search.team, reads_all) {
            (Some(team), _) => Some(vec![team.to_string()]),
            (None, true) => None,
            (None, false) => {
                let own = by.standing.teams.iter().take(TEAMS_MAX);
                Some(own.map(ToString::to_string).collect())
            }
        };
        let filter = RegistrationFilter {
            name: search.name.clone(),
            teams,
            state: search.state.map(|state| state.as_str().to_owned()),
            vouched_only: false,
        };
        let page = self.parts.store.registrations(&filter, after, limit).await?;
        let ids: Vec<RegistrationId> = page.items.iter().map(|row| row.registration).collect();
        let known = self.registrations.all(&ids).await?;
        let items = known.into_iter().flatten();
        Ok(Page {
            items: items.filter(|known| sees(by, &known.registration)).collect(),
            next: page.next,
        })
    }

    /// Names of registrations whose names are vouched for and that are not over, at most `limit`.
    pub async fn vouched_registrations(&self, limit: u32) -> Result<Vec<String>, Error> {
        let filter = RegistrationFilter {
            vouched_only: true,
            ..RegistrationFilter::default()
        };
        let page = self.parts.store.registrations(&filter, None, limit).await?;
        let ids: Vec<RegistrationId> = page.items.iter().map(|row| row.registration).collect();
        let known = self.registrations.all(&ids).await?;
        let now = self.now();
        let in_use = |known: &KnownRegistration| {
            known.registration.vouched
                && matches!(
                    known.state(now),
                    RegistrationState::Active | RegistrationState::Suspended
                )
        };
        Ok(known
            .into_iter()
            .flatten()
            .filter(in_use)
            .map(|known| known.registration.name)
            .collect())
    }

    /// Refuses a secret of a registration from now on; accounts that it was used to bind get no more orders. `None` when
    /// there is none that they may see.
    pub async fn revoke_secret(&self, by: &Acting, id: SecretId) -> Result<Option<KnownSecret>, Error> {
        let Some(registration) = self.secret_seen(by, id).await? else {
            return Ok(None);
        };
        self.need(by, Right::SecretWrite, owned(&registration.registration))
            .await?;
        self.secrets.revoke(id, &by.publisher()).await?;
        Ok(self.secrets.secret(id).await?.map(Verified::into_value))
    }

    /// Secrets of this registration, or of all that they may see, of this kind or of every kind; newest first. A page may
    /// have fewer than there are.
    pub async fn secrets_seen(
        &self,
        by: &Acting,
        (registration, kind): (Option<RegistrationId>, Option<SecretKind>),
        (after, limit): (Option<&Cursor>, u32),
    ) -> Result<Page<ListedRegistration>, Error> {
        self.may_list(by).await?;
        let filter = SecretFilter {
            owner: registration.map(|id| SecretOwner::Registration(id).to_string()),
            kind,
        };
        let page = self.parts.store.secrets(&filter, after, limit).await?;
        let ids: Vec<SecretId> = page.items.iter().map(|row| row.secret).collect();
        let secrets = self.secrets.all(&ids).await?;
        let mut owners: Vec<RegistrationId> = secrets
            .iter()
            .flatten()
            .filter_map(KnownSecret::registration)
            .collect();
        owners.sort();
        owners.dedup();
        let known = self.registrations.all(&owners).await?;
        let known: BTreeMap<RegistrationId, KnownRegistration> = known
            .into_iter()
            .flatten()
            .map(|known| (known.id, known))
            .collect();
        let listed = |secret: KnownSecret| {
            let registration = known.get(&secret.registration()?)?;
            sees(by, &registration.registration).then(|| ListedRegistration {
                registration: registration.clone(),
                secret: Some(secret),
            })
        };
        Ok(Page {
            items: secrets.into_iter().flatten().filter_map(listed).collect(),
            next: page.next,
        })
    }

    /// The registration of a secret, if they may see it.
    async fn secret_seen(&self, by: &Acting, id: SecretId) -> Result<Option<KnownRegistration>, Error> {
        let secret = self.secrets.secret(id).await?;
        match secret.and_then(|secret| secret.value().registration()) {
            Some(registration) => self.registration_seen(by, registration).await,
            None => Ok(None),
        }
    }

    async fn record_change(
        &self,
        by: &Acting,
        id: RegistrationId,
        event: RegistrationEvent,
    ) -> Result<Option<KnownRegistration>, Error> {
        let Some(known) = self.registration_seen(by, id).await? else {
            return Ok(None);
        };
        self.need(by, Right::RegistrationWrite, owned(&known.registration))
            .await?;
        self.change_registration(by, id, (event, None)).await
    }

    async fn change_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
        change: (RegistrationEvent, Option<u32>),
    ) -> Result<Option<KnownRegistration>, Error> {
        match self.registrations.record(id, change, &by.publisher()).await? {
            Changed::To(known) => Ok(Some(*known)),
            Changed::Absent => Ok(None),
            Changed::Stale => Err(Refusal::Stale.into()),
            Changed::TooOften => Err(Refusal::Malformed(
                "it has been changed too often: end it, and create another".to_owned(),
            )
            .into()),
        }
    }

    /// Refuses, and records it, when they lack the right on something that a team may own.
    pub(super) async fn need(&self, by: &Acting, right: Right, on: On<'_>) -> Result<(), Error> {
        let needed = self.authorize(&by.standing, right, (Target::Owned(on), &by.origin));
        needed.await.map_err(|_| Refusal::NotAuthorized.into())
    }

    async fn may_list(&self, by: &Acting) -> Result<(), Error> {
        let needed = (Target::Installation, &by.origin);
        let may = self.authorize(&by.standing, Right::RegistrationRead, needed);
        may.await.map_err(|_| Refusal::NotAuthorized.into())
    }
}
