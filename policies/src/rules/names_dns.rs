use portreeve_pkix::{DnsName, GeneralName};

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let mut allowed = 0_usize;
    for name in draft
        .names
        .iter()
        .filter(|name| matches!(name, GeneralName::Dns(_)))
    {
        match objection(&question.profile.names, name) {
            Some(reason) => reasons.reject(name.to_string(), &reason),
            None => allowed += 1,
        }
    }
    if allowed > 0 {
        reasons.held(format!("{allowed} DNS names lie in allowed domains"));
    }
}

pub(super) fn objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let GeneralName::Dns(name) = name else { return None };
    let Some(rules) = &rules.dns else {
        return Some("DNS names are not allowed".to_owned());
    };
    if let Some(denied) = rules
        .deny
        .iter()
        .find(|denied| name.is_under(denied) || covers(name, denied))
    {
        return Some(format!("{denied} is denied"));
    }
    let allowed = rules.allow.iter().any(|scope| scope.contains(name));
    (!allowed).then(|| "not in an allowed domain".to_owned())
}

/// Whether a wildcard stands for the name: exactly one label in place of the `*`.
fn covers(wildcard: &DnsName, name: &DnsName) -> bool {
    wildcard.is_wildcard() && name.is_under(wildcard) && name.labels_count() == wildcard.labels_count()
}
