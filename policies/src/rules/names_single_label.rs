use portreeve_pkix::GeneralName;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;

/// A wildcard over a single label is as wide as a top-level domain, and counts as one.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    for name in draft.names.iter().filter(|name| is_single(name)) {
        match objection(&question.profile.names, name) {
            Some(reason) => reasons.reject(name.to_string(), &reason),
            None => reasons.held(format!("{name}: names of one label are allowed")),
        }
    }
}

pub(super) fn objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let allowed = rules.dns.as_ref().is_some_and(|rules| rules.single_labels);
    (is_single(name) && !allowed).then(|| "names of one label are not allowed".to_owned())
}

fn is_single(name: &GeneralName) -> bool {
    matches!(name, GeneralName::Dns(name) if name.base().labels_count() == 1)
}
