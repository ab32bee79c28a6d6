use portreeve_pkix::GeneralName;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    for name in draft
        .names
        .iter()
        .filter(|name| matches!(name, GeneralName::Ip(_)))
    {
        match objection(&question.profile.names, name) {
            Some(reason) => reasons.reject(name.to_string(), &reason),
            None => reasons.held(format!("{name} lies in an allowed network")),
        }
    }
}

pub(super) fn objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let GeneralName::Ip(address) = name else {
        return None;
    };
    let Some(rules) = &rules.ip else {
        return Some("IP addresses are not allowed".to_owned());
    };
    if *address != address.to_canonical() {
        return Some("IPv4-mapped addresses are not allowed".to_owned());
    }
    if let Some(network) = rules.deny.iter().find(|network| network.contains(address)) {
        return Some(format!("{network} is denied"));
    }
    let allowed = rules.allow.iter().any(|network| network.contains(address));
    (!allowed).then(|| "not in an allowed network".to_owned())
}
