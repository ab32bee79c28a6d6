use portreeve_pkix::GeneralName;
use portreeve_ra::{AllowedNames, NameAuthority};

use crate::engine::{Draft, Question, Reasons};
use crate::shown;

/// Names in a common name were made names that are asked for by a rule above. A registration without a list of names
/// may have what the profile allows. Where names need no proof a common name may be what the registration is called.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let Some(known) = &question.facts.registration else {
        return;
    };
    let registration = &known.registration;
    if registration.names == AllowedNames::Any {
        return reasons.held(format!(
            "registration {} may have any name",
            shown::text(&registration.name)
        ));
    }
    let mut covered = 0_usize;
    for name in &draft.names {
        match name
            .identifier()
            .map(|identifier| registration.covers(&identifier))
        {
            Some(true) => covered += 1,
            Some(false) => reasons.reject(shown::name(name), "not allowed for this registration"),
            None => reasons.reject(
                shown::name(name),
                "this form of name is not allowed for a registration with a list of names",
            ),
        }
    }
    for other in question.request.subject().common_names() {
        if question.facts.endpoint.names == NameAuthority::Profile
            && registration.name.eq_ignore_ascii_case(other)
        {
            continue;
        }
        let text = other.trim().trim_end_matches('.');
        let is_name = draft.names.iter().any(|name| match name {
            GeneralName::Dns(name) => name.as_str().eq_ignore_ascii_case(text),
            GeneralName::Ip(address) => address.to_string() == text,
            GeneralName::Email(_) | GeneralName::Uri(_) | GeneralName::Other(_) => false,
        });
        if !is_name {
            reasons.reject(
                shown::text(other),
                "a common name that is none of the names is not allowed here",
            );
        }
    }
    if covered > 0 {
        let name = shown::text(&registration.name);
        reasons.held(format!("{covered} names are those of registration {name}"));
    }
}
