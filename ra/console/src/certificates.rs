//! `certificates`: what was issued.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use portreeve_pkix::Timestamp;
use portreeve_ra::RegistrationAuthority;
use portreeve_ra::ports::CertificateRow;
use serde::{Deserialize, Serialize};

use crate::ConsoleParts;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// One certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CertificateView {
    /// Its serial number, in hex.
    pub serial: String,
    /// The request it came from.
    pub request: String,
    /// Who signed it.
    pub backend: String,
    /// Subject and names, in words.
    pub names: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hex.
    pub key_sha256: String,
    /// Its beginning.
    pub not_before: Timestamp,
    /// Its end.
    pub not_after: Timestamp,
    /// Why it is revoked, by the name in RFC 5280.
    pub revocation_reason: Option<String>,
    /// Since when.
    pub revoked_at: Option<Timestamp>,
}

pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    _: SignedIn,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<CertificateView>>, Problem> {
    let Query(page) = query?;
    let (store, limit) = (parts.ra.store(), page.limit()?);
    let found = paging::read(&page, |after| async move {
        Ok(store.certificates(after.as_ref(), limit).await?)
    })
    .await?;
    let mut items = Vec::with_capacity(found.items.len());
    for row in found.items {
        items.push(view(&parts.ra, row).await?);
    }
    Ok(Json(List::new(items, found.next)))
}

/// The row, with the revocation that the enrollment's own verified events tell of.
async fn view(ra: &RegistrationAuthority, row: CertificateRow) -> Result<CertificateView, Problem> {
    let revoked = ra
        .enrollment(row.enrollment)
        .await?
        .and_then(|enrollment| enrollment.revoked());
    Ok(CertificateView {
        serial: row.serial.to_hex(),
        request: row.enrollment.to_string(),
        backend: row.backend,
        names: row.names,
        key_sha256: hex::encode(row.key),
        not_before: row.not_before,
        not_after: row.not_after,
        revocation_reason: revoked.map(|(reason, _)| reason.as_str().to_owned()),
        revoked_at: revoked.map(|(_, at)| at),
    })
}
