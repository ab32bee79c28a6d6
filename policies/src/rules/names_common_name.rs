use portreeve_pkix::{DnsName, GeneralName};
use portreeve_ra::{AllowedNames, NameAuthority};

use crate::engine::{Draft, Question, Reasons};
use crate::shown;

/// A registration that may have any name limits none. Spaces around a name and a dot after it do not make it another name to whoever reads the certificate.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let facts = question.facts;
    let registration = facts.registration.as_ref().map(|known| &known.registration);
    let proven = facts.endpoint.names == NameAuthority::Proven;
    let judged = proven || registration.is_some_and(|known| known.names != AllowedNames::Any);
    if !judged && !question.profile.subject.common_name.into_names {
        return;
    }
    for common_name in question.request.subject().common_names() {
        // What somebody is called who was registered as that needs no more.
        if !proven && registration.is_some_and(|known| known.name.eq_ignore_ascii_case(common_name)) {
            reasons.held(format!(
                "{} is the name of its registration",
                shown::text(common_name)
            ));
            continue;
        }
        let Ok(name) = DnsName::parse(common_name.trim().trim_end_matches('.')) else {
            continue;
        };
        let name = GeneralName::Dns(name);
        if draft.names.contains(&name) {
            reasons.held(format!(
                "{name} is the common name and a subject alternative name"
            ));
        } else {
            reasons.applied(format!(
                "{name}, from the common name, counts as a name that is asked for"
            ));
            draft.names.push(name);
        }
    }
}
