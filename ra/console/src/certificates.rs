//! `certificates`: what was issued. Lists show rows, which decide nothing; one certificate is shown as its verified events
//! tell.

pub(crate) mod bulk;
pub(crate) mod files;
pub(crate) mod status;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use portreeve_pkix::{GeneralName, SerialNumber, Timestamp};
use portreeve_ra::access::Target;
use portreeve_ra::authority::{KnownCertificate, Search};
use portreeve_ra::ports::CertificateRow;
use portreeve_ra::search::{Among, Status, parse};
use portreeve_ra::{BackendName, RegistrationAuthority, RevocationReason, Right};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::paging::{List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::SignedIn;

pub use bulk::{BulkBody, BulkOutcome, BulkPreview, BulkQuery, BulkRow, BulkView};
pub use status::{HoldBody, RevocationBody};

/// A row of the list of certificates.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// Its serial number, in hex.
    pub serial: String,
    /// The request it came from.
    pub request: String,
    /// The CA that signed it.
    pub backend: String,
    /// Subject and names, in words.
    pub names: String,
    /// Where it was asked for.
    pub endpoint: String,
    /// The profile.
    pub profile: String,
    /// Who asked.
    pub requester: String,
    /// The registration it was asked for through.
    pub registration: Option<String>,
    /// The team that owned the registration then.
    pub team: Option<String>,
    /// The kind of key.
    pub key_algorithm: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hex.
    pub key_sha256: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint_sha256: String,
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
    /// `valid`, `expired`, `revoked` or `held`.
    pub status: String,
    /// Why it is revoked, by the name in RFC 5280.
    pub revocation_reason: Option<String>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// One certificate, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificateDetail {
    /// Its serial number, in hex.
    pub serial: String,
    /// The request it came from.
    pub request: String,
    /// The CA that signed it.
    pub backend: String,
    /// The issuer's name.
    pub issuer: String,
    /// The subject.
    pub subject: String,
    /// The alternative names.
    pub names: Vec<String>,
    /// Where it was asked for.
    pub endpoint: String,
    /// The profile.
    pub profile: String,
    /// The version of the profile it was judged by.
    pub profile_version: u32,
    /// Who asked.
    pub requester: String,
    /// The registration it was asked for through.
    pub registration: Option<String>,
    /// The team that owns the registration.
    pub team: Option<String>,
    /// The kind of key.
    pub key_algorithm: String,
    /// SHA-256 of its SubjectPublicKeyInfo, in hex.
    pub key_sha256: String,
    /// SHA-256 of the certificate, in hex.
    pub fingerprint_sha256: String,
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub not_before: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
    /// `valid`, `expired`, `revoked` or `held`.
    pub status: String,
    /// Why it is revoked, by the name in RFC 5280.
    pub revocation_reason: Option<String>,
    /// Since when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those that this query matches.
    q: Option<String>,
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Which of several CAs with the same serial number is meant.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhichCa {
    /// The CA that gave the serial number; needed where several did.
    backend: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/certificates", tag = "certificates", params(ListQuery),
    responses((status = 200, body = List<CertificateView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<List<CertificateView>>, Problem> {
    let Query(query) = query?;
    signed_in
        .require(&parts.ra, Right::CertificateRead, Target::Installation)
        .await?;
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    let search = Search {
        query: parse(query.q.as_deref().unwrap_or_default(), Among::Certificates)?,
        after: page.cursor()?,
        limit: page.limit()?,
    };
    let found = parts.ra.search_certificates(&signed_in.0, &search).await?;
    let now = parts.ra.now();
    let items = found.items.into_iter().map(|row| view(row, now));
    Ok(Json(List::new(items.collect(), found.next)))
}

#[utoipa::path(get, path = "/api/v1/certificates/{serial}", tag = "certificates",
    params(("serial" = String, Path, description = "The serial number, in hex"), WhichCa),
    responses((status = 200, body = CertificateDetail), Problem))]
pub(crate) async fn show(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(serial): Path<String>,
    which: Result<Query<WhichCa>, QueryRejection>,
) -> Result<Json<CertificateDetail>, Problem> {
    let Query(which) = which?;
    let known = load(&parts.ra, &signed_in, (&serial, which)).await?;
    detail(&known, parts.ra.now()).map(Json)
}

/// The certificate with this serial number, if whoever asks may see it.
async fn load(
    ra: &RegistrationAuthority,
    signed_in: &SignedIn,
    (serial, which): (&str, WhichCa),
) -> Result<KnownCertificate, Problem> {
    signed_in
        .require(ra, Right::CertificateRead, Target::Installation)
        .await?;
    let serial = serial_number(serial)?;
    let backend = which
        .backend
        .map(|name| BackendName::new(&name).map_err(|_| Problem::NotFound("certificate")))
        .transpose()?;
    let found = ra.certificate(&signed_in.0, (&serial, backend.as_ref())).await?;
    found.ok_or(Problem::NotFound("certificate"))
}

fn serial_number(text: &str) -> Result<SerialNumber, Problem> {
    SerialNumber::from_hex(text).map_err(|_| Problem::NotFound("certificate"))
}

fn status_of(revoked: Option<(RevocationReason, Timestamp)>, not_after: Timestamp, now: Timestamp) -> Status {
    match revoked {
        Some((RevocationReason::CertificateHold, _)) => Status::Held,
        Some(_) => Status::Revoked,
        None if not_after > now => Status::Valid,
        None => Status::Expired,
    }
}

fn view(row: CertificateRow, now: Timestamp) -> CertificateView {
    CertificateView {
        serial: row.serial.to_hex(),
        request: row.enrollment.to_string(),
        backend: row.backend,
        names: row.names,
        endpoint: row.endpoint,
        profile: row.profile,
        requester: row.requester,
        registration: row.ownership.registration,
        team: row.ownership.team,
        key_algorithm: row.key_algorithm,
        key_sha256: hex::encode(row.key),
        fingerprint_sha256: hex::encode(row.fingerprint),
        not_before: row.not_before,
        not_after: row.not_after,
        issued_at: row.issued_at,
        status: status_of(row.revoked, row.not_after, now).as_str().to_owned(),
        revocation_reason: row.revoked.map(|(reason, _)| reason.as_str().to_owned()),
        revoked_at: row.revoked.map(|(_, since)| since),
    }
}

fn detail(known: &KnownCertificate, now: Timestamp) -> Result<CertificateDetail, Problem> {
    let certificate = &known.certificate;
    let application = known.enrollment.application();
    let application = application.ok_or(Problem::NotFound("certificate"))?;
    let revoked = known.enrollment.revoked();
    Ok(CertificateDetail {
        serial: certificate.serial().to_hex(),
        request: known.enrollment.id.to_string(),
        backend: application.backend.to_string(),
        issuer: certificate.issuer().to_string(),
        subject: certificate.subject().to_string(),
        names: certificate.names().iter().map(GeneralName::to_string).collect(),
        endpoint: application.endpoint.to_string(),
        profile: application.profile.to_string(),
        profile_version: application.profile_version,
        requester: application.requester.to_string(),
        registration: known.ownership.registration.clone(),
        team: known.ownership.team.clone(),
        key_algorithm: certificate.public_key().algorithm().to_string(),
        key_sha256: hex::encode(certificate.public_key().fingerprint()),
        fingerprint_sha256: hex::encode(certificate.fingerprint()),
        not_before: certificate.not_before(),
        not_after: certificate.not_after(),
        status: status_of(revoked, certificate.not_after(), now)
            .as_str()
            .to_owned(),
        revocation_reason: revoked.map(|(reason, _)| reason.as_str().to_owned()),
        revoked_at: revoked.map(|(_, since)| since),
    })
}
