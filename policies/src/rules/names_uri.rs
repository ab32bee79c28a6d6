use portreeve_pkix::GeneralName;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::NameRules;
use crate::shown;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    for name in draft
        .names
        .iter()
        .filter(|name| matches!(name, GeneralName::Uri(_)))
    {
        match objection(&question.profile.names, name) {
            Some(reason) => reasons.reject(shown::name(name), &reason),
            None => reasons.held(format!("{} matches an allowed pattern", shown::name(name))),
        }
    }
}

pub(super) fn objection(rules: &NameRules, name: &GeneralName) -> Option<String> {
    let GeneralName::Uri(uri) = name else { return None };
    let reason = match &rules.uri {
        None => "URIs are not allowed",
        Some(_) if !is_absolute(uri) => "not an absolute URI",
        Some(rules) if rules.allow.iter().any(|pattern| pattern.matches(uri)) => return None,
        Some(_) => "does not match an allowed pattern",
    };
    Some(reason.to_owned())
}

/// A scheme and something behind it (RFC 3986 section 3), as RFC 5280 section 4.2.1.6 asks for.
fn is_absolute(uri: &str) -> bool {
    let Some((scheme, rest)) = uri.split_once(':') else {
        return false;
    };
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(legal) && !rest.is_empty()
}
