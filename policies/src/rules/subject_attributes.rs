use portreeve_pkix::{Attribute, DistinguishedName, Oid};
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::{AttributeRule, AttributeType, RequestedAttribute, SubjectRules, UnlistedAttributes};
use crate::shown;

/// Requested attributes stay in their place or go; what the profile adds stands before them, an added common name
/// after them. Whether an unlisted common name stays is decided by `subject.common_name`.
pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = &question.profile.subject;
    let asked = std::mem::take(&mut draft.subject);
    if asked.is_empty() {
        reasons.held("no subject is asked for");
    }
    let mut kept = Vec::new();
    for relative in asked.rdns {
        let mut relative = relative;
        relative.retain(|attribute| keeps(rules, attribute, reasons));
        if !relative.is_empty() {
            kept.push(relative);
        }
    }
    let kept = DistinguishedName { rdns: kept };
    check_counts(rules, &kept, reasons);
    draft.subject = with_additions(rules, kept, reasons);
}

fn keeps(rules: &SubjectRules, attribute: &Attribute, reasons: &mut Reasons) -> bool {
    let kind = AttributeType(attribute.oid.clone());
    let value = shown::text(&attribute.value);
    let Some(rule) = rules.attributes.iter().find(|rule| rule.kind == kind) else {
        return keeps_unlisted(rules.unlisted, &kind, &value, reasons);
    };
    if let Some(fixed) = &rule.fixed {
        // The fixed value is added again in its own place.
        if *fixed != attribute.value {
            reasons.dropped(format!("{kind}={value}: the profile fixes {fixed}"));
        }
        return false;
    }
    match rule.requested {
        RequestedAttribute::Drop => {
            reasons.dropped(format!("{kind}={value}: may not be asked for"));
            false
        }
        RequestedAttribute::Refuse => {
            reasons.refuse(Refusal::Subject(format!("{kind} may not be asked for")));
            false
        }
        RequestedAttribute::Keep => {
            match objection(rule, &attribute.value) {
                Some(reason) => reasons.refuse(Refusal::Subject(format!("{kind}={value} {reason}"))),
                None => reasons.held(format!("{kind}={value} is allowed")),
            }
            true
        }
    }
}

fn keeps_unlisted(
    unlisted: UnlistedAttributes,
    kind: &AttributeType,
    value: &str,
    reasons: &mut Reasons,
) -> bool {
    match unlisted {
        _ if kind.0 == Oid::COMMON_NAME => true,
        UnlistedAttributes::Keep => {
            reasons.held(format!("{kind}={value}: any attribute is allowed"));
            true
        }
        UnlistedAttributes::Drop => {
            reasons.dropped(format!("{kind}={value}: the profile has no rule for it"));
            false
        }
        UnlistedAttributes::Refuse => {
            reasons.refuse(Refusal::Subject(format!("{kind} is not allowed")));
            false
        }
    }
}

fn objection(rule: &AttributeRule, value: &str) -> Option<&'static str> {
    let listed = rule
        .allowed
        .as_ref()
        .is_none_or(|allowed| allowed.iter().any(|one| one == value));
    if !listed {
        return Some("is not among the allowed values");
    }
    let matches = rule.pattern.as_ref().is_none_or(|pattern| pattern.matches(value));
    if matches {
        None
    } else {
        Some("does not match the pattern of the profile")
    }
}

fn check_counts(rules: &SubjectRules, kept: &DistinguishedName, reasons: &mut Reasons) {
    for rule in &rules.attributes {
        let count = count_of(kept, &rule.kind);
        if count > rule.count_max {
            let text = format!("{count} times {}, at most {} allowed", rule.kind, rule.count_max);
            reasons.refuse(Refusal::Subject(text));
        }
    }
}

fn with_additions(rules: &SubjectRules, kept: DistinguishedName, reasons: &mut Reasons) -> DistinguishedName {
    let (mut before, mut after) = (DistinguishedName::empty(), DistinguishedName::empty());
    for rule in &rules.attributes {
        let default = rule.default.as_ref().filter(|_| count_of(&kept, &rule.kind) == 0);
        let Some(value) = rule.fixed.as_ref().or(default) else {
            continue;
        };
        reasons.applied(format!("{}={value} from the profile", rule.kind));
        let place = if rule.kind.0 == Oid::COMMON_NAME {
            &mut after
        } else {
            &mut before
        };
        place.rdns.push(vec![Attribute {
            oid: rule.kind.0.clone(),
            value: value.clone(),
        }]);
    }
    let mut subject = before;
    subject.rdns.extend(kept.rdns);
    subject.rdns.extend(after.rdns);
    subject
}

fn count_of(subject: &DistinguishedName, kind: &AttributeType) -> usize {
    subject
        .attributes()
        .filter(|attribute| attribute.oid == kind.0)
        .count()
}
