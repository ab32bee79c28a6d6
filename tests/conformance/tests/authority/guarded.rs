//! Where a policy guards configuration, nobody gives anybody more alone: not by another operator, a role, a team, a
//! registration, a secret, or something that another one signs in with.

mod damaged;
mod people;
mod reaching;
mod registrations;
mod secrets;

use portreeve_harness::authority::{key_of, operator};
use portreeve_ra::access::Acting;
use portreeve_ra::authority::Vote;
use portreeve_ra::configuration::Outcome;
use portreeve_ra::operators::{ChangeError, Condition, PeopleChange};
use portreeve_ra::{DecisionRejection, Exclusion, OperatorName, Principal, ProposalState, Standing};

use super::*;

const POLICY: ObjectKind = ObjectKind::ApprovalPolicy;
const ONE: &str = "age_max = \"7d\"\n[[step]]\nanyone = true\n";
const OFFICERS: &str = "age_max = \"7d\"\n[[step]]\nrole = \"officer\"\nmin = 2\n";

fn holder(name: &str, role: &str) -> String {
    format!("roles = [\"{role}\"]\n{}", key_of(name))
}

/// An installation with this policy, wherever nobody guarded anything yet: root, a superadmin; the clerks ann and abe, who
/// may do everything but configure; the officers bob, carol and dora.
async fn guarded(policy: &str) -> TestAuthority {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let everywhere = "backends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n";
    let clerk = "\"operator.read\", \"operator.write\", \"registration.read\", \"registration.write\", \
                 \"secret.write\", \"configuration.approve\"";
    for (name, rights) in [("clerk", clerk), ("officer", "\"configuration.approve\"")] {
        let role = format!("rights = [{rights}]\n{everywhere}");
        authority.put(ObjectKind::Role, name, &role).await;
    }
    let people = [
        ("root", "superadmin"),
        ("ann", "clerk"),
        ("abe", "clerk"),
        ("bob", "officer"),
        ("carol", "officer"),
        ("dora", "officer"),
    ];
    for (name, role) in people {
        authority
            .put(ObjectKind::Operator, name, &holder(name, role))
            .await;
    }
    authority.put(POLICY, "configuration", policy).await;
    authority
}

async fn person(authority: &TestAuthority, name: &str) -> Acting {
    let standing = authority.ra.standing(&operator(name)).await.unwrap();
    acting(authority, standing.expect("an operator"))
}

fn host(authority: &TestAuthority) -> Acting {
    acting(authority, Standing::superadmin(Principal::Host))
}

fn acting(authority: &TestAuthority, standing: Standing) -> Acting {
    Acting {
        standing,
        origin: authority.origin(),
        reason: "because".to_owned(),
    }
}

fn vote(by: &Acting) -> Vote {
    Vote {
        standing: by.standing.clone(),
        digest: None,
        comment: "looked at".to_owned(),
        evidence: None,
        grant: None,
        origin: by.origin.clone(),
    }
}

async fn approve(authority: &TestAuthority, id: ProposalId, name: &str) -> Result<ProposalState, Error> {
    let by = person(authority, name).await;
    authority.ra.approve(id, vote(&by)).await
}

#[track_caller]
fn rejection<T: std::fmt::Debug>(result: Result<T, Error>) -> DecisionRejection {
    match result {
        Err(Error::Refused(Refusal::Decision(rejection))) => rejection,
        other => panic!("{other:?}"),
    }
}

async fn change(
    authority: &TestAuthority,
    by: &Acting,
    (kind, name, text): (ObjectKind, &str, Option<&str>),
) -> Result<Outcome, ChangeError> {
    let change = PeopleChange {
        kind,
        name: name.to_owned(),
        text: text.map(str::to_owned),
        condition: Condition::Any,
    };
    authority.ra.change_people(by, change).await
}

async fn proposed(
    authority: &TestAuthority,
    by: &Acting,
    (kind, name, text): (ObjectKind, &str, &str),
) -> ProposalId {
    match change(authority, by, (kind, name, Some(text))).await {
        Ok(Outcome::Proposed(_, id)) => id,
        other => panic!("{name}: {other:?}"),
    }
}

fn name_of(name: &str) -> OperatorName {
    OperatorName::new(name).unwrap()
}
