//! Rows that help to find and to show. They decide nothing.

use portreeve_pkix::{
    Certificate, CertificationRequest, DistinguishedName, GeneralName, PublicKey, Timestamp,
};

use crate::domain::{Enrollment, RevocationReason};
use crate::ports::{CertificateRow, Ownership, Projection, RequestRow, RevokedRow, SearchedNames};

const TEXT_MAX: usize = 1024;

/// The row of a request, if there is one to show.
pub(super) fn request(enrollment: &Enrollment, now: Timestamp) -> Vec<Projection> {
    let (Some(asked), Some(state)) = (enrollment.asked(), enrollment.state()) else {
        return Vec::new();
    };
    let judged = enrollment.application();
    let shown = match judged {
        Some(judged) => Shown::of(
            (&judged.contents.subject, &judged.contents.names),
            &judged.contents.public_key,
        ),
        None => Shown::asked(asked.request),
    };
    vec![Projection::Request(RequestRow {
        enrollment: enrollment.id,
        endpoint: asked.endpoint.to_string(),
        requester: asked.requester.to_string(),
        names: shown.names,
        profile: judged.map_or_else(String::new, |judged| judged.profile.to_string()),
        backend: judged.map_or_else(String::new, |judged| judged.backend.to_string()),
        key: shown.key,
        key_algorithm: shown.key_algorithm,
        searched: shown.searched,
        ownership: Ownership::default(),
        state: state.as_str().to_owned(),
        proposal: enrollment.proposal(),
        created_at: enrollment.received_at().unwrap_or(now),
        updated_at: now,
    })]
}

/// The row of a request, if it is one, with what it was asked for through.
pub(super) fn owned(mut projections: Vec<Projection>, ownership: Ownership) -> Vec<Projection> {
    if let [Projection::Request(row)] = projections.as_mut_slice() {
        row.ownership = ownership;
    }
    projections
}

/// The row of a certificate.
pub(super) fn certificate(
    enrollment: &Enrollment,
    certificate: &Certificate,
    (ownership, now): (Ownership, Timestamp),
) -> Option<Projection> {
    let application = enrollment.application()?;
    let contents = &application.contents;
    let shown = Shown::of((&contents.subject, &contents.names), certificate.public_key());
    Some(Projection::Certificate(CertificateRow {
        enrollment: enrollment.id,
        backend: application.backend.to_string(),
        serial: certificate.serial().clone(),
        names: shown.names,
        key: shown.key,
        key_algorithm: shown.key_algorithm,
        fingerprint: certificate.fingerprint(),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        endpoint: application.endpoint.to_string(),
        profile: application.profile.to_string(),
        profile_version: application.profile_version,
        requester: application.requester.to_string(),
        searched: shown.searched,
        ownership,
        issued_at: now,
        revoked: None,
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

/// What is shown and found of a subject and its key.
#[derive(Default)]
struct Shown {
    names: String,
    key: [u8; 32],
    key_algorithm: String,
    searched: SearchedNames,
}

impl Shown {
    fn of((subject, alternative): (&DistinguishedName, &[GeneralName]), key: &PublicKey) -> Self {
        let lower = |text: &str| text.to_lowercase();
        Self {
            names: names(subject, alternative),
            key: key.fingerprint(),
            key_algorithm: key.algorithm().to_string(),
            searched: SearchedNames {
                common: subject.common_names().map(lower).collect(),
                alternative: alternative.iter().map(|name| lower(&name.to_string())).collect(),
            },
        }
    }

    /// What a request asks for, before anybody has judged it.
    fn asked(request: &[u8]) -> Self {
        CertificationRequest::from_der(request).map_or_else(
            |_| Self::default(),
            |request| Self::of((request.subject(), request.names()), request.public_key()),
        )
    }
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
