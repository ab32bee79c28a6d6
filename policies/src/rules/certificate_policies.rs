use crate::engine::{Draft, Question, Reasons};

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    draft.policies.clone_from(&question.profile.policies);
    for policy in &draft.policies {
        reasons.applied(format!("{policy} from the profile"));
    }
}
