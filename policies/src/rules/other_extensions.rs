use portreeve_pkix::Oid;
use portreeve_ra::Refusal;

use crate::engine::{Draft, Question, Reasons};
use crate::profile::Handling;

/// Extensions that have a rule of their own.
const JUDGED: [Oid; 4] = [
    Oid::SUBJECT_ALT_NAME,
    Oid::KEY_USAGE,
    Oid::EXTENDED_KEY_USAGE,
    Oid::BASIC_CONSTRAINTS,
];

pub(super) fn judge(question: &Question<'_>, _: &mut Draft, reasons: &mut Reasons) {
    let extensions = question.request.extensions().iter();
    for extension in extensions.filter(|extension| !JUDGED.contains(&extension.oid)) {
        match question.profile.extensions.unlisted {
            Handling::Drop => reasons.dropped(format!("{}: never copied", extension.oid)),
            Handling::Refuse => reasons.refuse(Refusal::Extension(extension.oid.to_string())),
        }
    }
}
