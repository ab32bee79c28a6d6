use crate::engine::{Draft, Question, Reasons};
use crate::shown;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = &question.profile.names;
    let count = draft.names.len();
    if count < rules.count_min {
        let reason = format!(
            "{count} names are asked for, at least {} are required",
            rules.count_min
        );
        reasons.reject("(none)".to_owned(), &reason);
    }
    if count > rules.count_max {
        let reason = format!(
            "{count} names are asked for, at most {} are allowed",
            rules.count_max
        );
        let first_beyond = draft
            .names
            .get(rules.count_max)
            .map(shown::name)
            .unwrap_or_default();
        reasons.reject(first_beyond, &reason);
    }
    if (rules.count_min..=rules.count_max).contains(&count) {
        reasons.held(format!("{count} names"));
    }
}
