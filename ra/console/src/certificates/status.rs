//! Revoking certificates, putting them on hold and releasing them.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use http::StatusCode;
use portreeve_ra::access::Target;
use portreeve_ra::authority::{StatusOutcome, StatusRequest};
use portreeve_ra::{On, RevocationReason, Right, StatusChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{CertificateDetail, WhichCa, detail, load, serial_number};
use crate::ConsoleParts;
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;

/// What somebody revokes a certificate with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RevocationBody {
    /// Why, by the name in RFC 5280: not `certificateHold`, and no reason of CAs.
    pub reason: String,
    /// The serial number once more, in hex. Refused when the certificate has another.
    pub expected_serial: String,
    /// Why, in words; at most 1,024 characters.
    #[serde(default)]
    pub comment: String,
}

/// What somebody puts a certificate on hold with, or releases it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HoldBody {
    /// The serial number once more, in hex. Refused when the certificate has another.
    pub expected_serial: String,
    /// Why, in words; at most 1,024 characters.
    #[serde(default)]
    pub comment: String,
}

type Answer = Result<(StatusCode, Json<CertificateDetail>), Problem>;

#[utoipa::path(post, path = "/api/v1/certificates/{serial}/revoke", tag = "certificates",
    params(("serial" = String, Path, description = "The serial number, in hex"), WhichCa), request_body = RevocationBody,
    responses((status = 200, body = CertificateDetail), (status = 202, body = CertificateDetail), Problem))]
pub(crate) async fn revoke(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(serial): Path<String>,
    which: Result<Query<WhichCa>, QueryRejection>,
    body: Result<Json<RevocationBody>, JsonRejection>,
) -> Answer {
    let Json(body) = body?;
    let change = StatusChange::Revoke(reason(&body.reason)?);
    let body = HoldBody {
        expected_serial: body.expected_serial,
        comment: body.comment,
    };
    let Query(which) = which?;
    change_status(&parts, signed_in, (&serial, which), (change, body)).await
}

#[utoipa::path(post, path = "/api/v1/certificates/{serial}/hold", tag = "certificates",
    params(("serial" = String, Path, description = "The serial number, in hex"), WhichCa), request_body = HoldBody,
    responses((status = 200, body = CertificateDetail), (status = 202, body = CertificateDetail), Problem))]
pub(crate) async fn hold(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(serial): Path<String>,
    which: Result<Query<WhichCa>, QueryRejection>,
    body: Result<Json<HoldBody>, JsonRejection>,
) -> Answer {
    let change = StatusChange::Revoke(RevocationReason::CertificateHold);
    let (Json(body), Query(which)) = (body?, which?);
    change_status(&parts, signed_in, (&serial, which), (change, body)).await
}

#[utoipa::path(post, path = "/api/v1/certificates/{serial}/release", tag = "certificates",
    params(("serial" = String, Path, description = "The serial number, in hex"), WhichCa), request_body = HoldBody,
    responses((status = 200, body = CertificateDetail), (status = 202, body = CertificateDetail), Problem))]
pub(crate) async fn release(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(serial): Path<String>,
    which: Result<Query<WhichCa>, QueryRejection>,
    body: Result<Json<HoldBody>, JsonRejection>,
) -> Answer {
    let (Json(body), Query(which)) = (body?, which?);
    change_status(&parts, signed_in, (&serial, which), (StatusChange::Release, body)).await
}

/// A reason to revoke for good.
pub(crate) fn reason(name: &str) -> Result<RevocationReason, Problem> {
    let known = RevocationReason::from_name(name);
    known
        .filter(|reason| *reason != RevocationReason::CertificateHold)
        .ok_or_else(|| {
            let hold = RevocationReason::CertificateHold;
            let names = RevocationReason::ALL.iter().filter(|reason| **reason != hold);
            let names: Vec<&str> = names.map(|reason| reason.as_str()).collect();
            Problem::Malformed(format!("reason is not one of {}", names.join(", ")))
        })
}

async fn change_status(
    parts: &ConsoleParts,
    signed_in: SignedIn,
    which: (&str, WhichCa),
    (change, body): (StatusChange, HoldBody),
) -> Answer {
    let ra = &parts.ra;
    let meant = serial_number(which.0)?;
    let known = load(ra, &signed_in, which).await?;
    if serial_number(&body.expected_serial).ok() != Some(meant) {
        return Err(Problem::SerialMismatch);
    }
    let id = known.enrollment.id;
    let right = if change.is_about_hold() {
        Right::CertificateHold
    } else {
        Right::CertificateRevoke
    };
    if !known.allows(&signed_in.0, right) {
        let (application, team) = (known.enrollment.application(), known.team());
        let on = On {
            backend: application.map(|application| &application.backend),
            profile: application.map(|application| &application.profile),
            team: team.as_ref(),
        };
        signed_in.require(ra, right, Target::Owned(on)).await?;
    }
    let request = StatusRequest {
        enrollment: id,
        change,
        comment: in_full("comment", body.comment)?,
        origin: signed_in.origin(ra),
    };
    let outcome = ra.change_status(&signed_in.0, request).await?;
    let known = ra.known_certificate(id).await?;
    let known = known.ok_or(Problem::NotFound("certificate"))?;
    let status = match outcome {
        StatusOutcome::Done => StatusCode::OK,
        StatusOutcome::HandedOver => StatusCode::ACCEPTED,
    };
    Ok((status, Json(detail(&known, ra.now())?)))
}
