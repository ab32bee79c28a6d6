use portreeve_pkix::GeneralName;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;
use crate::shown;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    for name in &draft.names {
        if let Some(reason) = objection(&question.profile.names, name) {
            reasons.reject(shown::name(name), &reason);
        }
    }
}

pub(super) fn objection(_: &NameRules, name: &GeneralName) -> Option<String> {
    matches!(name, GeneralName::Other(_)).then(|| "this form of name is not allowed".to_owned())
}
