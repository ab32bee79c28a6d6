use crate::engine::{Draft, Question, Reasons};

pub(super) fn judge(question: &Question<'_>, draft: &mut Draft, reasons: &mut Reasons) {
    let rules = question.profile.publication;
    draft.publication = rules.into();
    let written = [
        (rules.crl, "CRL"),
        (rules.ca_issuers, "CA certificate"),
        (rules.ocsp, "OCSP responder"),
    ];
    for (_, address) in written.iter().filter(|(written, _)| *written) {
        reasons.applied(format!("address of the {address}"));
    }
}
