use portreeve_ra::NameAuthority;

use crate::engine::{Draft, Question, Reasons};
use crate::shown;

/// A wildcard is proven as the wildcard: the proof of `example.com` does not reach to `*.example.com`, nor back.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    match question.facts.endpoint.names {
        NameAuthority::Profile => reasons.held("names need no proof at this endpoint"),
        NameAuthority::Proven => {
            let mut proven = 0_usize;
            for name in &draft.names {
                match name.identifier() {
                    None => reasons.miss_proof(shown::name(name), "this form of name cannot be proven"),
                    Some(identifier) if question.facts.validated.contains(&identifier) => proven += 1,
                    Some(_) => reasons.miss_proof(shown::name(name), "not proven by the requester"),
                }
            }
            if proven > 0 {
                reasons.held(format!("{proven} names were proven by the requester"));
            }
        }
    }
}
