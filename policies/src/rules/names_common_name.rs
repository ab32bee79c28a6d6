use portreeve_pkix::{DnsName, GeneralName};
use portreeve_ra::NameAuthority;

use crate::engine::{Draft, Question, Reasons};

/// Spaces around a name and a dot after it do not make it another name to whoever reads the certificate.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let judged =
        question.facts.endpoint.names == NameAuthority::Proven || question.facts.registration.is_some();
    if !judged && !question.profile.subject.common_name.into_names {
        return;
    }
    for common_name in question.request.subject().common_names() {
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
