//! Which records of an answer belong to the question.

use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// The most aliases followed within one answer.
const ALIASES_MAX: usize = 8;
/// The most records of one type looked at.
const RECORDS_MAX: usize = 256;

/// The records of one type at the end of a name's aliases.
#[derive(Debug)]
pub(super) struct Answers {
    /// The name that holds them.
    pub(super) owner: Name,
    /// What they say.
    pub(super) data: Vec<RData>,
}

impl Answers {
    /// The answer without records.
    pub(super) fn none(name: &Name) -> Self {
        Self {
            owner: name.clone(),
            data: Vec::new(),
        }
    }

    /// Follows the aliases from `name` and keeps the records of `kind` at their end; whatever else
    /// a server put into its answer is left out.
    pub(super) fn of(name: &Name, kind: RecordType, records: &[Record]) -> Self {
        let mut owner = name;
        for _ in 0..ALIASES_MAX {
            match alias_of(owner, records) {
                Some(target) => owner = target,
                None => break,
            }
        }
        let held = records
            .iter()
            .filter(|record| record.record_type() == kind && record.name == *owner);
        Self {
            owner: owner.clone(),
            data: held.take(RECORDS_MAX).map(|record| record.data.clone()).collect(),
        }
    }
}

fn alias_of<'a>(owner: &Name, records: &'a [Record]) -> Option<&'a Name> {
    records.iter().find_map(|record| match &record.data {
        RData::CNAME(CNAME(target)) if record.name == *owner => Some(target),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::rdata::TXT;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn alias(from: &str, to: &str) -> Record {
        Record::from_rdata(name(from), 1, RData::CNAME(CNAME(name(to))))
    }

    fn text(owner: &str, value: &str) -> Record {
        Record::from_rdata(name(owner), 1, RData::TXT(TXT::new(vec![value.into()])))
    }

    #[test]
    fn only_records_at_the_end_of_the_aliases_count() {
        let rows: [(&str, Vec<Record>, &str, &[&str]); 6] = [
            (
                "direct",
                vec![text("q.", "1"), text("q.", "2")],
                "q.",
                &["1", "2"],
            ),
            ("case does not matter", vec![text("Q.", "1")], "q.", &["1"]),
            (
                "one alias",
                vec![alias("q.", "t."), text("t.", "1")],
                "t.",
                &["1"],
            ),
            (
                "aliases in any order",
                vec![text("t.", "1"), alias("s.", "t."), alias("q.", "s.")],
                "t.",
                &["1"],
            ),
            ("a stranger's record", vec![text("x.", "1")], "q.", &[]),
            (
                "a record beside an alias",
                vec![alias("q.", "t."), text("q.", "1")],
                "t.",
                &[],
            ),
        ];
        for (row, records, owner, values) in rows {
            let answers = Answers::of(&name("q."), RecordType::TXT, &records);
            assert_eq!(answers.owner, name(owner), "{row}");
            let found: Vec<_> = answers.data.iter().map(ToString::to_string).collect();
            assert_eq!(found, values, "{row}");
        }
    }

    #[test]
    fn alias_loops_end_and_many_records_are_cut() {
        let looped = [alias("q.", "t."), alias("t.", "q."), text("x.", "1")];
        assert!(Answers::of(&name("q."), RecordType::TXT, &looped).data.is_empty());
        let many: Vec<_> = (0..RECORDS_MAX + 10)
            .map(|n| text("q.", &n.to_string()))
            .collect();
        assert_eq!(
            Answers::of(&name("q."), RecordType::TXT, &many).data.len(),
            RECORDS_MAX
        );
    }
}
