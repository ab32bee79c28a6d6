use portreeve_pkix::Identifier;
use portreeve_ra::NameAuthority;

use crate::engine::{Draft, Question, Reasons};
use crate::shown;

/// A wildcard is proven as the wildcard: the proof of `example.com` does not reach to `*.example.com`, nor back.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    match question.facts.endpoint.names {
        NameAuthority::Profile => reasons.held("names need no proof at this endpoint"),
        NameAuthority::Proven => {
            let vouched = |identifier: &Identifier| {
                let known = question.facts.registration.as_ref();
                known.is_some_and(|known| known.registration.vouches_for(identifier))
            };
            let (mut proven, mut vouched_for) = (0_usize, 0_usize);
            for name in &draft.names {
                match name.identifier() {
                    None => reasons.miss_proof(shown::name(name), "this form of name cannot be proven"),
                    Some(identifier) if question.facts.validated.contains(&identifier) => proven += 1,
                    Some(identifier) if vouched(&identifier) => vouched_for += 1,
                    Some(_) => reasons.miss_proof(shown::name(name), "not proven by the requester"),
                }
            }
            if proven > 0 {
                reasons.held(format!("{proven} names were proven by the requester"));
            }
            if let (1.., Some(known)) = (vouched_for, &question.facts.registration) {
                let (name, version) = (shown::text(&known.registration.name), known.version);
                reasons.held(format!(
                    "{vouched_for} names are vouched for by registration {name} version {version}"
                ));
            }
        }
    }
}
