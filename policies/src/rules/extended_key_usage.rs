use portreeve_pkix::{Oid, decode};
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::{Handling, Purpose};

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = &question.profile.extended_key_usage;
    let extension = question
        .request
        .extensions()
        .iter()
        .find(|e| e.oid == Oid::EXTENDED_KEY_USAGE);
    let asked = match extension.map(|extension| decode::extended_key_usage(&extension.value)) {
        None => Vec::new(),
        Some(Ok(asked)) => asked.into_iter().map(Purpose).collect(),
        Some(Err(_)) => {
            return reasons.refuse(Refusal::Extension("extended key usage is malformed".to_owned()));
        }
    };
    let listed = |purpose: &&Purpose| rules.fixed.contains(purpose) || rules.allowed.contains(purpose);
    for purpose in asked
        .iter()
        .filter(|purpose| !listed(purpose) && !rules.default.contains(purpose))
    {
        match rules.unlisted {
            Handling::Drop => reasons.dropped(format!("{purpose}: not in the profile")),
            Handling::Refuse => {
                reasons.refuse(Refusal::Extension(format!("extended key usage {purpose}")));
            }
        }
    }
    let granted: Vec<&Purpose> = asked
        .iter()
        .filter(|purpose| rules.allowed.contains(purpose))
        .collect();
    let default: Vec<&Purpose> = if granted.is_empty() {
        rules.default.iter().collect()
    } else {
        Vec::new()
    };
    for purpose in rules.fixed.iter().chain(granted).chain(default) {
        if !draft.extended_key_usage.contains(&purpose.0) {
            draft.extended_key_usage.push(purpose.0.clone());
            let source = if asked.contains(purpose) {
                "as asked for"
            } else {
                "from the profile"
            };
            reasons.applied(format!("{purpose} {source}"));
        }
    }
}
