use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::hygiene::check_key;

/// Not run for a key that is refused already: nobody may have arbitrary moduli tested.
pub(super) fn judge(question: &Question<'_>, _: &mut Draft, reasons: &mut Reasons) {
    if reasons.refused() {
        return;
    }
    if question.facts.key_to_be_made {
        return reasons.held("the key is yet to be made");
    }
    match check_key(question.request.public_key(), question.blocklist) {
        Ok(()) => reasons.held("no known weakness"),
        Err(rejection) => reasons.refuse(Refusal::Key(rejection)),
    }
}
