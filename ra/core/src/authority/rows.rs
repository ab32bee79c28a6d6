//! Rows that help to find and to show. They decide nothing.

use portreeve_pkix::{Certificate, CertificationRequest, DistinguishedName, GeneralName, Timestamp};

use crate::domain::{Enrollment, RevocationReason};
use crate::ports::{CertificateRow, Projection, RequestRow, RevokedRow};

const TEXT_MAX: usize = 1024;

/// The row of a request, if there is one to show.
pub(super) fn request(enrollment: &Enrollment, now: Timestamp) -> Vec<Projection> {
    let (Some(asked), Some(state)) = (enrollment.asked(), enrollment.state()) else {
        return Vec::new();
    };
    let judged = enrollment.application();
    vec![Projection::Request(RequestRow {
        enrollment: enrollment.id,
        endpoint: asked.endpoint.to_string(),
        requester: asked.requester.to_string(),
        names: judged.map_or_else(
            || names_asked(asked.request),
            |judged| names(&judged.contents.subject, &judged.contents.names),
        ),
        profile: judged.map_or_else(String::new, |judged| judged.profile.to_string()),
        state: state.as_str().to_owned(),
        proposal: enrollment.proposal(),
        created_at: enrollment.received_at().unwrap_or(now),
        updated_at: now,
    })]
}

/// The row of a certificate.
pub(super) fn certificate(enrollment: &Enrollment, certificate: &Certificate) -> Option<Projection> {
    let application = enrollment.application()?;
    Some(Projection::Certificate(CertificateRow {
        enrollment: enrollment.id,
        backend: application.backend.to_string(),
        serial: certificate.serial().clone(),
        names: names(&application.contents.subject, &application.contents.names),
        key: certificate.public_key().fingerprint(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
    }))
}

/// The row a CRL is built from.
pub(super) fn revoked(
    enrollment: &Enrollment,
    certificate: &Certificate,
    reason: RevocationReason,
    now: Timestamp,
) -> Option<Projection> {
    let application = enrollment.application()?;
    Some(Projection::Revoked(RevokedRow {
        enrollment: enrollment.id,
        backend: application.backend.to_string(),
        serial: certificate.serial().clone(),
        reason,
        revoked_at: enrollment.revoked().map_or(now, |(_, since)| since),
        not_after: certificate.not_after(),
    }))
}

/// The names that a request asks for, before anybody has judged it.
fn names_asked(request: &[u8]) -> String {
    CertificationRequest::from_der(request).map_or_else(
        |_| String::new(),
        |request| names(request.subject(), request.names()),
    )
}

fn names(subject: &DistinguishedName, names: &[GeneralName]) -> String {
    let mut text = subject.to_string();
    for name in names {
        if text.len() > TEXT_MAX {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&name.to_string());
    }
    if let Some((end, _)) = text.char_indices().nth(TEXT_MAX) {
        text.truncate(end);
    }
    text
}
