//! The parts of a batch that only find and show.

use std::borrow::Cow;

use portreeve_ra::ports::{CertificateRow, Projection, RegistrationRow, RequestRow, RevokedRow, SecretRow};

use super::batch::Plan;
use crate::names;
use crate::row::padded;

impl Plan {
    pub(super) fn projections<'a>(&mut self, projections: impl Iterator<Item = &'a Projection>) {
        let (mut requests, mut certificates) = (Vec::new(), Vec::new());
        let (mut revoked, mut released) = (Vec::new(), Vec::new());
        let (mut registrations, mut secrets) = (Vec::new(), Vec::new());
        for projection in projections {
            match projection {
                Projection::Request(row) => requests.push(row),
                Projection::Certificate(row) => certificates.push(row),
                Projection::Revoked(row) => revoked.push(row),
                Projection::Registration(row) => registrations.push(row),
                Projection::Secret(row) => secrets.push(row),
                Projection::Released(enrollment) => released.push(*enrollment.as_bytes()),
            }
        }
        self.requests(&requests);
        self.certificates(&certificates);
        self.revoked(&revoked);
        if !released.is_empty() {
            self.part("commit_released", released.len())
                .array(released.into_iter())
                .end();
        }
        self.registrations(&registrations);
        self.secrets(&secrets);
    }

    fn registrations(&mut self, rows: &[&RegistrationRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_registrations", rows.len())
            .array(rows.iter().map(|row| *row.registration.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.name)))
            .array(rows.iter().map(|row| row.team.as_deref().map(shown)))
            .array(rows.iter().map(|row| shown(&row.state)))
            .array(rows.iter().map(|row| i64::from(row.vouched)))
            .array(rows.iter().map(|row| row.until.map(|until| until.unix_millis())))
            .end();
    }

    fn secrets(&mut self, rows: &[&SecretRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_secrets", rows.len())
            .array(rows.iter().map(|row| *row.secret.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.owner)))
            .array(rows.iter().map(|row| i64::from(row.kind.number())))
            .array(rows.iter().map(|row| shown(&row.reference)))
            .array(rows.iter().map(|row| shown(&row.state)))
            .array(rows.iter().map(|row| row.until.map(|until| until.unix_millis())))
            .array(rows.iter().map(|row| row.created_at.unix_millis()))
            .end();
    }

    fn requests(&mut self, rows: &[&RequestRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_requests", rows.len())
            .array(rows.iter().map(|row| *row.enrollment.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.endpoint)))
            .array(rows.iter().map(|row| shown(&row.requester)))
            .array(rows.iter().map(|row| shown(&row.names)))
            .array(rows.iter().map(|row| shown(&row.profile)))
            .array(rows.iter().map(|row| shown(&row.backend)))
            .array(rows.iter().map(|row| shown(&row.state)))
            .array(rows.iter().map(|row| row.proposal.map(|id| *id.as_bytes())))
            .array(rows.iter().map(|row| row.key))
            .array(rows.iter().map(|row| shown(&row.key_algorithm)))
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.common, names::REQUEST_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.alternative, names::REQUEST_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| row.ownership.registration.as_deref().map(shown)),
            )
            .array(rows.iter().map(|row| row.ownership.team.as_deref().map(shown)))
            .array(rows.iter().map(|row| row.created_at.unix_millis()))
            .array(rows.iter().map(|row| row.updated_at.unix_millis()))
            .end();
    }

    fn certificates(&mut self, rows: &[&CertificateRow]) {
        if rows.is_empty() {
            return;
        }
        let places = (1_i64..).zip(rows);
        let exact: Vec<(i64, String, i64)> = places
            .flat_map(|(place, row)| {
                let names = names::exact(&row.searched).into_iter();
                names.map(move |(name, kinds)| (place, name, kinds))
            })
            .collect();
        self.part("commit_certificates", rows.len())
            .array(rows.iter().map(|row| *row.enrollment.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.backend)))
            .array(rows.iter().map(|row| padded(&row.serial)))
            .array(rows.iter().map(|row| shown(&row.names)))
            .array(rows.iter().map(|row| row.key))
            .array(rows.iter().map(|row| shown(&row.key_algorithm)))
            .array(rows.iter().map(|row| row.fingerprint))
            .array(rows.iter().map(|row| row.not_before.unix_millis()))
            .array(rows.iter().map(|row| row.not_after.unix_millis()))
            .array(rows.iter().map(|row| shown(&row.endpoint)))
            .array(rows.iter().map(|row| shown(&row.profile)))
            .array(rows.iter().map(|row| i64::from(row.profile_version)))
            .array(rows.iter().map(|row| shown(&row.requester)))
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.common, names::CERTIFICATE_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| names::joined(&row.searched.alternative, names::CERTIFICATE_MAX)),
            )
            .array(
                rows.iter()
                    .map(|row| row.ownership.registration.as_deref().map(shown)),
            )
            .array(rows.iter().map(|row| row.ownership.team.as_deref().map(shown)))
            .array(rows.iter().map(|row| row.issued_at.unix_millis()))
            .array(exact.iter().map(|(place, ..)| *place))
            .array(exact.iter().map(|(_, name, _)| name.clone()))
            .array(exact.iter().map(|(.., kinds)| *kinds))
            .end();
    }

    fn revoked(&mut self, rows: &[&RevokedRow]) {
        if rows.is_empty() {
            return;
        }
        self.part("commit_revoked", rows.len())
            .array(rows.iter().map(|row| *row.enrollment.as_bytes()))
            .array(rows.iter().map(|row| shown(&row.backend)))
            .array(rows.iter().map(|row| padded(&row.serial)))
            .array(rows.iter().map(|row| i64::from(row.reason.number())))
            .array(rows.iter().map(|row| row.revoked_at.unix_millis()))
            .array(rows.iter().map(|row| row.not_after.unix_millis()))
            .end();
    }
}

/// Text to be shown: PostgreSQL's has no octet zero, and a name in a request may.
fn shown(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        Cow::Owned(text.replace('\0', "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}
