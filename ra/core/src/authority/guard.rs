//! The approval policy that guards changes which give somebody more, and that there is somebody to ask.
//!
//! Nobody does alone what the policy guards, and no policy may ask for people who do not exist: then nobody could ever
//! change anything again, not even the policy. So one that could not be fulfilled is not published. Where it can no longer
//! be fulfilled, because people have left since, superadmins agree who are not the one that asks. Whoever is root of the
//! host may be an operator as well, so the host is nobody's second person while two operators are superadmins who can sign
//! in; that this is no longer so is agreed to like anything that gives somebody more.

use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use crate::configuration::GUARD;
use crate::domain::{
    ApprovalPolicy, ApprovalTerms, Approvers, CertificateMatch, DecisionRejection, EvidenceRule, ObjectKind,
    ObjectVersion, Principal, Refusal, Right, RoleName, Standing, Step, StreamId,
};
use crate::error::{Error, InternalError};

/// What is proposed under the guard is open at least this long, and as long for what was agreed to: a shorter time is quickly
/// given and could not be taken back by people who need a while to agree.
const OPEN_MIN: Duration = Duration::from_secs(86_400);

/// On how much the right to approve is needed.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// On what the change is about; whoever has it somewhere may be somebody who can.
    Somewhere,
    /// On everything there is and will be: it is about what people may do.
    Everywhere,
}

/// Those who do not agree to what somebody asks, besides whoever asks.
#[derive(Clone, Default, Debug)]
pub(crate) struct Excluded {
    /// It is for them, or they drafted it.
    pub(crate) concerned: Vec<Principal>,
    /// They wrote what is to be changed, and nobody else has confirmed it.
    pub(crate) authors: Vec<Principal>,
}

impl Excluded {
    /// Whom it is for.
    pub(crate) fn concerned(whom: Option<&Principal>) -> Self {
        Self {
            concerned: whom.cloned().into_iter().collect(),
            authors: Vec::new(),
        }
    }
}

/// Somebody who can sign in.
struct Person {
    standing: Standing,
    /// Whether they have a key that they sign decisions with.
    signs: bool,
}

impl Person {
    fn is_superadmin_operator(&self) -> bool {
        Approvers::Superadmins.include(&self.standing)
    }
}

impl RegistrationAuthority {
    /// The policy by which people must agree to what somebody asks. Who asks, who is excluded, and whoever wrote the policy
    /// and was not confirmed, do not count among them. `None` when no policy guards configuration, or no operator could ever
    /// sign in, so that the host makes the first one alone.
    ///
    /// # Errors
    ///
    /// [`DecisionRejection::Nobody`] when nobody is there who could agree, or only somebody whose work was not confirmed.
    pub(crate) async fn guarding(
        &self,
        (asks, mut excluded): (&Principal, Excluded),
        extent: Extent,
    ) -> Result<Option<Arc<ApprovalPolicy>>, Error> {
        let Some(policy) = self.approval_policy(GUARD).await?.map(lasting) else {
            return Ok(None);
        };
        let written = self.objects.history(ObjectKind::ApprovalPolicy, GUARD).await?;
        let authors = written
            .as_ref()
            .map(|it| it.unconfirmed_authors(policy.terms.version));
        excluded.authors.extend(authors.into_iter().flatten().cloned());
        let (people, lost) = self.people().await?;
        let others = |confirmed: bool| -> Vec<&Person> {
            let counts = |person: &&Person| {
                let principal = &person.standing.principal;
                principal != asks
                    && !excluded.concerned.contains(principal)
                    && (confirmed || !excluded.authors.contains(principal))
            };
            people.iter().filter(counts).collect()
        };
        let (now, confirmed) = (others(false), others(true));
        if fulfillable(&policy.terms, &now, extent) {
            return Ok(Some(policy));
        }
        if *asks == Principal::Host && !self.was_operated().await? {
            return Ok(None);
        }
        if fulfillable(&policy.terms, &confirmed, extent) {
            return Err(unconfirmed(&excluded.authors));
        }
        tracing::warn!(principal = %asks, "the approval policy {GUARD} cannot be fulfilled: superadmins are asked");
        let mut terms = ApprovalTerms {
            steps: vec![stand_in(asks, (&people, lost))],
            ..policy.terms.clone()
        };
        if !fulfillable(&terms, &now, extent) {
            terms.evidence = EvidenceRule::Accepted;
        }
        if fulfillable(&terms, &now, extent) {
            return Ok(Some(Arc::new(ApprovalPolicy {
                terms,
                age_max: policy.age_max,
            })));
        }
        if fulfillable(&terms, &confirmed, extent) {
            return Err(unconfirmed(&excluded.authors));
        }
        let who = terms.steps.iter().map(|step| step.who.to_string());
        let who: String = who.collect();
        Err(nobody(format!(
            "by the approval policy {GUARD}, or in its place {who}"
        )))
    }

    /// Why a policy must not guard configuration: whoever asks, others must be able to agree, who do not include its authors
    /// as long as nobody else has confirmed it, and a superadmin besides the host must be there for when they no longer
    /// are. `None` when it may.
    pub(crate) async fn unfulfillable(
        &self,
        version: &ObjectVersion,
        authors: &[Principal],
    ) -> Result<Option<String>, Error> {
        if version.kind != ObjectKind::ApprovalPolicy || version.name != GUARD {
            return Ok(None);
        }
        let Ok(policy) = self.parts.policy.approval_policy(version) else {
            return Ok(None);
        };
        if policy.age_max < OPEN_MIN {
            let why = "what it guards must be open for a day at least (age_max), or nobody could agree to its change in time";
            return Ok(Some(why.to_owned()));
        }
        let (people, _) = self.people().await?;
        if !people.iter().any(Person::is_superadmin_operator) {
            return Ok(Some("no operator is a superadmin who can sign in".to_owned()));
        }
        for asks in &people {
            let who = &asks.standing.principal;
            let counts = |person: &&Person| {
                let principal = &person.standing.principal;
                principal != who && !authors.contains(principal)
            };
            let others: Vec<&Person> = people.iter().filter(counts).collect();
            if !fulfillable(&policy.terms, &others, Extent::Everywhere) {
                let besides = match authors {
                    [] => String::new(),
                    authors => format!(
                        " besides {}, who put it in force and does not count until somebody else has confirmed it",
                        listed(authors)
                    ),
                };
                return Ok(Some(format!(
                    "when {who} asks, there are not enough others who can sign in and may approve{besides}"
                )));
            }
        }
        Ok(None)
    }

    /// Whether any operator could ever sign in.
    async fn was_operated(&self) -> Result<bool, Error> {
        let found = self.objects.gather(ObjectKind::Operator).await?;
        if !found.damaged.is_empty() {
            return Ok(true);
        }
        for history in found.histories {
            let released = history.revisions().iter().filter(|one| one.released.is_some());
            for operator in released.filter_map(|one| self.parts.policy.operator(&one.object).ok()) {
                let had_password = match self.ledger.history(StreamId::password(&operator.name)).await {
                    Ok(history) => !history.value().is_empty(),
                    // There is something, though it does not verify.
                    Err(Error::Internal(InternalError::Tampered { .. })) => true,
                    Err(error) => return Err(error),
                };
                if had_password || !operator.certificates.is_empty() {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The host, and every operator who can sign in; with them how many operators there may be besides, of whom nothing can be
    /// said because their records do not verify.
    async fn people(&self) -> Result<(Vec<Person>, usize), Error> {
        let mut people = vec![Person {
            standing: Standing::superadmin(Principal::Host),
            signs: false,
        }];
        let (operators, mut lost) = self.operators_and_lost().await?;
        for operator in operators {
            match self.can_sign_in(&operator).await? {
                _ if operator.disabled => continue,
                Some(true) => {}
                Some(false) => continue,
                None => {
                    lost = lost.saturating_add(1);
                    continue;
                }
            }
            let key = |one: &CertificateMatch| matches!(one, CertificateMatch::Spki(_));
            people.push(Person {
                standing: self.standing_of(&operator).await?,
                signs: operator.certificates.iter().any(key),
            });
        }
        Ok((people, lost))
    }
}

/// The policy with times in which people can agree, whatever it says: one may have been in force before that was looked at.
fn lasting(policy: Arc<ApprovalPolicy>) -> Arc<ApprovalPolicy> {
    if policy.age_max >= OPEN_MIN && policy.terms.issue_within >= OPEN_MIN {
        return policy;
    }
    let terms = ApprovalTerms {
        issue_within: policy.terms.issue_within.max(OPEN_MIN),
        ..policy.terms.clone()
    };
    Arc::new(ApprovalPolicy {
        terms,
        age_max: policy.age_max.max(OPEN_MIN),
    })
}

fn nobody(why: String) -> Error {
    Refusal::from(DecisionRejection::Nobody(why)).into()
}

fn unconfirmed(authors: &[Principal]) -> Error {
    let authors = listed(authors);
    nobody(format!(
        "without {authors}, who wrote what it is judged by or what it changes; have that confirmed first"
    ))
}

fn listed(principals: &[Principal]) -> String {
    let mut names: Vec<String> = principals.iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    names.join(", ")
}

/// Who agrees in place of those a policy names. While two operators are superadmins, two of them ask and agree: the root of
/// the host may be one of them as well. One who was lost may be one: nobody comes to be the only one by writing into the
/// database.
fn stand_in(asks: &Principal, (people, lost): (&[Person], usize)) -> Step {
    let others = people
        .iter()
        .filter(|person| person.is_superadmin_operator() && person.standing.principal != *asks);
    match (others.count().saturating_add(lost), asks) {
        (0, _) => Step {
            who: Approvers::Role(RoleName::superadmin()),
            min: 1,
        },
        (2.., Principal::Host) => Step {
            who: Approvers::Superadmins,
            min: 2,
        },
        _ => Step {
            who: Approvers::Superadmins,
            min: 1,
        },
    }
}

/// Whether each of these people, acting once, can make up the steps.
fn fulfillable(terms: &ApprovalTerms, people: &[&Person], extent: Extent) -> bool {
    let seats: Vec<Vec<usize>> = terms
        .steps
        .iter()
        .flat_map(|step| std::iter::repeat_n(eligible(step, (terms.evidence, people), extent), step.people()))
        .collect();
    let mut seated: Vec<Option<usize>> = vec![None; people.len()];
    !seats.is_empty()
        && (0..seats.len()).all(|seat| seat_one(seat, &seats, (&mut seated, &mut vec![false; people.len()])))
}

/// The people who may approve in a step, by their places.
fn eligible(step: &Step, (evidence, people): (EvidenceRule, &[&Person]), extent: Extent) -> Vec<usize> {
    let right = Right::ConfigurationApprove;
    let may = |person: &Person| {
        let standing = &person.standing;
        let entitled = match extent {
            Extent::Somewhere => standing.may_somewhere(right),
            Extent::Everywhere => standing.may_everywhere(right),
        };
        entitled && step.who.include(standing) && (evidence == EvidenceRule::Accepted || person.signs)
    };
    let found = people.iter().enumerate().filter(|(_, person)| may(person));
    found.map(|(place, _)| place).collect()
}

/// Finds somebody for a seat; whoever has another seat may have to move to a third one. There are at most 128 seats.
fn seat_one(
    seat: usize,
    seats: &[Vec<usize>],
    (seated, asked): (&mut Vec<Option<usize>>, &mut Vec<bool>),
) -> bool {
    for person in seats.get(seat).into_iter().flatten() {
        match asked.get_mut(*person) {
            Some(asked) if !*asked => *asked = true,
            _ => continue,
        }
        let free = match seated.get(*person).copied().flatten() {
            None => true,
            Some(other) => seat_one(other, seats, (seated, asked)),
        };
        if free && let Some(place) = seated.get_mut(*person) {
            *place = Some(seat);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ApprovalPolicyName, OperatorName, OperatorRole, Reach, TeamReach};

    fn person(name: &str, roles: &[&str]) -> Person {
        let role = |role: &&str| OperatorRole {
            name: RoleName::new(role).unwrap(),
            rights: [Right::ConfigurationApprove].into(),
            backends: Reach::All,
            profiles: Reach::All,
            teams: TeamReach::All,
        };
        Person {
            standing: Standing {
                principal: Principal::Operator(OperatorName::new(name).unwrap()),
                roles: roles.iter().map(role).collect(),
                teams: std::collections::BTreeSet::new(),
                scopes: None,
            },
            signs: name.starts_with("signs"),
        }
    }

    fn terms(steps: &[(&str, u8)], evidence: EvidenceRule) -> ApprovalTerms {
        let step = |(role, min): &(&str, u8)| Step {
            who: match *role {
                "" => Approvers::Anyone,
                role => Approvers::Role(RoleName::new(role).unwrap()),
            },
            min: *min,
        };
        ApprovalTerms {
            policy: ApprovalPolicyName::new(GUARD).unwrap(),
            version: 1,
            steps: steps.iter().map(step).collect(),
            evidence,
            issue_within: Duration::from_secs(1),
        }
    }

    #[test]
    fn steps_are_fulfilled_by_different_people() {
        let people = [
            person("a", &["x", "y"]),
            person("b", &["x"]),
            person("signs", &["y", "z"]),
            person("nobody", &[]),
        ];
        let others: Vec<&Person> = people.iter().collect();
        let (accepted, required) = (EvidenceRule::Accepted, EvidenceRule::Required);
        type Row = (&'static str, &'static [(&'static str, u8)], EvidenceRule, bool);
        let rows: [Row; 9] = [
            ("nobody may", &[], accepted, false),
            ("one", &[("x", 1)], accepted, true),
            ("as many as there are", &[("", 3)], accepted, true),
            ("one more than there are", &[("", 4)], accepted, false),
            (
                "one moves for another",
                &[("x", 1), ("x", 1), ("y", 1)],
                accepted,
                true,
            ),
            ("one seat too many", &[("x", 2), ("y", 2)], accepted, false),
            ("a role that nobody holds", &[("w", 1)], accepted, false),
            ("with a key", &[("z", 1)], required, true),
            ("without one", &[("x", 1)], required, false),
        ];
        for (case, steps, evidence, expected) in rows {
            let terms = terms(steps, evidence);
            assert_eq!(
                fulfillable(&terms, &others, Extent::Everywhere),
                expected,
                "{case}"
            );
        }
    }

    #[test]
    fn what_is_guarded_is_open_for_a_day() {
        let policy = |age_max| {
            let terms = terms(&[("", 1)], EvidenceRule::Accepted);
            Arc::new(ApprovalPolicy { terms, age_max })
        };
        let hasty = lasting(policy(Duration::from_secs(1)));
        assert_eq!((hasty.age_max, hasty.terms.issue_within), (OPEN_MIN, OPEN_MIN));
        let calm = lasting(policy(OPEN_MIN * 7));
        assert_eq!((calm.age_max, calm.terms.issue_within), (OPEN_MIN * 7, OPEN_MIN));
    }

    #[test]
    fn the_host_is_nobodys_second_person_while_there_are_two_superadmins() {
        let host = || Person {
            standing: Standing::superadmin(Principal::Host),
            signs: false,
        };
        let asks = |name: &str| Principal::Operator(OperatorName::new(name).unwrap());
        let either = || Approvers::Role(RoleName::superadmin());
        let lost = stand_in(&asks("a"), (&[host(), person("a", &["superadmin"])], 1));
        assert_eq!(lost.who, Approvers::Superadmins, "one who was lost may be one");
        let rows: [(&[&str], Principal, Approvers, u8); 7] = [
            (&["a", "b"], asks("a"), Approvers::Superadmins, 1),
            (&["a", "b"], asks("clerk"), Approvers::Superadmins, 1),
            (&["a", "b"], Principal::Host, Approvers::Superadmins, 2),
            (&["a"], asks("a"), either(), 1),
            (&["a"], asks("clerk"), Approvers::Superadmins, 1),
            (&["a"], Principal::Host, Approvers::Superadmins, 1),
            (&[], asks("clerk"), either(), 1),
        ];
        for (superadmins, asks, who, min) in rows {
            let mut people = vec![host(), person("clerk", &["x"])];
            people.extend(superadmins.iter().map(|name| person(name, &["superadmin"])));
            assert_eq!(
                stand_in(&asks, (&people, 0)),
                Step { who, min },
                "{superadmins:?}, {asks}"
            );
        }
    }

    #[test]
    fn who_may_approve_on_something_counts_for_that_alone() {
        let mut limited = person("a", &["x"]);
        for role in &mut limited.standing.roles {
            role.profiles = Reach::Only(std::collections::BTreeSet::new());
        }
        let terms = terms(&[("", 1)], EvidenceRule::Accepted);
        assert!(fulfillable(&terms, &[&limited], Extent::Somewhere));
        assert!(!fulfillable(&terms, &[&limited], Extent::Everywhere));
    }
}
