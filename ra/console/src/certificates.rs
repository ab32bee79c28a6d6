//! `certificates`: what was issued.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use portreeve_pkix::Timestamp;
use portreeve_ra::access::Target;
use portreeve_ra::ports::CertificateRow;
use portreeve_ra::{Enrollment, On, Right};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ConsoleParts;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// One certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// Why it is revoked, by the name in RFC 5280.
    pub revocation_reason: Option<String>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", params(PageQuery),
    responses((status = 200, body = List<CertificateView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<CertificateView>>, Problem> {
    let Query(page) = query?;
    signed_in
        .require(&parts.ra, Right::CertificateRead, Target::Installation)
        .await?;
    let (store, limit) = (parts.ra.store(), page.limit()?);
    let found = paging::read(&page, |after| async move {
        Ok(store.certificates(after.as_ref(), limit).await?)
    })
    .await?;
    let mut items = Vec::with_capacity(found.items.len());
    for row in found.items {
        let enrollment = parts.ra.enrollment(row.enrollment).await?;
        let application = enrollment.as_ref().and_then(Enrollment::application);
        let on = On {
            backend: application.map(|application| &application.backend),
            profile: application.map(|application| &application.profile),
            team: None,
        };
        if signed_in.0.may(Right::CertificateRead, on) {
            items.push(view(row, enrollment.as_ref()));
        }
    }
    Ok(Json(List::new(items, found.next)))
}

/// The row, with the revocation that the enrollment's own verified events tell of.
fn view(row: CertificateRow, enrollment: Option<&Enrollment>) -> CertificateView {
    let revoked = enrollment.and_then(Enrollment::revoked);
    CertificateView {
        serial: row.serial.to_hex(),
        request: row.enrollment.to_string(),
        backend: row.backend,
        names: row.names,
        key_sha256: hex::encode(row.key),
        not_before: row.not_before,
        not_after: row.not_after,
        revocation_reason: revoked.map(|(reason, _)| reason.as_str().to_owned()),
        revoked_at: revoked.map(|(_, at)| at),
    }
}
