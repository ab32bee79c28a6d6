//! Registrations: what an end entity may have, and who looks after it. Every field is named here, so that a new one does
//! not compile before it has its meaning.

use portreeve_pkix::Timestamp;
use portreeve_ra::{AllowedNames, OverLimit, Registration};

use super::measure::{Amount, Measure};
use super::{Change, Direction, Facet, Facets, by_path, differences};

/// Every difference between two registrations, by key.
pub fn compare_registrations(old: &Registration, new: &Registration) -> Vec<Change> {
    differences(&facets(old), &facets(new))
}

/// Whether the new one may give somebody something that the old one does not. A first one does.
pub fn registration_widens(old: Option<&Registration>, new: &Registration) -> bool {
    let Some(old) = old else { return true };
    let changes = compare_registrations(old, new);
    changes.iter().any(|change| change.direction == Direction::Widens)
}

fn facets(registration: &Registration) -> Facets {
    let Registration {
        name,
        names,
        wildcards,
        vouched,
        profiles,
        endpoints,
        team,
        owner,
        certificates_max,
        over_limit,
        until,
    } = registration;
    let over_limit = match over_limit {
        OverLimit::RefuseNew => Measure::rank(0, over_limit.as_str()),
        OverLimit::RevokeOldest => Measure::rank(1, over_limit.as_str()),
    };
    let mut facets = vec![
        Facet::new("name", Measure::Exact(name.clone())),
        Facet::new("wildcards", Measure::gives(*wildcards)),
        Facet::new("vouched", Measure::gives(*vouched)),
        // With another team or owner other people look after it and get what is issued; its owner does not approve its
        // requests either, so that without one, or with another one, somebody may who could not.
        Facet::new(
            "team",
            Measure::Exact(team.as_ref().map_or_else(String::new, ToString::to_string)),
        ),
        Facet::new(
            "owner",
            Measure::Exact(owner.as_ref().map_or_else(String::new, ToString::to_string)),
        ),
        Facet::new("over_limit", over_limit),
    ];
    match names {
        AllowedNames::Any => {}
        AllowedNames::Only(names) => facets.push(Facet::new("names", Measure::Names(names.clone()))),
    }
    // None given allows all.
    let choices = |items: Vec<String>| (!items.is_empty()).then_some(Measure::Choices(items));
    let profiles = choices(profiles.iter().map(ToString::to_string).collect());
    let endpoints = choices(endpoints.iter().map(ToString::to_string).collect());
    facets.extend(profiles.map(|measure| Facet::new("profiles", measure)));
    facets.extend(endpoints.map(|measure| Facet::new("endpoints", measure)));
    let max = certificates_max.map(|max| Measure::Ceiling(Amount::from(max)));
    facets.extend(max.map(|measure| Facet::new("certificates_max", measure)));
    let until = until.map(|until: Timestamp| Measure::Ceiling(Amount::from(until)));
    facets.extend(until.map(|measure| Facet::new("until", measure)));
    by_path(facets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::{AllowedName, EndpointName, Principal, ProfileName, TeamName};

    fn only(names: &[&str]) -> AllowedNames {
        AllowedNames::Only(
            names
                .iter()
                .map(|name| name.parse::<AllowedName>().unwrap())
                .collect(),
        )
    }

    fn registration() -> Registration {
        Registration {
            names: only(&[".a.test", "b.test", "192.0.2.1"]),
            profiles: vec![ProfileName::new("web").unwrap()],
            endpoints: vec![EndpointName::new("acme/default").unwrap()],
            team: Some(TeamName::new("web").unwrap()),
            owner: Some(Principal::Host),
            certificates_max: Some(2),
            until: Some(Timestamp::from_unix_seconds(100)),
            ..Registration::named("r")
        }
    }

    #[test]
    fn what_gives_an_end_entity_more_widens() {
        use Direction::{Narrows, Widens};
        type Edit = fn(&mut Registration);
        let rows: [(&str, Edit, Option<Direction>); 27] = [
            ("the same", |_| {}, None),
            (
                "another order",
                |r| r.names = only(&["b.test", "192.0.2.1", ".a.test"]),
                None,
            ),
            ("a name less", |r| r.names = only(&["b.test"]), Some(Narrows)),
            ("no name", |r| r.names = only(&[]), Some(Narrows)),
            (
                "one of those below",
                |r| r.names = only(&["x.a.test"]),
                Some(Narrows),
            ),
            (
                "all below one of those below",
                |r| r.names = only(&[".x.a.test"]),
                Some(Narrows),
            ),
            ("the domain itself", |r| r.names = only(&["a.test"]), Some(Widens)),
            (
                "a wildcard below",
                |r| r.names = only(&["*.a.test"]),
                Some(Widens),
            ),
            ("all below a name", |r| r.names = only(&[".b.test"]), Some(Widens)),
            (
                "another address",
                |r| r.names = only(&["192.0.2.2"]),
                Some(Widens),
            ),
            ("any name", |r| r.names = AllowedNames::Any, Some(Widens)),
            ("wildcards", |r| r.wildcards = true, Some(Widens)),
            ("vouched for", |r| r.vouched = true, Some(Widens)),
            (
                "another profile",
                |r| r.profiles.push(ProfileName::new("x").unwrap()),
                Some(Widens),
            ),
            ("every profile", |r| r.profiles.clear(), Some(Widens)),
            ("every endpoint", |r| r.endpoints.clear(), Some(Widens)),
            (
                "another team",
                |r| r.team = TeamName::new("db").ok(),
                Some(Widens),
            ),
            ("no team", |r| r.team = None, Some(Widens)),
            ("no owner", |r| r.owner = None, Some(Widens)),
            (
                "another owner",
                |r| r.owner = "operator:ann".parse().ok(),
                Some(Widens),
            ),
            (
                "no limit and no end",
                |r| (r.certificates_max, r.until) = (None, None),
                Some(Widens),
            ),
            (
                "a certificate less",
                |r| r.certificates_max = Some(1),
                Some(Narrows),
            ),
            (
                "a certificate more",
                |r| r.certificates_max = Some(3),
                Some(Widens),
            ),
            ("no limit", |r| r.certificates_max = None, Some(Widens)),
            (
                "beyond the limit",
                |r| r.over_limit = OverLimit::RevokeOldest,
                Some(Widens),
            ),
            (
                "longer",
                |r| r.until = Some(Timestamp::from_unix_seconds(101)),
                Some(Widens),
            ),
            ("for ever", |r| r.until = None, Some(Widens)),
        ];
        for (case, edit, expected) in rows {
            let (old, mut new) = (registration(), registration());
            edit(&mut new);
            let changes = compare_registrations(&old, &new);
            assert_eq!(
                changes.first().map(|one| one.direction),
                expected,
                "{case}: {changes:?}"
            );
            assert_eq!(
                registration_widens(Some(&old), &new),
                expected == Some(Widens),
                "{case}"
            );
        }
        assert!(registration_widens(None, &registration()), "a first one");
        let (open, narrow) = (Registration::named("r"), registration());
        let any = Registration {
            names: AllowedNames::Any,
            ..open
        };
        let less = Registration {
            team: narrow.team.clone(),
            owner: narrow.owner.clone(),
            ..any
        };
        assert!(
            !registration_widens(Some(&less), &narrow),
            "limits where there were none"
        );
        let of_nobody = Registration {
            team: None,
            owner: None,
            ..narrow.clone()
        };
        for (gained, new) in [
            (
                "team",
                Registration {
                    team: narrow.team.clone(),
                    ..of_nobody.clone()
                },
            ),
            (
                "owner",
                Registration {
                    owner: narrow.owner.clone(),
                    ..of_nobody.clone()
                },
            ),
        ] {
            assert!(registration_widens(Some(&of_nobody), &new), "a first {gained}");
        }
    }
}
