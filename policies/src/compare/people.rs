//! Roles, teams and operators: what somebody may do, and as whom they sign in. Every field is named here, so that a new
//! one does not compile before it has its meaning.

use portreeve_ra::{CertificateMatch, Operator, OperatorRole, Reach, Team, TeamReach};

use super::Facet;
use super::measure::Measure;

pub(super) fn of_role(role: &OperatorRole) -> Vec<Facet> {
    let OperatorRole {
        name: _,
        rights,
        backends,
        profiles,
        teams,
    } = role;
    let rights = rights.iter().map(ToString::to_string).collect();
    let teams = match teams {
        TeamReach::Own => Measure::rank(0, "own"),
        TeamReach::All => Measure::rank(1, "all"),
    };
    let mut facets = vec![
        Facet::new("rights", Measure::Set(rights)),
        Facet::new("teams", teams),
    ];
    facets.extend(of_reach("backends", backends));
    facets.extend(of_reach("profiles", profiles));
    facets
}

/// All there are is no limit.
fn of_reach<T: ToString>(key: &str, reach: &Reach<T>) -> Option<Facet> {
    match reach {
        Reach::All => None,
        Reach::Only(some) => {
            let names = some.iter().map(ToString::to_string).collect();
            Some(Facet::new(key, Measure::Choices(names)))
        }
    }
}

/// A team owns what says so; by itself it gives nobody anything.
pub(super) fn of_team(team: &Team) -> Vec<Facet> {
    let Team {
        name: _,
        title,
        description,
    } = team;
    vec![
        Facet::new("title", Measure::Note(title.clone())),
        Facet::new("description", Measure::Note(description.clone())),
    ]
}

pub(super) fn of_operator(operator: &Operator) -> Vec<Facet> {
    let Operator {
        name: _,
        title,
        roles,
        teams,
        certificates,
        disabled,
    } = operator;
    let certificates = certificates.iter().map(|one| match one {
        CertificateMatch::Spki(key) => format!("key {}", hex::encode(key)),
        CertificateMatch::Names { issuer, subject } => format!("subject {subject} of issuer {issuer}"),
    });
    vec![
        Facet::new("title", Measure::Note(title.clone())),
        Facet::new(
            "roles",
            Measure::Set(roles.iter().map(ToString::to_string).collect()),
        ),
        Facet::new(
            "teams",
            Measure::Set(teams.iter().map(ToString::to_string).collect()),
        ),
        Facet::new("certificates", Measure::Set(certificates.collect())),
        Facet::new("disabled", Measure::limits(*disabled)),
    ]
}

#[cfg(test)]
mod tests {
    use crate::{Direction, compare, widens};
    use portreeve_ra::ObjectKind::{self, Operator, Role, Team};

    const KEY: &str = "{ spki = \"0101010101010101010101010101010101010101010101010101010101010101\" }";
    const OTHER: &str = "{ issuer = \"CN=M\", subject = \"CN=A\" }";

    #[test]
    fn what_gives_people_more_widens() {
        use Direction::{Narrows, Neutral, Widens};
        let role = |more: &str| format!("rights = [\"request.read\", \"request.approve\"]\n{more}");
        let limited = role("backends = [\"a\"]\nprofiles = [\"*\"]");
        let less = "rights = [\"request.read\"]\nbackends = [\"a\"]\nprofiles = [\"*\"]".to_owned();
        let more = limited.replace("request.read", "operator.write");
        let holder = |more: &str| format!("roles = [\"officer\"]\n{more}");
        let plain = holder("");
        let rows: Vec<(ObjectKind, &str, String, String, Option<Direction>)> = vec![
            (Role, "a right less", limited.clone(), less.clone(), Some(Narrows)),
            (Role, "a right more", less, limited.clone(), Some(Widens)),
            (Role, "another right", limited.clone(), more, Some(Widens)),
            (
                Role,
                "a CA less",
                limited.clone(),
                limited.replace("\"a\"", ""),
                Some(Narrows),
            ),
            (
                Role,
                "a CA more",
                limited.clone(),
                limited.replace("\"a\"", "\"a\", \"b\""),
                Some(Widens),
            ),
            (
                Role,
                "every CA",
                limited.clone(),
                limited.replace("\"a\"", "\"*\""),
                Some(Widens),
            ),
            (
                Role,
                "no longer every profile",
                limited.clone(),
                role("backends = [\"a\"]"),
                Some(Narrows),
            ),
            (Role, "all teams", role(""), role("teams = \"all\""), Some(Widens)),
            (
                Role,
                "own teams",
                role("teams = \"all\""),
                role(""),
                Some(Narrows),
            ),
            (Role, "a description", role(""), role("description = \"x\""), None),
            (
                Team,
                "a title",
                "title = \"a\"".into(),
                "title = \"b\"".into(),
                Some(Neutral),
            ),
            (
                Operator,
                "a role more",
                plain.clone(),
                plain.replace("[", "[\"x\", "),
                Some(Widens),
            ),
            (
                Operator,
                "a role less",
                plain.clone(),
                plain.replace("\"officer\"", ""),
                Some(Narrows),
            ),
            (
                Operator,
                "another role",
                plain.clone(),
                plain.replace("officer", "x"),
                Some(Widens),
            ),
            (
                Operator,
                "a team",
                plain.clone(),
                holder("teams = [\"web\"]"),
                Some(Widens),
            ),
            (
                Operator,
                "no team",
                holder("teams = [\"web\"]"),
                plain.clone(),
                Some(Narrows),
            ),
            (
                Operator,
                "disabled",
                plain.clone(),
                holder("disabled = true"),
                Some(Narrows),
            ),
            (
                Operator,
                "enabled",
                holder("disabled = true"),
                plain.clone(),
                Some(Widens),
            ),
            (
                Operator,
                "a key",
                plain.clone(),
                holder(&format!("certificates = [{KEY}]")),
                Some(Widens),
            ),
            (
                Operator,
                "no key",
                holder(&format!("certificates = [{KEY}]")),
                plain.clone(),
                Some(Narrows),
            ),
            (
                Operator,
                "another certificate",
                holder(&format!("certificates = [{KEY}]")),
                holder(&format!("certificates = [{OTHER}]")),
                Some(Widens),
            ),
            (
                Operator,
                "a title",
                plain.clone(),
                holder("title = \"A\""),
                Some(Neutral),
            ),
        ];
        for (kind, case, old, new, expected) in rows {
            let changes = compare(kind, &old, &new).unwrap();
            assert_eq!(
                changes.first().map(|one| one.direction),
                expected,
                "{case}: {changes:?}"
            );
            assert!(changes.len() <= 1, "{case}: {changes:?}");
            assert_eq!(widens(kind, Some(&old), &new), expected == Some(Widens), "{case}");
        }
        assert!(widens(Operator, None, &plain), "a first text");
        assert!(widens(Operator, Some(&plain), "roles = 3"), "what cannot be read");
    }

    #[test]
    fn less_of_one_does_not_make_up_for_more_of_another() {
        let changes = compare(
            Operator,
            "roles = [\"a\", \"b\"]",
            "roles = [\"a\"]\nteams = [\"x\"]",
        )
        .unwrap();
        assert_eq!(changes.len(), 2);
        assert!(widens(
            Operator,
            Some("roles = [\"a\", \"b\"]"),
            "roles = [\"a\"]\nteams = [\"x\"]"
        ));
    }
}
