//! Changes that give somebody more: where the approval policy for configuration is in force, people are asked first.

use std::sync::Arc;

use super::{Changed, ConfigurationError, Outcome, Plan};
use crate::access::Acting;
use crate::authority::{Excluded, Extent, RegistrationAuthority};
use crate::domain::{
    ApprovalPolicy, ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, OperatorName, Principal,
    ProposalId, ProposalState, ProposalSubject, Remark, object_digest,
};
use crate::error::Error;

impl RegistrationAuthority {
    /// The policy by which people must agree before this version is in force; `None` when it gives nobody more, or when no
    /// policy guards configuration. What leaves one superadmin where there were more makes room for the host, so it is
    /// agreed to as well; there the operator whom it is about may be the one who agrees.
    pub(crate) async fn guard(
        &self,
        by: &Principal,
        (history, version, leaves_one): (&ObjectHistory, &ObjectVersion, bool),
    ) -> Result<Option<Arc<ApprovalPolicy>>, Error> {
        let widens = self.policy().widens(history.current(), version);
        if !widens && !leaves_one {
            return Ok(None);
        }
        let extent = match version.kind.is_of_people() {
            true => Extent::Everywhere,
            false => Extent::Somewhere,
        };
        let whose = whose(version.kind, &version.name).filter(|_| widens);
        let mut excluded = Excluded::concerned(whose.as_ref());
        // The same text is the same draft, whoever wrote it.
        let drafted = history.drafts().find(|draft| draft.object.body == version.body);
        let number = drafted.map_or(version.version, |draft| draft.object.version);
        let writer = drafted.and_then(|draft| draft.written.by.principal());
        excluded.concerned.extend(writer.cloned());
        if !version.kind.is_of_people() {
            let authors = history.unconfirmed_authors(number.saturating_sub(1));
            excluded.authors.extend(authors.into_iter().cloned());
        }
        self.guarding((by, excluded), extent).await
    }

    /// Refuses to let somebody alone put a policy in force that guards everything when it could not be fulfilled by others
    /// than them and those who wrote it before.
    pub(super) async fn fulfillable_by_others(
        &self,
        by: &Principal,
        (history, version): (&ObjectHistory, &ObjectVersion),
    ) -> Result<(), ConfigurationError> {
        let mut authors: Vec<Principal> = history
            .unconfirmed_authors(version.version)
            .into_iter()
            .cloned()
            .collect();
        let drafted = history.revision(version.version);
        authors.extend(drafted.and_then(|draft| draft.written.by.principal()).cloned());
        authors.push(by.clone());
        match self.unfulfillable(version, &authors).await? {
            Some(why) => Err(ConfigurationError::Unfulfillable(why)),
            None => Ok(()),
        }
    }

    /// The proposal on this version that is open, if one is.
    async fn open_proposal(
        &self,
        history: &ObjectHistory,
        version: &ObjectVersion,
    ) -> Result<Option<ProposalId>, Error> {
        let asked = history.revision(version.version).and_then(|found| found.proposal);
        let Some(id) = asked else { return Ok(None) };
        let digest = digest(history, version);
        let proposal = self.proposal(id).await?;
        let open = proposal.filter(|proposal| {
            proposal.state(self.now()) == ProposalState::Open && proposal.digest == digest
        });
        Ok(open.map(|proposal| proposal.id))
    }

    /// Asks people whether a version may be in force. The same text is asked about once at a time.
    pub(crate) async fn plan_proposal(
        &self,
        by: &Acting,
        version: ObjectVersion,
        (history, policy, remarks): (&ObjectHistory, &ApprovalPolicy, Vec<Remark>),
    ) -> Result<Plan, ConfigurationError> {
        let same = history.drafts().find(|draft| draft.object.body == version.body);
        let version = same.map_or(version, |same| same.object.clone());
        let waits = |id| Changed {
            outcome: Outcome::Proposed(version.clone(), id),
            remarks: remarks.clone(),
        };
        if let Some(id) = self.open_proposal(history, &version).await? {
            return Ok(Plan {
                events: Vec::new(),
                opened: None,
                changed: waits(id),
            });
        }
        let subject = ProposalSubject::Object {
            kind: version.kind,
            name: version.name.clone(),
            version: version.version,
        };
        let (id, opened) = self.raising((subject, digest(history, &version)), policy, by)?;
        let mut events = Vec::new();
        if history.revision(version.version).is_none() {
            super::few_drafts(history)?;
            events.push(ObjectEvent::Drafted(version.clone()));
        }
        events.push(ObjectEvent::Proposed {
            version: version.version,
            proposal: id,
        });
        Ok(Plan {
            events,
            opened: Some(opened),
            changed: waits(id),
        })
    }
}

/// The operator whom an object is about: they do not approve what they get themselves.
pub(crate) fn whose(kind: ObjectKind, name: &str) -> Option<Principal> {
    let operator = (kind == ObjectKind::Operator).then(|| OperatorName::new(name).ok());
    operator.flatten().map(Principal::Operator)
}

/// What people agree to who agree to this version, over what is in force now.
fn digest(history: &ObjectHistory, version: &ObjectVersion) -> [u8; 32] {
    object_digest(version, history.current().map(|current| current.version))
}
