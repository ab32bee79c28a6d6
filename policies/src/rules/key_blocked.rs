use portreeve_ra::{KeyRejection, Refusal};

use crate::engine::{Draft, Question, Reasons};

pub(super) fn judge(question: &Question<'_>, _: &mut Draft, reasons: &mut Reasons) {
    if question.facts.key_blocked {
        reasons.refuse(Refusal::Key(KeyRejection::Blocked));
    } else {
        reasons.held("not reported as compromised");
    }
}
