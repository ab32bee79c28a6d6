use super::*;

fn role(rights: &[Right], backends: &[&str], teams: TeamReach) -> OperatorRole {
    OperatorRole {
        name: RoleName::new("officer").unwrap(),
        rights: rights.iter().copied().collect(),
        backends: match backends {
            [] => Reach::All,
            some => Reach::Only(some.iter().map(|name| BackendName::new(name).unwrap()).collect()),
        },
        profiles: Reach::All,
        teams,
    }
}

fn standing(roles: Vec<OperatorRole>) -> Standing {
    Standing {
        principal: Principal::Host,
        roles,
        teams: [TeamName::new("network").unwrap()].into(),
        scopes: None,
    }
}

#[test]
fn words() {
    for right in Right::ALL {
        assert_eq!(right.as_str().parse(), Ok(*right));
    }
    assert!("*".parse::<Right>().is_err());
}

#[test]
fn one_role_must_give_all_of_it() {
    let issuing = BackendName::new("issuing").unwrap();
    let other = BackendName::new("other").unwrap();
    let (network, sales) = (TeamName::new("network").unwrap(), TeamName::new("sales").unwrap());
    let on = |backend, team| On {
        backend,
        profile: None,
        team,
    };
    let approve = &[Right::RequestApprove][..];
    let rows = [
        ("no role", vec![], on(None, None), false),
        (
            "another right",
            vec![role(&[Right::AuditRead], &[], TeamReach::All)],
            on(None, None),
            false,
        ),
        (
            "right",
            vec![role(approve, &[], TeamReach::All)],
            on(Some(&issuing), Some(&sales)),
            true,
        ),
        (
            "its CA",
            vec![role(approve, &["issuing"], TeamReach::All)],
            on(Some(&issuing), None),
            true,
        ),
        (
            "another CA",
            vec![role(approve, &["issuing"], TeamReach::All)],
            on(Some(&other), None),
            false,
        ),
        (
            "own team",
            vec![role(approve, &[], TeamReach::Own)],
            on(None, Some(&network)),
            true,
        ),
        (
            "another team",
            vec![role(approve, &[], TeamReach::Own)],
            on(None, Some(&sales)),
            false,
        ),
        (
            "nobody's",
            vec![role(approve, &[], TeamReach::Own)],
            on(None, None),
            false,
        ),
        (
            "two halves are no right",
            vec![
                role(approve, &["other"], TeamReach::All),
                role(&[Right::AuditRead], &["issuing"], TeamReach::All),
            ],
            on(Some(&issuing), None),
            false,
        ),
    ];
    for (name, roles, on, expected) in rows {
        assert_eq!(standing(roles).may(Right::RequestApprove, on), expected, "{name}");
    }
}

#[test]
fn scopes_only_take_away() {
    let mut standing = standing(vec![role(&[Right::RequestApprove], &[], TeamReach::All)]);
    standing.scopes = Some([Right::AuditRead].into());
    assert!(
        !standing.may(Right::RequestApprove, On::default()),
        "not in the scopes"
    );
    assert!(
        !standing.may(Right::AuditRead, On::default()),
        "scopes give nothing"
    );
    assert!(!standing.may_somewhere(Right::RequestApprove));
}
