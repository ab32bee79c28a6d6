//! Renewal: whether a request asks for what its requester's certificate has, at the right time, with the right key.

use portreeve_pkix::{Certificate, CertificationRequest, Timestamp, same_names, same_subject};

use crate::domain::{Operation, Refusal, RenewalKey, RenewalNames, RenewalRules};
use crate::steps::ProvenRequest;

/// The certificate that a requester was known by, and the request that led to it.
#[derive(Clone, Debug)]
pub(crate) struct Renewed {
    pub(crate) certificate: Certificate,
    /// The request as received then. A device that always sends the same one renews by it, even where the profile made
    /// something else of its names.
    pub(crate) request: Option<CertificationRequest>,
    /// Whether somebody with the right to ask for others asked for it, or for the one it renews.
    pub(crate) for_another: bool,
}

impl Renewed {
    /// Whether a request is for the names of the certificate: subject and alternative names are the same as in it, or as in
    /// the request that it was issued on (RFC 7030 section 4.2.2). They are compared as values. Of a request that led to other
    /// names than it was known by, those others count: the old ones do not come back by themselves.
    pub(crate) fn is_for(&self, request: &CertificationRequest) -> bool {
        let certificate = &self.certificate;
        let as_certified = same_subject(request.subject(), certificate.subject())
            && same_names(request.names(), certificate.names());
        let as_asked = || {
            self.request.as_ref().is_some_and(|earlier| {
                let (request, earlier) = (request.renamed(), earlier.renamed());
                same_subject(request.subject(), earlier.subject())
                    && same_names(request.names(), earlier.names())
            })
        };
        as_certified || as_asked()
    }
}

/// Judges a renewal; the request to go on with, which is for other names where those are asked for and may be.
pub(crate) fn judge(
    renewed: &Renewed,
    (proven, operation): (ProvenRequest, Operation),
    rules: &RenewalRules,
    now: Timestamp,
) -> Result<ProvenRequest, Refusal> {
    if !renewed.is_for(proven.request()) {
        return Err(Refusal::NotItsNames);
    }
    let changes = proven.request().change_subject_name().is_some();
    match (changes, rules.names) {
        (false, _) | (true, RenewalNames::Changed) => {}
        (true, RenewalNames::Same) => return Err(Refusal::NotItsNames),
    }
    let opens = rules.window.opens(&renewed.certificate);
    if now < opens {
        return Err(Refusal::RenewalTooEarly(opens));
    }
    let same_key = proven.request().public_key() == renewed.certificate.public_key();
    match (operation, rules.key) {
        // The key of such a request is not the one that is certified.
        (Operation::GenerateKey, RenewalKey::Same) => return Err(Refusal::RenewalKeyOther),
        (Operation::GenerateKey, RenewalKey::Any | RenewalKey::New) | (_, RenewalKey::Any) => {}
        (Operation::Enroll | Operation::Renew, RenewalKey::New) if same_key => {
            return Err(Refusal::RenewalKeySame);
        }
        (Operation::Enroll | Operation::Renew, RenewalKey::Same) if !same_key => {
            return Err(Refusal::RenewalKeyOther);
        }
        (Operation::Enroll | Operation::Renew, RenewalKey::New | RenewalKey::Same) => {}
    }
    Ok(if changes { proven.renamed() } else { proven })
}
