//! That somebody is left who has every right and can sign in.

use std::sync::Arc;

use super::{ChangeError, Ways};
use crate::authority::RegistrationAuthority;
use crate::domain::{Event, ObjectEvent, ObjectKind, ObjectVersion, Operator, Record, RoleName};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;

/// What a change of an operator means for the superadmins.
#[derive(Default)]
pub(crate) struct Left {
    /// What guards that one is left. It stands in a stream that all who take the role from somebody write to: two who do
    /// so at once cannot both succeed.
    pub(crate) guard: Option<Record>,
    /// Whether one operator is left who is a superadmin and can sign in, where there were more: from then on the host can
    /// be the second person.
    pub(crate) alone: bool,
}

impl RegistrationAuthority {
    /// Looks after the superadmins when the text of an operator changes; says whether whoever asks is one.
    pub(crate) async fn superadmins_after(
        &self,
        (asks_as_one, saying): (bool, Saying),
        before: Option<&ObjectVersion>,
        after: Option<&ObjectVersion>,
    ) -> Result<Left, ChangeError> {
        let read = |object: Option<&ObjectVersion>| {
            let operator = object.filter(|object| object.kind == ObjectKind::Operator);
            operator.and_then(|object| self.policy().operator(object).ok())
        };
        let (before, after) = (read(before), read(after));
        let superadmin = RoleName::superadmin();
        let is_one = |operator: &Option<Arc<Operator>>| {
            operator
                .as_ref()
                .is_some_and(|one| one.roles.contains(&superadmin))
        };
        if (is_one(&before) || is_one(&after)) && !asks_as_one {
            return Err(ChangeError::SuperadminOnly);
        }
        let Some(before) = before else {
            return Ok(Left::default());
        };
        if !self.is_able_superadmin(&before, true).await? {
            return Ok(Left::default());
        }
        if let Some(after) = after
            && self.is_able_superadmin(&after, true).await?
        {
            return Ok(Left::default());
        }
        // Read before the others are looked at: whoever takes the role from one of them meanwhile moves it on.
        let guard = self.objects().load(ObjectKind::Role, superadmin.as_str()).await?;
        let mut left = Vec::new();
        for other in self.operators().await? {
            if other.name != before.name && self.is_able_superadmin(&other, false).await? {
                left.push(other.name.to_string());
            }
        }
        if left.is_empty() {
            return Err(ChangeError::LastSuperadmin);
        }
        let version = ObjectVersion {
            kind: ObjectKind::Role,
            name: superadmin.as_str().to_owned(),
            version: guard.value().next_version(),
            body: format!(
                "# Built in. Superadmins who could sign in when {} ceased to be one: {}\n",
                before.name,
                left.join(" ")
            ),
        };
        let event = Event::Object(ObjectEvent::Published(version));
        Ok(Left {
            guard: Some(self.ledger.record(guard.next(), saying, &[event])?),
            alone: left.len() == 1,
        })
    }

    /// Whether somebody is a superadmin who can sign in; or what is said here, where that cannot be told.
    async fn is_able_superadmin(&self, operator: &Operator, otherwise: bool) -> Result<bool, Error> {
        Ok(operator.is_superadmin() && self.can_sign_in(operator).await?.unwrap_or(otherwise))
    }

    /// Whether an operator has a certificate, or a password where those count, disabled or not. `None` where the password's
    /// records do not verify: nobody signs in with it, and whether there is one cannot be told.
    pub(crate) async fn can_sign_in(&self, operator: &Operator) -> Result<Option<bool>, Error> {
        if !operator.certificates.is_empty() {
            return Ok(Some(true));
        }
        if self.parts.ways == Ways::CertificatesOnly {
            return Ok(Some(false));
        }
        match self.password(&operator.name).await {
            Ok(password) => Ok(Some(password.is_some())),
            Err(Error::Internal(InternalError::Tampered { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
