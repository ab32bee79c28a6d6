use portreeve_pkix::{Oid, decode};
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::Handling;

/// The contents cannot say cA true at all; a request for it is dropped or refused, never met.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    draft.basic_constraints = question.profile.basic_constraints;
    let extension = question
        .request
        .extensions()
        .iter()
        .find(|e| e.oid == Oid::BASIC_CONSTRAINTS);
    match extension.map(|extension| decode::basic_constraints(&extension.value)) {
        Some(Err(_)) => reasons.refuse(Refusal::Extension("basic constraints are malformed".to_owned())),
        Some(Ok(asked)) if asked.ca => match question.profile.extensions.ca {
            Handling::Drop => reasons.dropped("the request to become a CA"),
            Handling::Refuse => {
                reasons.refuse(Refusal::Extension("a CA certificate is asked for".to_owned()))
            }
        },
        None | Some(Ok(_)) => reasons.held("no CA certificate is asked for"),
    }
}
