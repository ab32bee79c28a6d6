//! What operators do with registrations and their secrets. Each verb asks the standing of whoever acts: what they may
//! not see is absent for them.

use std::collections::BTreeMap;

use super::RegistrationAuthority;
use crate::access::{Acting, Target};
use crate::domain::{
    Actor, KnownRegistration, KnownSecret, On, Origin, Refusal, Registration, RegistrationEvent,
    RegistrationId, RegistrationState, Right, SecretId, SecretKind, SecretOwner, TeamName, USES_MAX,
};
use crate::error::Error;
use crate::objects::Publisher;
use crate::ports::{Cursor, Page, RegistrationFilter, SecretFilter};
use crate::registrations::Changed;
use crate::secrets::{NewSecret, REFERENCE_MAX, ShownSecret};
use crate::steps::Verified;
use portreeve_pkix::Timestamp;

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
fn owned(registration: &Registration) -> On<'_> {
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

/// A secret that is to be made for a registration.
#[derive(Clone, Debug)]
pub struct NewRegistrationSecret {
    /// What for.
    pub kind: SecretKind,
    /// What its holder names it by; `None` makes one up. Only for kinds whose protocol has a place for it.
    pub reference: Option<String>,
    /// How often it may be used, 1 to [`USES_MAX`]; `None` is any number of times.
    pub uses_max: Option<u32>,
    /// After this it is refused.
    pub until: Option<Timestamp>,
}

impl RegistrationAuthority {
    /// Whether a registration could be created now; if not, why.
    pub async fn check_registration(&self, by: &Acting, registration: &Registration) -> Result<(), Error> {
        self.may_define(by, registration).await?;
        self.check_defined(registration)?;
        match self.registrations.find(&registration.name).await? {
            Some(_) => Err(Refusal::NameTaken.into()),
            None => Ok(()),
        }
    }

    /// Creates a registration.
    pub async fn create_registration(
        &self,
        by: &Acting,
        registration: Registration,
    ) -> Result<KnownRegistration, Error> {
        self.may_define(by, &registration).await?;
        self.check_defined(&registration)?;
        let created = self.registrations.create(registration, &by.publisher()).await?;
        created.ok_or_else(|| Refusal::NameTaken.into())
    }

    /// Changes what a registration may have; its name stays. With an expected version, only if it has that: refused as
    /// stale otherwise. `None` when there is none that they may see.
    pub async fn define_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
        (registration, expected): (Registration, Option<u32>),
    ) -> Result<Option<KnownRegistration>, Error> {
        let Some(known) = self.registration_seen(by, id).await? else {
            return Ok(None);
        };
        self.may_define(by, &known.registration).await?;
        self.may_define(by, &registration).await?;
        let named = Registration {
            name: known.registration.name,
            ..registration
        };
        self.check_defined(&named)?;
        self.change_registration(by, id, (RegistrationEvent::Defined(named), expected))
            .await
    }

    /// Lets nothing be issued for a registration, until it is resumed.
    pub async fn suspend_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<KnownRegistration>, Error> {
        self.record_change(by, id, RegistrationEvent::Suspended).await
    }

    /// Ends a suspension.
    pub async fn resume_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<KnownRegistration>, Error> {
        self.record_change(by, id, RegistrationEvent::Resumed).await
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
    /// wrote themselves.
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
        if known.unconfirmed_authors.contains(principal) {
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

    /// Makes a secret for a registration. It can be read this once. `None` when there is none that they may see.
    pub async fn issue_secret(
        &self,
        by: &Acting,
        id: RegistrationId,
        new: NewRegistrationSecret,
    ) -> Result<Option<ShownSecret>, Error> {
        let Some(known) = self.registration_seen(by, id).await? else {
            return Ok(None);
        };
        self.need(by, Right::SecretWrite, owned(&known.registration))
            .await?;
        if known.lasting_state() == RegistrationState::Ended {
            return Err(Refusal::RegistrationClosed.into());
        }
        self.check_secret(&new)?;
        let new = NewSecret {
            owner: SecretOwner::Registration(id),
            kind: new.kind,
            reference: new.reference,
            uses_max: new.uses_max,
            until: new.until,
        };
        let shown = self.secrets.make(new, &by.publisher()).await?;
        shown.map(Some).ok_or_else(|| Refusal::NameTaken.into())
    }

    /// Sees to it that a registration of this name exists, with a secret that is known already and may be used any number
    /// of times. Only for `dev`, whose secrets are the same on every node; nobody counts as their author.
    pub async fn ship_secret(
        &self,
        registration: Registration,
        kind: SecretKind,
        (reference, value): (String, portreeve_pkix::Secret),
    ) -> Result<(), Error> {
        if self.secrets.find(kind, &reference).await?.is_some() {
            return Ok(());
        }
        let by = Publisher {
            actor: Actor::Node,
            origin: Origin::node(self.parts.node),
            reason: "shipped with portreeve dev".to_owned(),
        };
        let name = registration.name.clone();
        let id = match self.registrations.create(registration, &by).await? {
            Some(known) => known.id,
            None => {
                let known = self.registrations.find(&name).await?;
                known.ok_or(Refusal::NameTaken)?.value().id
            }
        };
        let new = NewSecret {
            owner: SecretOwner::Registration(id),
            kind,
            reference: Some(reference),
            uses_max: None,
            until: None,
        };
        self.secrets.make_known(new, value, &by).await?;
        Ok(())
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
    async fn need(&self, by: &Acting, right: Right, on: On<'_>) -> Result<(), Error> {
        let needed = self.authorize(&by.standing, right, (Target::Owned(on), &by.origin));
        needed.await.map_err(|_| Refusal::NotAuthorized.into())
    }

    async fn may_list(&self, by: &Acting) -> Result<(), Error> {
        let needed = (Target::Installation, &by.origin);
        let may = self.authorize(&by.standing, Right::RegistrationRead, needed);
        may.await.map_err(|_| Refusal::NotAuthorized.into())
    }

    /// Whether they may make a registration like this: for its team, and for each of its profiles.
    async fn may_define(&self, by: &Acting, registration: &Registration) -> Result<(), Error> {
        let on = owned(registration);
        self.need(by, Right::RegistrationWrite, on).await?;
        for profile in &registration.profiles {
            let with = On {
                profile: Some(profile),
                ..on
            };
            self.need(by, Right::RegistrationWrite, with).await?;
        }
        Ok(())
    }

    fn check_defined(&self, registration: &Registration) -> Result<(), Refusal> {
        registration
            .check()
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        self.check_until(registration.until)
    }

    fn check_until(&self, until: Option<Timestamp>) -> Result<(), Refusal> {
        match until {
            Some(until) if until <= self.now() => {
                Err(Refusal::Malformed("until: is over already".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn check_secret(&self, new: &NewRegistrationSecret) -> Result<(), Refusal> {
        let refuse = |why: &str| Err(Refusal::Malformed(why.to_owned()));
        if !SecretKind::OF_REGISTRATIONS.contains(&new.kind) {
            return refuse("kind: not one of a registration");
        }
        if new.uses_max.is_some_and(|uses| !(1..=USES_MAX).contains(&uses)) {
            return refuse("uses: 1 to 500, or any number");
        }
        if let Some(reference) = &new.reference {
            let legal = |octet: u8| octet.is_ascii_graphic() && octet != b':';
            if matches!(new.kind, SecretKind::AcmeEab | SecretKind::ScepChallenge) {
                return refuse("reference: is made up for secrets of this kind");
            }
            if reference.is_empty() || reference.len() > REFERENCE_MAX || !reference.bytes().all(legal) {
                return refuse("reference: 1 to 128 printable ASCII characters without spaces and colons");
            }
        }
        self.check_until(new.until)
    }
}
