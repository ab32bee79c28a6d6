use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::expression::Variables;
use crate::profile::{Condition, Otherwise};

/// Comes last: what the other rules made of the request can be looked at. What cannot be evaluated is refused, a
/// condition that refers to people included.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let conditions = &question.profile.conditions;
    if conditions.is_empty() {
        return;
    }
    let variables = match Variables::of(question, draft) {
        Ok(variables) => variables,
        Err(reason) => return reasons.refuse(Refusal::Condition(format!("cannot be judged: {reason}"))),
    };
    for condition in conditions {
        let Condition {
            name,
            expression,
            message,
            outcome,
        } = condition;
        match (expression.holds(&variables), outcome) {
            (Ok(true), _) => reasons.held(format!("{name}: {}", expression.source().trim())),
            (Ok(false), Otherwise::Refuse) => {
                reasons.refuse(Refusal::Condition(format!("{message} ({name})")))
            }
            (Ok(false), Otherwise::Refer) => reasons.refer(format!("{name}: {message}")),
            (Err(reason), _) => {
                let reason = format!("{name} cannot be judged: {reason}");
                reasons.refuse(Refusal::Condition(reason));
            }
        }
    }
}
