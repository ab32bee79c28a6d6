use portreeve_pkix::GeneralName;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let wildcards = draft
        .names
        .iter()
        .filter(|name| matches!(name, GeneralName::Dns(dns) if dns.is_wildcard()));
    for name in wildcards {
        match objection(&question.profile.names, name) {
            Some(reason) => reasons.reject(name.to_string(), &reason),
            None => reasons.held(format!("{name}: wildcards are allowed")),
        }
    }
}

pub(super) fn objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let GeneralName::Dns(name) = name else { return None };
    let allowed = rules.dns.as_ref().is_some_and(|rules| rules.wildcards);
    (name.is_wildcard() && !allowed).then(|| "wildcards are not allowed".to_owned())
}
