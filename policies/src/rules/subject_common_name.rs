use portreeve_pkix::dn::COMMON_NAME_CHARS_MAX;
use portreeve_pkix::{DistinguishedName, DnsName, GeneralName, Oid};
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::{CommonNameDefault, CommonNameRule};
use crate::shown;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = &question.profile.subject.common_name;
    let count = draft.subject.common_names().count();
    if rules.rule == CommonNameRule::Drop {
        if count > 0 {
            reasons.dropped("the profile has no common name");
            remove(&mut draft.subject);
        }
        return;
    }
    match (count, rules.default) {
        (0, CommonNameDefault::None) => reasons.held("no common name"),
        (0, CommonNameDefault::FirstDns) => add_first_dns(draft, reasons),
        (1, _) if rules.rule == CommonNameRule::Free => reasons.held("any common name is allowed"),
        (1, _) => match among_names(draft) {
            Some(name) => set(draft, &name, reasons),
            None => reasons.refuse(Refusal::Subject(
                "the common name is not one of the names".to_owned(),
            )),
        },
        (count, _) => reasons.refuse(Refusal::Subject(format!("{count} common names"))),
    }
}

/// The text of the name that is the common name.
fn among_names(draft: &Draft) -> Option<String> {
    let common_name = draft.subject.common_names().next()?;
    let dns = DnsName::parse(common_name).ok();
    let found = draft.names.iter().find(|name| match name {
        GeneralName::Dns(name) => Some(name) == dns.as_ref(),
        GeneralName::Email(text) | GeneralName::Uri(text) => text == common_name,
        GeneralName::Ip(_) | GeneralName::Other(_) => false,
    })?;
    match found {
        GeneralName::Dns(name) => Some(name.to_string()),
        _ => Some(common_name.to_owned()),
    }
}

/// Writes the common name exactly as the name is written.
fn set(draft: &mut Draft, name: &str, reasons: &mut Reasons) {
    let mut values = draft
        .subject
        .rdns
        .iter_mut()
        .flatten()
        .filter(|attribute| attribute.oid == Oid::COMMON_NAME);
    match values.find(|attribute| attribute.value != name) {
        None => reasons.held(format!("{} is one of the names", shown::text(name))),
        Some(attribute) => {
            name.clone_into(&mut attribute.value);
            reasons.applied(format!("written as the name {}", shown::text(name)));
        }
    }
}

fn add_first_dns(draft: &mut Draft, reasons: &mut Reasons) {
    let fitting = draft.names.iter().find_map(|name| match name {
        GeneralName::Dns(name) if name.as_str().len() <= COMMON_NAME_CHARS_MAX => {
            Some(name.as_str().to_owned())
        }
        _ => None,
    });
    match fitting {
        None => reasons.held("no DNS name that fits into a common name"),
        Some(name) => {
            reasons.applied(format!("{name}, the first DNS name"));
            draft.subject = std::mem::take(&mut draft.subject).with(Oid::COMMON_NAME, name);
        }
    }
}

fn remove(subject: &mut DistinguishedName) {
    for relative in &mut subject.rdns {
        relative.retain(|attribute| attribute.oid != Oid::COMMON_NAME);
    }
    subject.rdns.retain(|relative| !relative.is_empty());
}
