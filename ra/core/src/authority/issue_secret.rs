//! Secrets of registrations: made, and where a policy guards configuration, good only once people have agreed.

use super::RegistrationAuthority;
use super::guard::{Excluded, Extent};
use super::register::owned;
use crate::access::Acting;
use crate::domain::{
    Actor, Origin, ProposalSubject, Refusal, Registration, RegistrationEvent, RegistrationId,
    RegistrationState, Right, SecretKind, SecretOwner, USES_MAX, secret_digest,
};
use crate::error::Error;
use crate::objects::Publisher;
use crate::secrets::{Besides, Drawn, NewSecret, REFERENCE_MAX, ShownSecret, Waits};
use portreeve_pkix::Timestamp;

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
    /// Makes a secret for a registration. It can be read this once; where people must agree, it is good once they have, and
    /// never when one of them says no. `None` when there is none that they may see.
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
        let (drawn, mut shown) = self.secrets.draw(NewSecret {
            owner: SecretOwner::Registration(id),
            kind: new.kind,
            reference: new.reference,
            uses_max: new.uses_max,
            until: new.until,
        })?;
        let excluded = Excluded {
            authors: known.unconfirmed_authors.clone(),
            ..Excluded::concerned(known.registration.owner.as_ref())
        };
        let waits = self.asking(by, &drawn, (excluded, Extent::Somewhere)).await?;
        shown.proposal = waits.as_ref().map(|waits| waits.proposal);
        let besides = Besides {
            waits,
            ..Besides::default()
        };
        match self.secrets.record(drawn, &by.publisher(), besides).await? {
            true => Ok(Some(shown)),
            false => Err(Refusal::NameTaken.into()),
        }
    }

    /// Asks people whether a secret may be good; `None` when nobody needs to be asked. They have until it is over.
    pub(crate) async fn asking(
        &self,
        by: &Acting,
        drawn: &Drawn,
        (excluded, extent): (Excluded, Extent),
    ) -> Result<Option<Waits>, Error> {
        let Some(policy) = self.guarding((by.principal(), excluded), extent).await? else {
            return Ok(None);
        };
        let subject = ProposalSubject::Secret(drawn.id);
        let digest = secret_digest(drawn.id, &drawn.secret);
        let until = self.now().saturating_add(policy.age_max);
        let until = drawn.secret.until.map_or(until, |end| end.min(until));
        let (proposal, opened) = self.raising_until((subject, digest), (&policy, until), by)?;
        Ok(Some(Waits {
            proposal,
            until,
            opened,
        }))
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
        let (id, event) = (
            self.registrations.new_id(),
            RegistrationEvent::Defined(registration),
        );
        let id = match self.registrations.create((id, &name), (event, None), &by).await? {
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
            if matches!(
                new.kind,
                SecretKind::AcmeEab | SecretKind::ScepChallenge | SecretKind::EnrollmentToken
            ) {
                return refuse("reference: is made up for secrets of this kind");
            }
            if reference.is_empty() || reference.len() > REFERENCE_MAX || !reference.bytes().all(legal) {
                return refuse("reference: 1 to 128 printable ASCII characters without spaces and colons");
            }
        }
        self.check_until(new.until)
    }
}
