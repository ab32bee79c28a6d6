use portreeve_ra::{KeyRejection, Refusal};

use crate::engine::{Draft, Question, Reasons};

pub(super) fn judge(question: &Question<'_>, _: &mut Draft, reasons: &mut Reasons) {
    let algorithm = question.request.public_key().algorithm();
    if question.profile.key.allows(algorithm) {
        reasons.held(format!("{algorithm} is allowed"));
    } else {
        reasons.refuse(Refusal::Key(KeyRejection::Algorithm(algorithm.to_string())));
    }
}
