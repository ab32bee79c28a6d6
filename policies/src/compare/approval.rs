//! The keys of an approval policy. Every field is named here, so that a new one does not compile before it has its meaning.

use portreeve_ra::{ApprovalPolicy, ApprovalTerms, EvidenceRule, Step};

use super::Facet;
use super::measure::{Amount, Measure};
use crate::approval::{AutomaticRule, ReadApproval};

pub(super) fn facets(read: &ReadApproval) -> Vec<Facet> {
    let ReadApproval {
        description,
        policy,
        automatic,
    } = read;
    let ApprovalPolicy { terms, age_max } = policy.as_ref();
    let ApprovalTerms {
        policy: _,
        version: _,
        steps,
        evidence,
        issue_within,
    } = terms;
    let evidence = match evidence {
        EvidenceRule::Required => Measure::rank(0, "required"),
        EvidenceRule::Accepted => Measure::rank(1, "accepted"),
    };
    let mut facets = vec![
        Facet::new("description", Measure::Note(description.clone())),
        Facet::new("age_max", Measure::Level(Amount::from(*age_max))),
        Facet::new("issue_within", Measure::Level(Amount::from(*issue_within))),
        Facet::new("evidence", evidence),
    ];
    facets.extend(steps.iter().zip(1..).flat_map(of_step));
    facets.extend(automatic.iter().map(of_automatic));
    facets
}

/// A further step at the end asks more people; one that is put between others changes what each of them asks.
fn of_step((step, number): (&Step, usize)) -> [Facet; 2] {
    let Step { who, min } = step;
    let path = format!("step.{number}.who");
    let people = Facet::new(format!("step.{number}.min"), Measure::Floor(Amount::from(*min)));
    [
        Facet::new(path.clone(), Measure::Limit(who.to_string())),
        people.within(path),
    ]
}

/// By each automatic rule somebody passes whom nobody looks at.
fn of_automatic(rule: &AutomaticRule) -> Facet {
    let AutomaticRule {
        name,
        expression,
        reason: _,
    } = rule;
    Facet::new(
        format!("automatic.{name}"),
        Measure::Set(vec![expression.source().to_owned()]),
    )
}

#[cfg(test)]
mod tests {
    use crate::Direction::{Narrows, Neutral, Widens};
    use crate::{Direction, compare};
    use portreeve_ra::ObjectKind::ApprovalPolicy;

    const HEAD: &str = "age_max = \"7d\"\nissue_within = \"1d\"\n";
    const STEPS: &str = "[[step]]\nrole = \"officer\"\n[[step]]\nteam = \"net\"\nmin = 2\n";
    const RULE: &str =
        "[[automatic]]\nname = \"short\"\nexpression = \"validity_days <= 1\"\nreason = \"short lives\"\n";

    fn said(old: &str, new: &str) -> Vec<(String, Direction)> {
        let changes = compare(ApprovalPolicy, old, new).unwrap();
        let said = changes.into_iter().map(|change| (change.path, change.direction));
        said.collect()
    }

    #[test]
    fn less_asking_widens() {
        let base = format!("{HEAD}{STEPS}");
        let with = |from: &str, to: &str| base.replace(from, to);
        type Row<'a> = (&'a str, String, &'a [(&'a str, Direction)]);
        let rows: [Row<'_>; 12] = [
            (
                "description",
                format!("description = \"x\"\n{base}"),
                &[("description", Neutral)],
            ),
            ("longer open", with("7d", "8d"), &[("age_max", Widens)]),
            ("less long open", with("7d", "6d"), &[("age_max", Narrows)]),
            ("issued sooner", with("1d", "1h"), &[("issue_within", Narrows)]),
            (
                "signatures",
                format!("evidence = \"required\"\n{base}"),
                &[("evidence", Narrows)],
            ),
            (
                "more people",
                with("min = 2", "min = 3"),
                &[("step.2.min", Narrows)],
            ),
            (
                "fewer people",
                with("min = 2", "min = 1"),
                &[("step.2.min", Widens)],
            ),
            (
                "other people",
                with("\"officer\"", "\"clerk\""),
                &[("step.1.who", Widens)],
            ),
            (
                "one more step",
                format!("{base}[[step]]\nanyone = true\n"),
                &[("step.3.min", Neutral), ("step.3.who", Narrows)],
            ),
            (
                "one step less",
                with("[[step]]\nteam = \"net\"\nmin = 2\n", ""),
                &[("step.2.min", Neutral), ("step.2.who", Widens)],
            ),
            (
                "an automatic rule",
                format!("{base}{RULE}"),
                &[("automatic.short", Widens)],
            ),
            ("nothing", format!("# remark\n{base}"), &[]),
        ];
        for (name, new, expected) in rows {
            let expected: Vec<(String, Direction)> = expected
                .iter()
                .map(|(path, direction)| ((*path).to_owned(), *direction))
                .collect();
            assert_eq!(said(&base, &new), expected, "{name}");
        }
        let automatic = format!("{base}{RULE}");
        assert_eq!(
            said(&automatic, &base),
            [("automatic.short".to_owned(), Narrows)],
            "a rule less"
        );
        let wider = automatic.replace("<= 1", "<= 2");
        assert_eq!(said(&automatic, &wider), [("automatic.short".to_owned(), Widens)]);
    }
}
