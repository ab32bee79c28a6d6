//! Revoking many certificates: a preview of what a query selects, then exactly those.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::access::Target;
use portreeve_ra::authority::{StatusOutcome, StatusRequest};
use portreeve_ra::ports::CertificateRow;
use portreeve_ra::search::{Among, parse};
use portreeve_ra::{
    EnrollmentId, Error, ProposalId, Refusal, RegistrationAuthority, RevocationReason, Right, StatusChange,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::status::reason;
use crate::ConsoleParts;
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;

/// Certificates that are revoked in one call, at most.
const CERTIFICATES_MAX: usize = 1_000;

/// What to select.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkQuery {
    /// A query of the search language; must not be empty.
    pub query: String,
    /// Why they are to be revoked, by the name in RFC 5280.
    pub reason: String,
}

/// One certificate that a query selects.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkRow {
    /// The request it came from.
    pub request: String,
    /// Its serial number, in hex.
    pub serial: String,
    /// The CA that signed it.
    pub backend: String,
    /// Subject and names, in words.
    pub names: String,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub not_after: Timestamp,
}

/// What a query selects: nothing has changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkPreview {
    /// How many are here, at most 1,000.
    pub count: usize,
    /// Whether these are all; else revoke these and ask again.
    pub complete: bool,
    /// What exactly, in hex: the reason and these certificates. The revocation names it.
    pub digest: String,
    /// Those that are good or on hold.
    pub items: Vec<BulkRow>,
}

/// Which certificates to revoke: those of a preview.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BulkBody {
    /// The requests they came from, at most 1,000.
    pub requests: Vec<String>,
    /// Why, by the name in RFC 5280.
    pub reason: String,
    /// The digest of the preview. Refused when it is not that of these certificates and this reason.
    pub digest: String,
    /// Why, in words; at most 1,024 characters.
    #[serde(default)]
    pub comment: String,
}

/// What became of one certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkOutcome {
    /// The request it came from.
    pub request: String,
    /// `revoked`, `requested` when a worker will do it, `proposed` when others must agree first, or the code of the problem.
    pub outcome: String,
}

/// What became of all of them, each with an event of its own.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BulkView {
    /// Each.
    pub items: Vec<BulkOutcome>,
    /// How many are revoked, or will be by a worker.
    pub revoked: usize,
    /// What others must agree to first, where an approval policy asks for that.
    pub proposal: Option<String>,
}

#[utoipa::path(post, path = "/api/v1/certificates/revoke/preview", tag = "certificates", request_body = BulkQuery,
    responses((status = 200, body = BulkPreview), Problem))]
pub(crate) async fn preview(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    body: Result<Json<BulkQuery>, JsonRejection>,
) -> Result<Json<BulkPreview>, Problem> {
    let Json(body) = body?;
    let reason = reason(&body.reason)?;
    let query = parse(&body.query, Among::Certificates)?
        .ok_or_else(|| Problem::Malformed("the query is empty: it would select everything".to_owned()))?;
    for right in [Right::CertificateRead, Right::CertificateRevoke] {
        signed_in.require(&parts.ra, right, Target::Installation).await?;
    }
    let selected = (Right::CertificateRevoke, query);
    let selection = parts
        .ra
        .select_certificates(&signed_in.0, selected, CERTIFICATES_MAX)
        .await?;
    let open = |row: &CertificateRow| {
        let earlier = row.revoked.map(|(reason, _)| reason);
        earlier.is_none_or(|earlier| earlier == RevocationReason::CertificateHold)
    };
    let items: Vec<BulkRow> = selection.rows.into_iter().filter(open).map(row).collect();
    let requests = items.iter().map(|row| row.request.as_str());
    Ok(Json(BulkPreview {
        count: items.len(),
        complete: selection.complete,
        digest: digest(reason, requests),
        items,
    }))
}

#[utoipa::path(post, path = "/api/v1/certificates/revoke", tag = "certificates", request_body = BulkBody,
    responses((status = 200, body = BulkView), Problem))]
pub(crate) async fn revoke_all(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    body: Result<Json<BulkBody>, JsonRejection>,
) -> Result<Json<BulkView>, Problem> {
    let Json(body) = body?;
    let reason = reason(&body.reason)?;
    if body.requests.len() > CERTIFICATES_MAX {
        let most = format!("more than {CERTIFICATES_MAX} certificates at once");
        return Err(Problem::Malformed(most));
    }
    if body.digest != digest(reason, body.requests.iter().map(String::as_str)) {
        return Err(Problem::SelectionMismatch);
    }
    let ids = body
        .requests
        .iter()
        .map(|id| id.parse().map_err(|_| Problem::NotFound("request")));
    let ids = ids.collect::<Result<BTreeSet<EnrollmentId>, Problem>>()?;
    for right in [Right::CertificateRead, Right::CertificateRevoke] {
        signed_in.require(&parts.ra, right, Target::Installation).await?;
    }
    let comment = in_full("comment", body.comment)?;
    // One is revoked as by the call for a single one, with the same rights and within the same limit.
    if ids.len() > 1 {
        let change = StatusChange::Revoke(reason);
        let by = signed_in.acting(&parts.ra, &comment);
        let asked = parts
            .ra
            .propose_status(change, ids.iter().copied().collect(), &by);
        if let Some(proposal) = asked.await? {
            return Ok(Json(proposed(&ids, proposal)));
        }
    }
    let mut items = Vec::with_capacity(ids.len());
    for id in ids {
        let request = StatusRequest {
            enrollment: id,
            change: StatusChange::Revoke(reason),
            comment: comment.clone(),
            origin: signed_in.origin(&parts.ra),
        };
        let outcome = match begin(&parts.ra, &signed_in, request).await {
            Ok(StatusOutcome::Done) => "revoked",
            Ok(StatusOutcome::HandedOver) => "requested",
            Err(Error::Refused(refusal)) => refusal.code(),
            Err(Error::Unavailable { .. }) => "unavailable",
            // What is done stays done, and the rest can be asked for again.
            Err(Error::Internal(error)) => {
                tracing::error!(enrollment.id = %id, %error, "not revoked");
                "internal"
            }
        };
        items.push(BulkOutcome {
            request: id.to_string(),
            outcome: outcome.to_owned(),
        });
    }
    let done = |item: &&BulkOutcome| matches!(item.outcome.as_str(), "revoked" | "requested");
    Ok(Json(BulkView {
        revoked: items.iter().filter(done).count(),
        proposal: None,
        items,
    }))
}

/// Revokes one, as the call for a single one does: of what somebody may not see there is nothing for them.
async fn begin(
    ra: &Arc<RegistrationAuthority>,
    signed_in: &SignedIn,
    request: StatusRequest,
) -> Result<StatusOutcome, Error> {
    let known = ra.known_certificate(request.enrollment).await?;
    let seen = known.is_some_and(|known| known.allows(&signed_in.0, Right::CertificateRead));
    if !seen {
        return Err(Refusal::UnknownCertificate.into());
    }
    ra.begin_change(&signed_in.0, request).await
}

/// Nothing is revoked before other people agree.
fn proposed(ids: &BTreeSet<EnrollmentId>, proposal: ProposalId) -> BulkView {
    let items = ids.iter().map(|id| BulkOutcome {
        request: id.to_string(),
        outcome: "proposed".to_owned(),
    });
    BulkView {
        items: items.collect(),
        revoked: 0,
        proposal: Some(proposal.to_string()),
    }
}

fn row(row: CertificateRow) -> BulkRow {
    BulkRow {
        request: row.enrollment.to_string(),
        serial: row.serial.to_hex(),
        backend: row.backend,
        names: row.names,
        not_after: row.not_after,
    }
}

/// SHA-256 over the reason and the requests in order, each once, one on each line.
fn digest<'a>(reason: RevocationReason, requests: impl Iterator<Item = &'a str>) -> String {
    let requests: BTreeSet<&str> = requests.collect();
    let mut text = format!("portreeve/revoke/1\n{}\n", reason.as_str());
    for request in requests {
        text.push_str(request);
        text.push('\n');
    }
    hex::encode(sha256(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_of_a_set_and_a_reason() {
        let of = |reason, requests: &[&str]| digest(reason, requests.iter().copied());
        let superseded = of(RevocationReason::Superseded, &["a", "b"]);
        assert_eq!(superseded, of(RevocationReason::Superseded, &["b", "a", "a"]));
        for other in [
            of(RevocationReason::Superseded, &["a"]),
            of(RevocationReason::Superseded, &["a", "c"]),
            of(RevocationReason::KeyCompromise, &["a", "b"]),
        ] {
            assert_ne!(superseded, other);
        }
    }
}
