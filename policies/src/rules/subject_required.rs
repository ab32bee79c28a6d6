use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};

/// A certificate without subject needs a name (RFC 5280 section 4.1.2.6).
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let required = question
        .profile
        .subject
        .attributes
        .iter()
        .filter(|rule| rule.required);
    for rule in required {
        if draft
            .subject
            .attributes()
            .all(|attribute| attribute.oid != rule.kind.0)
        {
            reasons.refuse(Refusal::Subject(format!("{} is required", rule.kind)));
        }
    }
    if draft.subject.is_empty() && draft.names.is_empty() {
        reasons.refuse(Refusal::Subject(
            "neither a subject nor a name is left".to_owned(),
        ));
    } else if draft.subject.is_empty() {
        reasons.held("the subject is empty, the names are critical");
    } else {
        reasons.held(format!("the subject is {}", draft.subject));
    }
}
