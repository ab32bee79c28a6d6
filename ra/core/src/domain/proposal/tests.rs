use super::*;
use crate::domain::approval::{DecisionRejection, EvidenceRule, Exclusion, Step};
use crate::domain::ids::{ApprovalPolicyName, BackendName, OperatorName, RoleName};
use crate::domain::refusal::Refusal;
use crate::domain::right::{On, OperatorRole, Reach, Standing};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;

const ID: ProposalId = ProposalId::from_bytes([1; 16]);
const DIGEST: [u8; 32] = [2; 32];
const GRANTABLE: GrantSubject = GrantSubject {
    digest: [3; 32],
    lifetime_max: Duration::from_secs(60),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_000 + seconds)
}

fn principal(name: &str) -> Principal {
    format!("operator:{name}").parse().unwrap()
}

fn role(name: &str) -> Approvers {
    Approvers::Role(RoleName::new(name).unwrap())
}

fn operator(name: &str) -> Approvers {
    Approvers::Operator(OperatorName::new(name).unwrap())
}

/// One with the right to approve requests everywhere, and these roles.
fn standing(name: &str, roles: &[&str]) -> Standing {
    let approver = |name: &str| OperatorRole {
        name: RoleName::new(name).unwrap(),
        rights: BTreeSet::from([Right::RequestApprove]),
        ..OperatorRole::superadmin()
    };
    let roles = std::iter::once("approver").chain(roles.iter().copied());
    Standing {
        principal: principal(name),
        roles: roles.map(approver).collect(),
        teams: BTreeSet::new(),
        scopes: None,
    }
}

fn opened(steps: &[(Approvers, u8)], evidence: EvidenceRule) -> Proposal {
    let steps = steps.iter().cloned().map(|(who, min)| Step { who, min });
    let event = ProposalEvent::Opened {
        subject: ProposalSubject::Enrollment(EnrollmentId::from_bytes([9; 16])),
        digest: DIGEST,
        terms: ApprovalTerms {
            policy: ApprovalPolicyName::new("p").unwrap(),
            version: 1,
            steps: steps.collect(),
            evidence,
            issue_within: Duration::from_secs(10),
        },
        until: at(100),
        grantable: Some(GRANTABLE),
        granted_anyway: None,
    };
    let mut proposal = None;
    Proposal::apply(&mut proposal, ID, &event, (&Actor::Node, at(0)));
    proposal.unwrap()
}

fn ballot(standing: &Standing, decision: Decision) -> Ballot<'_> {
    Ballot {
        standing,
        decision,
        digest: None,
        comment: "why",
        evidence: None,
        grant: None,
    }
}

const NOBODY: Electorate<'static> = Electorate {
    on: &[On {
        backend: None,
        profile: None,
        team: None,
    }],
    everywhere: false,
    excluded: &[],
    keys: &[],
};

/// Lets a ballot count, if it may.
fn cast(proposal: &mut Proposal, ballot: &Ballot<'_>, now: Timestamp) -> Result<u8, Refusal> {
    let step = proposal.admit(ballot, &NOBODY, now)?;
    let event = ProposalEvent::Decided {
        by: ballot.standing.principal.clone(),
        decision: ballot.decision,
        step,
        digest: proposal.digest,
        comment: ballot.comment.to_owned(),
        evidence: ballot.evidence.cloned(),
        grant: ballot.grant,
    };
    let mut after = Some(proposal.clone());
    Proposal::apply(
        &mut after,
        ID,
        &event,
        (&Actor::Operator(ballot.standing.principal.clone()), now),
    );
    *proposal = after.unwrap();
    Ok(step)
}

fn approve(proposal: &mut Proposal, name: &str, roles: &[&str]) -> Result<u8, Refusal> {
    let standing = standing(name, roles);
    cast(proposal, &ballot(&standing, Decision::Approve), at(1))
}

fn rejected(result: Result<u8, Refusal>) -> DecisionRejection {
    match result {
        Err(Refusal::Decision(rejection)) => rejection,
        other => panic!("{other:?}"),
    }
}

#[test]
fn steps_open_in_order_and_nobody_acts_twice() {
    let steps = [(role("officer"), 2), (operator("boss"), 1)];
    let mut proposal = opened(&steps, EvidenceRule::Accepted);
    assert_eq!(
        rejected(approve(&mut proposal, "boss", &[])),
        DecisionRejection::StepLater("role officer".to_owned())
    );
    assert_eq!(
        rejected(approve(&mut proposal, "zoe", &[])),
        DecisionRejection::NoStep
    );
    assert_eq!(approve(&mut proposal, "ann", &["officer"]), Ok(0));
    assert_eq!(
        rejected(approve(&mut proposal, "ann", &["officer"])),
        DecisionRejection::Twice
    );
    assert_eq!(proposal.state(at(1)), ProposalState::Open);
    assert_eq!(approve(&mut proposal, "ben", &["officer"]), Ok(0));
    assert_eq!(
        rejected(approve(&mut proposal, "cid", &["officer"])),
        DecisionRejection::NoStep
    );
    assert_eq!(approve(&mut proposal, "boss", &["officer"]), Ok(1));
    assert_eq!(proposal.state(at(1)), ProposalState::Approved);
    assert_eq!(approve(&mut proposal, "dan", &[]), Err(Refusal::AlreadyDecided));
}

#[test]
fn any_denial_of_somebody_eligible_ends_it() {
    let steps = [(role("officer"), 1), (operator("boss"), 1)];
    let (boss, zoe) = (standing("boss", &[]), standing("zoe", &[]));
    let mut proposal = opened(&steps, EvidenceRule::Required);
    let no = ballot(&zoe, Decision::Reject);
    assert_eq!(
        rejected(cast(&mut proposal, &no, at(1))),
        DecisionRejection::NoStep
    );
    let silent = Ballot {
        comment: " \n",
        ..ballot(&boss, Decision::Reject)
    };
    assert_eq!(
        rejected(cast(&mut proposal, &silent, at(1))),
        DecisionRejection::CommentMissing
    );
    let no = ballot(&boss, Decision::Reject);
    assert_eq!(
        cast(&mut proposal, &no, at(1)),
        Ok(1),
        "before their step has come, and unsigned"
    );
    assert_eq!(proposal.state(at(1)), ProposalState::Rejected);
    assert_eq!(
        approve(&mut proposal, "ann", &["officer"]),
        Err(Refusal::AlreadyDecided)
    );
}

#[test]
fn a_decision_names_what_it_is_about_and_comes_in_time() {
    let mut proposal = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Accepted);
    let ann = standing("ann", &[]);
    let wrong = Ballot {
        digest: Some([0; 32]),
        ..ballot(&ann, Decision::Approve)
    };
    assert_eq!(cast(&mut proposal, &wrong, at(1)), Err(Refusal::DigestMismatch));
    let right = Ballot {
        digest: Some(DIGEST),
        ..ballot(&ann, Decision::Approve)
    };
    assert_eq!(cast(&mut proposal, &right, at(100)), Err(Refusal::Expired));
    assert_eq!(cast(&mut proposal, &right, at(99)), Ok(0));
    assert_eq!(proposal.state(at(1_000)), ProposalState::Approved);
    assert_eq!(
        proposal.begins_until(),
        Some(at(109)),
        "the second clock begins with the last approval"
    );
}

#[test]
fn rights_and_exclusions() {
    let proposal = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Accepted);
    let (here, there) = (
        BackendName::new("here").unwrap(),
        BackendName::new("there").unwrap(),
    );
    let mut ann = standing("ann", &[]);
    ann.roles[0].backends = Reach::Only(BTreeSet::from([here.clone()]));
    let on = |backend| On {
        backend: Some(backend),
        profile: None,
        team: None,
    };
    let excluded = [(principal("ann"), Exclusion::Owner)];
    let rows = [
        ("where the right reaches", vec![on(&here)], &excluded[..0], None),
        (
            "elsewhere",
            vec![on(&there)],
            &excluded[..0],
            Some(DecisionRejection::lacks(Right::RequestApprove)),
        ),
        (
            "on some of it",
            vec![on(&here), on(&there)],
            &excluded[..0],
            Some(DecisionRejection::lacks(Right::RequestApprove)),
        ),
        (
            "on nothing",
            Vec::new(),
            &excluded[..0],
            Some(DecisionRejection::lacks(Right::RequestApprove)),
        ),
        (
            "the owner",
            vec![on(&here)],
            &excluded[..],
            Some(DecisionRejection::Excluded(Exclusion::Owner)),
        ),
    ];
    for (name, on, excluded, expected) in rows {
        let electorate = Electorate {
            on: &on,
            everywhere: false,
            excluded,
            keys: &[],
        };
        for decision in [Decision::Approve, Decision::Reject] {
            let found = proposal.admit(&ballot(&ann, decision), &electorate, at(1));
            assert_eq!(found.err(), expected.clone().map(Refusal::Decision), "{name}");
        }
    }
    let mut scoped = standing("ann", &[]);
    scoped.scopes = Some(BTreeSet::from([Right::RequestRead]));
    let found = proposal.admit(&ballot(&scoped, Decision::Approve), &NOBODY, at(1));
    assert_eq!(
        rejected(found),
        DecisionRejection::lacks(Right::RequestApprove),
        "a token's scopes"
    );
}

#[test]
fn whoever_asks_does_not_approve() {
    let mut proposal = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Accepted);
    proposal.opened_by = Actor::Operator(principal("ann"));
    assert_eq!(
        rejected(approve(&mut proposal, "ann", &[])),
        DecisionRejection::Excluded(Exclusion::Asks)
    );
    assert_eq!(approve(&mut proposal, "ben", &[]), Ok(0));
}

#[test]
fn evidence_when_it_is_required() {
    let mut proposal = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Required);
    assert_eq!(
        rejected(approve(&mut proposal, "ann", &[])),
        DecisionRejection::EvidenceMissing
    );
    let nonsense = Evidence {
        algorithm: crate::domain::evidence::EvidenceAlgorithm::EdDsa,
        key: vec![1],
        signature: vec![2],
    };
    let ann = standing("ann", &[]);
    let bad = Ballot {
        evidence: Some(&nonsense),
        ..ballot(&ann, Decision::Approve)
    };
    assert_eq!(
        rejected(cast(&mut proposal, &bad, at(1))),
        DecisionRejection::EvidenceInvalid
    );
    let mut free = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Accepted);
    assert_eq!(
        rejected(cast(&mut free, &bad, at(1))),
        DecisionRejection::EvidenceInvalid,
        "what is there is checked, also where it need not be"
    );
}

#[test]
fn a_grant_is_the_least_of_what_everybody_gives() {
    let terms = |uses, days| Some(GrantTerms { uses, days });
    let rows = [
        ("both", [terms(5, 2), terms(3, 7)], Ok(terms(3, 2))),
        ("one of two", [terms(5, 2), None], Ok(None)),
        ("neither", [None, None], Ok(None)),
        ("too long", [terms(1, 8), None], Err("grant_impossible")),
        ("never", [terms(0, 1), None], Err("grant_impossible")),
    ];
    for (name, given, expected) in rows {
        let mut proposal = opened(&[(Approvers::Anyone, 2)], EvidenceRule::Accepted);
        let (ann, ben) = (standing("ann", &[]), standing("ben", &[]));
        let cast_both = [(&ann, given[0]), (&ben, given[1])]
            .into_iter()
            .try_for_each(|(who, grant)| {
                let one = Ballot {
                    grant,
                    ..ballot(who, Decision::Approve)
                };
                assert_eq!(proposal.granted(), None, "{name}: before all have approved");
                cast(&mut proposal, &one, at(1)).map(drop)
            });
        let found = cast_both
            .map(|()| proposal.granted())
            .map_err(|refusal| refusal.code());
        assert_eq!(found, expected, "{name}");
    }
    let mut anonymous = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Accepted);
    anonymous.grantable = None;
    let ann = standing("ann", &[]);
    let granting = Ballot {
        grant: terms(1, 1),
        ..ballot(&ann, Decision::Approve)
    };
    assert_eq!(
        cast(&mut anonymous, &granting, at(1)).unwrap_err().code(),
        "grant_impossible"
    );
    let denying = Ballot {
        grant: terms(1, 1),
        ..ballot(&ann, Decision::Reject)
    };
    let mut proposal = opened(&[(Approvers::Anyone, 1)], EvidenceRule::Accepted);
    assert_eq!(
        cast(&mut proposal, &denying, at(1)).unwrap_err().code(),
        "grant_impossible"
    );
}

#[test]
fn who_lost_the_right_does_not_count() {
    let mut proposal = opened(&[(role("officer"), 2)], EvidenceRule::Accepted);
    for name in ["ann", "ben"] {
        approve(&mut proposal, name, &["officer"]).unwrap();
    }
    let ann = principal("ann");
    let officer = standing("ann", &["officer"]);
    let excluded = [(ann.clone(), Exclusion::WroteRegistration)];
    let now_excluded = Electorate {
        excluded: &excluded,
        ..NOBODY
    };
    let plain = standing("ann", &[]);
    let rows = [
        ("as before", Some(&officer), NOBODY, None),
        ("gone", None, NOBODY, Some("right_missing")),
        ("without the role", Some(&plain), NOBODY, Some("no_step")),
        ("excluded since", Some(&officer), now_excluded, Some("excluded")),
    ];
    for (name, standing, electorate, expected) in rows {
        let found = proposal.still_counts(&ann, standing, &electorate);
        assert_eq!(found.err().map(|why| why.code()), expected, "{name}");
    }
    let mut after = Some(proposal);
    let event = ProposalEvent::Discounted {
        by: ann,
        why: "no longer".to_owned(),
    };
    Proposal::apply(&mut after, ID, &event, (&Actor::Node, at(2)));
    let mut proposal = after.unwrap();
    assert_eq!(proposal.state(at(2)), ProposalState::Open);
    assert_eq!(
        rejected(approve(&mut proposal, "ann", &["officer"])),
        DecisionRejection::Twice
    );
    assert!(!proposal.is_hopeless());
    assert_eq!(approve(&mut proposal, "cid", &["officer"]), Ok(0));
    assert_eq!(proposal.state(at(2)), ProposalState::Approved);
}

#[test]
fn a_step_of_one_operator_who_no_longer_counts_is_hopeless() {
    let mut proposal = opened(&[(operator("boss"), 1)], EvidenceRule::Accepted);
    approve(&mut proposal, "boss", &[]).unwrap();
    assert!(!proposal.is_hopeless());
    let event = ProposalEvent::Discounted {
        by: principal("boss"),
        why: "no longer".to_owned(),
    };
    let mut after = Some(proposal);
    Proposal::apply(&mut after, ID, &event, (&Actor::Node, at(2)));
    assert!(after.clone().unwrap().is_hopeless());
    assert_eq!(after.unwrap().as_decided().state(at(2)), ProposalState::Approved);
}

#[test]
fn nobody_approves_what_has_no_steps() {
    let proposal = opened(&[], EvidenceRule::Accepted);
    assert_eq!(proposal.state(at(1)), ProposalState::Open);
    let ann = standing("ann", &[]);
    let found = proposal.admit(&ballot(&ann, Decision::Approve), &NOBODY, at(1));
    assert_eq!(rejected(found), DecisionRejection::NoStep);
}

/// What somebody does, whether or not they may.
#[derive(Clone, Debug)]
enum Act {
    Vote(usize, Decision),
    Inject { by: usize, step: u8, late: bool },
    Discount(usize),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => (0..6usize, prop_oneof![9 => Just(Decision::Approve), 1 => Just(Decision::Reject)])
            .prop_map(|(who, decision)| Act::Vote(who, decision)),
        2 => (0..6usize, 0..4u8, any::<bool>()).prop_map(|(by, step, late)| Act::Inject { by, step, late }),
        1 => (0..6usize).prop_map(Act::Discount),
    ];
    prop::collection::vec(act, 0..24)
}

proptest! {
    /// Whatever is tried, also events that no console would write: nobody counts twice, no step begins before the one
    /// before it is full, and what is approved has as many different approvers as its steps ask for.
    #[test]
    fn no_order_of_events_approves_too_early(mins in prop::collection::vec(1..3u8, 1..4), acts in acts()) {
        let steps: Vec<_> = mins.iter().map(|min| (Approvers::Anyone, *min)).collect();
        let mut proposal = opened(&steps, EvidenceRule::Accepted);
        let names = ["ann", "ben", "cid", "dan", "eve", "fay"];
        for act in acts {
            match act {
                Act::Vote(who, decision) => {
                    let standing = standing(names[who], &[]);
                    let _ = cast(&mut proposal, &ballot(&standing, decision), at(1));
                }
                Act::Inject { by, step, late } => {
                    let event = ProposalEvent::Decided {
                        by: principal(names[by]),
                        decision: Decision::Approve,
                        step,
                        digest: if late { DIGEST } else { [0; 32] },
                        comment: String::new(),
                        evidence: None,
                        grant: None,
                    };
                    let when = if late { at(100) } else { at(1) };
                    let before = proposal.clone();
                    let mut after = Some(proposal);
                    Proposal::apply(&mut after, ID, &event, (&Actor::Node, when));
                    proposal = after.unwrap();
                    prop_assert_eq!(&before, &proposal, "too late, or on another digest");
                }
                Act::Discount(who) => {
                    let event = ProposalEvent::Discounted { by: principal(names[who]), why: "no".to_owned() };
                    let mut after = Some(proposal);
                    Proposal::apply(&mut after, ID, &event, (&Actor::Node, at(2)));
                    proposal = after.unwrap();
                }
            }
            let people: BTreeSet<_> = proposal.rulings.iter().map(|ruling| ruling.by.clone()).collect();
            prop_assert_eq!(people.len(), proposal.rulings.len());
            if proposal.state(at(3)) == ProposalState::Approved {
                for (index, min) in mins.iter().enumerate() {
                    prop_assert_eq!(proposal.approved_in(index), usize::from(*min));
                }
                let needed: usize = mins.iter().map(|min| usize::from(*min)).sum();
                prop_assert_eq!(proposal.approvals().count(), needed);
                prop_assert!(proposal.rulings.iter().all(|ruling| ruling.decision == Decision::Approve));
            }
        }
    }
}
