use super::*;
use crate::domain::right::OperatorRole;
use std::collections::BTreeSet;

fn standing(principal: &str, roles: &[&str], teams: &[&str]) -> Standing {
    let roles = roles.iter().map(|name| OperatorRole {
        name: RoleName::new(name).unwrap(),
        ..OperatorRole::superadmin()
    });
    Standing {
        principal: principal.parse().unwrap(),
        roles: roles.collect(),
        teams: teams.iter().map(|name| TeamName::new(name).unwrap()).collect(),
        scopes: None,
    }
}

#[test]
fn who_is_among_the_approvers_of_a_step() {
    let role = Approvers::Role(RoleName::new("officer").unwrap());
    let team = Approvers::Team(TeamName::new("web").unwrap());
    let one = Approvers::Operator(OperatorName::new("boss").unwrap());
    let root = standing("operator:root", &["superadmin"], &[]);
    let officer = standing("operator:ann", &["officer", "reader"], &[]);
    let member = standing("operator:ben", &["reader"], &["web"]);
    let boss = standing("operator:boss", &[], &[]);
    let host = Standing::superadmin(Principal::Host);
    let rows = [
        ("officer", &officer, [true, true, false, false, false]),
        ("member", &member, [true, false, true, false, false]),
        ("boss", &boss, [true, false, false, true, false]),
        ("superadmin", &root, [true, false, false, false, true]),
        (
            "the host has every right and no other role, and is no operator",
            &host,
            [true, false, false, false, false],
        ),
    ];
    for (name, standing, expected) in rows {
        let found = [&Approvers::Anyone, &role, &team, &one, &Approvers::Superadmins]
            .map(|who| who.include(standing));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_step_needs_somebody_whatever_was_written() {
    let step = |min| Step {
        who: Approvers::Anyone,
        min,
    };
    assert_eq!([0, 1, 16].map(|min| step(min).people()), [1, 1, 16]);
}

#[test]
fn rejections_have_codes_of_their_own() {
    let all = [
        DecisionRejection::lacks(Right::RequestApprove),
        DecisionRejection::NoStep,
        DecisionRejection::StepLater("anyone".to_owned()),
        DecisionRejection::Excluded(Exclusion::Asks),
        DecisionRejection::Twice,
        DecisionRejection::CommentMissing,
        DecisionRejection::EvidenceMissing,
        DecisionRejection::EvidenceInvalid,
        DecisionRejection::Grant(String::new()),
        DecisionRejection::Overtaken,
        DecisionRejection::ApprovalNeeded(String::new()),
        DecisionRejection::Nobody(String::new()),
    ];
    let codes: BTreeSet<&str> = all.iter().map(DecisionRejection::code).collect();
    assert_eq!(codes.len(), all.len());
    assert!(all[0].to_string().contains("request.approve"));
}
