//! What exactly people decide on, for whoever may see it.

use portreeve_ra::{
    KnownSecret, Proposal, ProposalSubject, RegistrationAuthority, RegistrationId, Right, Secret, SecretOwner,
};

use super::views::{ProposalView, view};
use crate::ConsoleParts;
use crate::configuration::DiffEntry;
use crate::problem::Problem;
use crate::registrations::body_of;
use crate::signed_in::SignedIn;

/// Whether somebody may see what a proposal is about: requests and certificates are for those who may read or decide on
/// each of them, which a team may own, a registration is for those who may see it, objects and what operators sign in
/// with for those who read or approve that.
pub(super) async fn is_seen(
    ra: &RegistrationAuthority,
    proposal: &Proposal,
    signed_in: &SignedIn,
) -> Result<bool, Problem> {
    if proposal.opened_by.principal() == Some(signed_in.principal()) {
        return Ok(true);
    }
    match &proposal.subject {
        ProposalSubject::Object { kind, .. } => {
            let readers = match kind.is_of_people() {
                true => Right::OperatorRead,
                false => Right::ConfigurationRead,
            };
            Ok([readers, Right::ConfigurationApprove]
                .into_iter()
                .any(|right| signed_in.0.may_somewhere(right)))
        }
        ProposalSubject::Enrollment(_) | ProposalSubject::Certificates { .. } => {
            let constituency = ra.constituency(proposal).await?;
            let on_each = |right| constituency.on().into_iter().all(|on| signed_in.0.may(right, on));
            Ok([Right::RequestRead, Right::RequestApprove]
                .into_iter()
                .any(on_each))
        }
        ProposalSubject::Registration(id) => sees(ra, *id, signed_in).await,
        ProposalSubject::Secret(id) => match ra.secrets().secret(*id).await? {
            None => Ok(false),
            Some(known) => match &known.value().secret.owner {
                SecretOwner::Registration(id) => sees(ra, *id, signed_in).await,
                SecretOwner::Operator(_) => Ok([Right::OperatorRead, Right::ConfigurationApprove]
                    .into_iter()
                    .any(|right| signed_in.0.may_somewhere(right))),
            },
        },
    }
}

async fn sees(ra: &RegistrationAuthority, id: RegistrationId, signed_in: &SignedIn) -> Result<bool, Problem> {
    let acting = signed_in.acting(ra, "");
    Ok(ra.registration_seen(&acting, id).await?.is_some())
}

/// A proposal with what is proposed and what that changes.
pub(super) async fn in_full(
    parts: &ConsoleParts,
    proposal: &Proposal,
    signed_in: &SignedIn,
) -> Result<ProposalView, Problem> {
    let shown = view(&parts.ra, proposal, signed_in).await?;
    let (proposed, changes) = match &proposal.subject {
        ProposalSubject::Enrollment(_) | ProposalSubject::Certificates { .. } => (None, Vec::new()),
        ProposalSubject::Object { kind, name, version } => {
            let history = parts.ra.objects().history(*kind, name).await?;
            let history = history.ok_or(Problem::NotFound("object"))?;
            let draft = history.version(*version).ok_or(Problem::NotFound("version"))?;
            let changes = match history.current() {
                // What cannot be compared is still shown as it is.
                Some(current) => parts.workbench.compare(current, draft).unwrap_or_default(),
                None => Vec::new(),
            };
            (Some(draft.body.clone()), changes)
        }
        ProposalSubject::Registration(id) => registration(parts, proposal, *id).await?,
        ProposalSubject::Secret(id) => {
            let known = parts.ra.secrets().secret(*id).await?;
            (known.map(|known| secret(known.value())), Vec::new())
        }
    };
    Ok(ProposalView {
        proposed,
        changes,
        ..shown
    })
}

async fn registration(
    parts: &ConsoleParts,
    proposal: &Proposal,
    id: RegistrationId,
) -> Result<(Option<String>, Vec<DiffEntry>), Problem> {
    let known = parts.ra.registrations().registration(id).await?;
    let known = known.ok_or(Problem::NotFound("registration"))?.into_value();
    let waiting = known.waiting.as_ref();
    let Some(waiting) = waiting.filter(|waiting| waiting.proposal == proposal.id) else {
        return Ok((None, Vec::new()));
    };
    let asked = &waiting.proposed;
    let mut changes = known.in_force().map_or_else(Vec::new, |current| {
        parts
            .workbench
            .compare_registrations(current, &asked.registration)
    });
    if asked.resumes {
        changes.push(DiffEntry {
            path: "suspended".to_owned(),
            old: Some("true".to_owned()),
            new: Some("false".to_owned()),
            direction: "widens".to_owned(),
        });
    }
    let text = serde_json::to_string_pretty(&body_of(&asked.registration)).ok();
    Ok((text, changes))
}

/// What is known of a secret, line by line; never what it is.
fn secret(known: &KnownSecret) -> String {
    let waiting = known.waiting.as_ref().map(|waiting| &waiting.secret);
    let Secret {
        owner: _,
        kind,
        reference,
        check: _,
        uses_max,
        scopes,
        bound_to,
        until,
    } = waiting.unwrap_or(&known.secret);
    let uses = uses_max.map_or_else(|| "any number of times".to_owned(), |uses| uses.to_string());
    let mut lines = vec![
        format!("kind: {}", kind.as_str()),
        format!("reference: {reference}"),
        format!("uses: {uses}"),
    ];
    if !scopes.is_empty() {
        lines.push(format!("scopes: {}", scopes.join(", ")));
    }
    lines.extend(bound_to.map(|key| format!("bound to: {}", hex::encode(key))));
    lines.extend(until.map(|until| format!("until: {until}")));
    lines.join("\n")
}
