//! Operators: what a principal may do now.

use crate::authority::RegistrationAuthority;
use crate::domain::{ObjectKind, Operator, OperatorName, OperatorRole, Principal, RoleName, Standing};
use crate::error::{Error, InternalError};
use std::sync::Arc;

impl RegistrationAuthority {
    /// What this principal may do at this moment, from verified objects. `None` for an operator who is unknown or
    /// disabled. The host may do everything. A role that is not published, or that cannot be read, gives nothing.
    pub async fn standing(&self, principal: &Principal) -> Result<Option<Standing>, Error> {
        match principal {
            Principal::Host => Ok(Some(Standing::superadmin(Principal::Host))),
            Principal::Operator(name) => match self.operator(name).await? {
                Some(operator) if !operator.disabled => self.standing_of(&operator).await.map(Some),
                _ => Ok(None),
            },
        }
    }

    /// The operator with this name, disabled or not.
    pub async fn operator(&self, name: &OperatorName) -> Result<Option<Arc<Operator>>, Error> {
        let Some(object) = self
            .objects()
            .current(ObjectKind::Operator, name.as_str())
            .await?
        else {
            return Ok(None);
        };
        let read = self.policy().operator(&object);
        read.map(Some).map_err(|error| {
            Error::Internal(InternalError::Object {
                name: error.name,
                reason: error.reason,
            })
        })
    }

    /// What an operator may do who is not disabled.
    async fn standing_of(&self, operator: &Operator) -> Result<Standing, Error> {
        let superadmin = RoleName::superadmin();
        let texts = operator.roles.iter().filter(|name| **name != superadmin);
        let objects = self
            .objects()
            .all_current(ObjectKind::Role, texts.map(RoleName::as_str))
            .await?;
        let read = objects.into_iter().flatten().filter_map(|object| {
            let role = self.policy().role(&object);
            role.inspect_err(|error| tracing::error!(%error, "a role gives nothing: it cannot be read"))
                .ok()
        });
        let mut roles: Vec<OperatorRole> = read.map(|role| (*role).clone()).collect();
        if operator.is_superadmin() {
            roles.push(OperatorRole::superadmin());
        }
        Ok(Standing {
            principal: Principal::Operator(operator.name.clone()),
            roles,
            teams: operator.teams.clone(),
            scopes: None,
        })
    }
}
