use portreeve_pkix::{DnsName, GeneralName};

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;
use crate::shown;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    for name in draft
        .names
        .iter()
        .filter(|name| matches!(name, GeneralName::Email(_)))
    {
        match objection(&question.profile.names, name) {
            Some(reason) => reasons.reject(shown::name(name), &reason),
            None => reasons.held(format!("{} lies in an allowed domain", shown::name(name))),
        }
    }
}

pub(super) fn objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let GeneralName::Email(address) = name else {
        return None;
    };
    let reason = match (&rules.email, domain(address)) {
        (None, _) => "e-mail addresses are not allowed",
        (Some(_), None) => "not an e-mail address",
        (Some(rules), Some(domain)) if rules.allow.iter().any(|scope| scope.contains(&domain)) => {
            return None;
        }
        (Some(_), Some(_)) => "not in an allowed domain",
    };
    Some(reason.to_owned())
}

/// The quoted form of the local part, in which `@` may occur, is not accepted.
fn domain(address: &str) -> Option<DnsName> {
    let (local, domain) = address.split_once('@')?;
    if local.is_empty() || local.contains('"') {
        return None;
    }
    DnsName::parse(domain).ok().filter(|domain| !domain.is_wildcard())
}
