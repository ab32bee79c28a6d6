use portreeve_pkix::{KeyUsage, Oid, decode};
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::RequestedKeyUsage;

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = &question.profile.key_usage;
    let usual = rules.of(question.request.public_key().algorithm());
    draft.key_usage = usual;
    let Some(extension) = question
        .request
        .extensions()
        .iter()
        .find(|e| e.oid == Oid::KEY_USAGE)
    else {
        return reasons.applied(format!("{usual} from the profile"));
    };
    let Ok(asked) = decode::key_usage(&extension.value) else {
        return reasons.refuse(Refusal::Extension("key usage is malformed".to_owned()));
    };
    let common = usual.intersection(asked);
    let refused = KeyUsage::from_bits(asked.bits() & !usual.bits()).unwrap_or(KeyUsage::NONE);
    if !refused.is_empty() {
        reasons.dropped(format!("{refused}: not in the profile"));
    }
    match rules.requested {
        RequestedKeyUsage::Narrow if !common.is_empty() => {
            draft.key_usage = common;
            reasons.applied(format!("{common} as asked for"));
        }
        RequestedKeyUsage::Narrow | RequestedKeyUsage::Ignore => {
            reasons.applied(format!("{usual} from the profile"));
        }
    }
}
