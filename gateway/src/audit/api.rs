//! The operator API of the audit log: events, checkpoints, proofs, erasing.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Json, Router};
use portreeve_audit::{Checkpoint, RecordProof, SignedNote, StoredTree, TreeError, VerifierKey};
use portreeve_console::{List, Problem, SignedIn};
use portreeve_pkix::{DistinguishedName, SerialNumber, Timestamp};
use portreeve_ra::access::Target;
use portreeve_ra::authority::{DecisionRequest, Erasure, Meant};
use portreeve_ra::ports::{CheckpointRow, RecordPlace, SealedRecord, StoreError};
use portreeve_ra::{
    BackendName, EnrollmentId, Error, EventKind, InternalError, Record, RegistrationAuthority, Right,
    StreamId,
};
use serde::{Deserialize, Serialize};
use utoipa::openapi::OpenApi;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{log_keys, origin};
use crate::installation::Installation;

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

/// When to come back for a proof of what is not sealed yet.
const SOON: std::time::Duration = std::time::Duration::from_secs(2);

/// What the API works with.
#[derive(Clone)]
pub struct AuditApi {
    ra: Arc<RegistrationAuthority>,
    installation: Installation,
}

/// The log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LogView {
    /// Its name.
    pub origin: String,
    /// The public keys that sign its checkpoints, as verifier keys; the newest last.
    pub keys: Vec<String>,
    /// Records that are sealed.
    pub size: u64,
    /// How many of them are under the last checkpoint.
    pub covered: u64,
}

/// One checkpoint.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CheckpointView {
    /// Which, from 1.
    pub number: u64,
    /// Records under it.
    pub size: u64,
    /// When it was signed.
    #[schema(value_type = String, format = DateTime)]
    pub signed_at: Timestamp,
    /// The signed note.
    pub note: String,
}

/// One sealed record.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// Which leaf it is, from 0.
    pub index: u64,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// What, as dotted words; empty when the record is gone or cannot be read.
    pub events: Vec<String>,
    /// About what.
    pub stream: String,
    /// Which in its stream.
    pub position: u64,
    /// Who.
    pub actor: String,
    /// In which role.
    pub purpose: String,
    /// The client's address.
    pub address: Option<String>,
    /// Why.
    pub reason: String,
    /// Whether what it says is erased.
    pub erased: bool,
    /// Its leaf hash, in hex.
    pub hash: String,
}

/// A proof that a certificate was recorded.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// The serial number, in hex.
    pub serial: String,
    /// Which leaf, from 0.
    pub index: u64,
    /// Records under the checkpoint.
    pub size: u64,
    /// The proof with the record and the checkpoint, in the form `tlog-proof`.
    pub proof: String,
}

/// Why an enrollment is erased.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ErasingBody {
    /// Why; must not be empty, at most 1,024 characters count.
    pub comment: String,
}

/// What was erased.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ErasedView {
    /// The request.
    pub request: String,
    /// Its state by now.
    pub state: String,
    /// How many records say nothing any more by this call.
    pub records: u64,
    /// The proposal on it, erased with it.
    pub proposal: Option<String>,
    /// The registration it was asked for through, erased with it: it had ended, and nothing else of it was left.
    pub registration: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct PageQuery {
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Which certificate with the serial number is meant.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct WhichCertificate {
    /// The name of its issuer (RFC 4514).
    issuer: Option<String>,
    /// The CA that signed it.
    backend: Option<String>,
}

impl PageQuery {
    fn limit(&self) -> Result<u32, Problem> {
        match self.limit.unwrap_or(LIMIT_DEFAULT) {
            limit @ 1..=LIMIT_MAX => Ok(limit),
            _ => Err(Problem::Malformed(format!("limit is from 1 to {LIMIT_MAX}"))),
        }
    }

    /// Where the list goes on: below this number.
    fn below(&self) -> Result<Option<u64>, Problem> {
        let read = |text: &String| text.parse().map_err(|_| Problem::BadCursor);
        self.cursor.as_ref().map(read).transpose()
    }
}

impl AuditApi {
    /// Over this installation.
    pub fn new(ra: Arc<RegistrationAuthority>, installation: Installation) -> Self {
        Self { ra, installation }
    }

    /// Its paths.
    pub fn router(self) -> Router {
        described().split_for_parts().0.with_state(self)
    }

    fn keys(&self) -> Vec<VerifierKey> {
        let keys = log_keys(&origin(&self.installation.id), &self.installation.keyset);
        keys.into_iter().map(|(_, key)| key).collect()
    }

    /// The record that says that the certificate was issued.
    async fn issued(&self, id: EnrollmentId) -> Result<Record, Problem> {
        // Only what verifies is proven.
        self.ra.enrollment(id).await?;
        let stream = StreamId::enrollment(id);
        let loaded = self.ra.store().load(&[stream]).await.map_err(store)?;
        let says = |record: &&Record| record.header().kinds.contains(&EventKind::EnrollmentIssued);
        let found = loaded.into_iter().flatten().collect::<Vec<_>>();
        found
            .iter()
            .find(says)
            .cloned()
            .ok_or(Problem::NotFound("certificate"))
    }

    async fn prove(&self, record: &Record) -> Result<RecordProof, Problem> {
        let log = self.installation.store.audit.as_ref();
        let later = || Problem::Ra(Error::Unavailable { retry_after: SOON });
        let place = RecordPlace::of(record.header().stream, record.header().position);
        let index = log.index_of(place).await.map_err(store)?.ok_or_else(later)?;
        let last = log
            .checkpoints(None, 1)
            .await
            .map_err(store)?
            .pop()
            .ok_or_else(later)?;
        if last.size <= index {
            return Err(later());
        }
        let note: SignedNote = last
            .note
            .parse()
            .map_err(|_| internal("checkpoint cannot be read"))?;
        let proof = RecordProof {
            record: record.to_stored(),
            index,
            hashes: StoredTree::new(log)
                .inclusion(index, last.size)
                .await
                .map_err(tree)?,
            checkpoint: note,
        };
        // One that does not hold would be worse than none.
        proof.verify(&self.keys()).map_err(|error| {
            tracing::error!(%error, index, "a proof does not hold: run `portreeve audit verify`");
            internal("the audit log does not prove its record")
        })?;
        Ok(proof)
    }
}

/// Every call, each described where it is written.
fn described() -> OpenApiRouter<AuditApi> {
    OpenApiRouter::new()
        .routes(routes!(log))
        .routes(routes!(events))
        .routes(routes!(checkpoints))
        .routes(routes!(proof))
        .routes(routes!(erase))
}

/// What the description of the API says of the audit log.
pub fn description() -> OpenApi {
    described().into_openapi()
}

impl AuditApi {
    /// Refuses who lacks a right on the log.
    async fn may(&self, signed_in: &SignedIn, right: Right) -> Result<(), Problem> {
        signed_in.require(&self.ra, right, Target::Installation).await
    }
}

/// The log: its name, its keys, how far it goes.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", responses((status = 200, body = LogView), Problem))]
async fn log(State(api): State<AuditApi>, signed_in: SignedIn) -> Result<Json<LogView>, Problem> {
    api.may(&signed_in, Right::AuditRead).await?;
    let progress = api.installation.store.audit.progress().await.map_err(store)?;
    Ok(Json(LogView {
        origin: origin(&api.installation.id),
        keys: api.keys().iter().map(VerifierKey::to_string).collect(),
        size: progress.size,
        covered: progress.checkpoint,
    }))
}

/// Signed checkpoints, the newest first.
#[utoipa::path(get, path = "/api/v1/audit/checkpoints", tag = "audit", params(PageQuery),
    responses((status = 200, body = List<CheckpointView>), Problem))]
async fn checkpoints(
    State(api): State<AuditApi>,
    signed_in: SignedIn,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<CheckpointView>>, Problem> {
    api.may(&signed_in, Right::AuditRead).await?;
    let Query(page) = query?;
    let (log, limit) = (&api.installation.store.audit, page.limit()?);
    let found = log.checkpoints(page.below()?, limit).await.map_err(store)?;
    let full = found.len() == usize::try_from(limit).unwrap_or(0);
    let next = found
        .last()
        .map(|row| row.number)
        .filter(|number| full && *number > 1);
    let items = found.into_iter().map(|row: CheckpointRow| CheckpointView {
        number: row.number,
        size: row.size,
        signed_at: row.at,
        note: row.note,
    });
    Ok(Json(List {
        items: items.collect(),
        next_cursor: next.map(|number| number.to_string()),
    }))
}

/// What was recorded and sealed, the newest first.
#[utoipa::path(get, path = "/api/v1/audit/events", tag = "audit", params(PageQuery),
    responses((status = 200, body = List<EventView>), Problem))]
async fn events(
    State(api): State<AuditApi>,
    signed_in: SignedIn,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<EventView>>, Problem> {
    api.may(&signed_in, Right::AuditRead).await?;
    let Query(page) = query?;
    let (log, limit) = (&api.installation.store.audit, page.limit()?);
    let size = log.progress().await.map_err(store)?.size;
    let below = page.below()?.unwrap_or(size).min(size);
    let from = below.saturating_sub(u64::from(limit));
    let found = log.leaves(from, limit).await.map_err(store)?;
    let items = found.iter().rev().filter(|leaf| leaf.index < below).map(event);
    Ok(Json(List {
        items: items.collect(),
        next_cursor: (from > 0).then(|| from.to_string()),
    }))
}

/// The proof that a certificate was recorded. One that is not sealed yet is 503 with Retry-After.
#[utoipa::path(get, path = "/api/v1/audit/proofs/{serial}", tag = "audit",
    params(("serial" = String, Path, description = "The serial number, in hex"), WhichCertificate),
    responses((status = 200, body = ProofView), Problem))]
async fn proof(
    State(api): State<AuditApi>,
    signed_in: SignedIn,
    Path(serial): Path<String>,
    query: Result<Query<WhichCertificate>, QueryRejection>,
) -> Result<Json<ProofView>, Problem> {
    api.may(&signed_in, Right::AuditRead).await?;
    let Query(which) = query?;
    let malformed = |reason: &str| Problem::Malformed(reason.to_owned());
    let serial = SerialNumber::from_hex(&serial);
    let meant = Meant {
        serial: serial.map_err(|_| malformed("a serial number in hexadecimal is needed"))?,
        issuer: which
            .issuer
            .map(|text| DistinguishedName::parse(&text))
            .transpose()
            .map_err(|error| malformed(&format!("issuer: {error}")))?,
        backend: which
            .backend
            .map(|name| BackendName::new(&name))
            .transpose()
            .map_err(|error| malformed(&format!("backend: {error}")))?,
    };
    let id = api.ra.certified(&meant).await?;
    let record = api.issued(id.ok_or(Problem::NotFound("certificate"))?).await?;
    let proof = api.prove(&record).await?;
    let checkpoint: Result<Checkpoint, _> = proof.checkpoint.text().parse();
    Ok(Json(ProofView {
        serial: meant.serial.to_hex(),
        index: proof.index,
        size: checkpoint.map_or(0, |checkpoint| checkpoint.size),
        proof: proof.to_string(),
    }))
}

/// Removes what the records of an ended request say, and of what was about nothing else.
#[utoipa::path(post, path = "/api/v1/requests/{id}/erase", tag = "audit", params(("id" = String, Path)),
    request_body = ErasingBody, responses((status = 200, body = ErasedView), Problem))]
async fn erase(
    State(api): State<AuditApi>,
    principal: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<ErasingBody>, JsonRejection>,
) -> Result<Json<ErasedView>, Problem> {
    let Json(body) = body?;
    api.may(&principal, Right::AuditErase).await?;
    if body.comment.trim().is_empty() {
        return Err(Problem::Malformed("the comment is empty: say why".to_owned()));
    }
    let id: EnrollmentId = id.parse().map_err(|_| Problem::NotFound("request"))?;
    let request = DecisionRequest {
        by: principal.principal().clone(),
        digest: None,
        comment: body.comment,
        origin: principal.origin(&api.ra),
    };
    let sealing = api.installation.store.sealing.as_ref();
    match api.ra.erase(sealing, id, request).await? {
        Erasure::Done(erased) => Ok(Json(ErasedView {
            request: id.to_string(),
            state: "erased".to_owned(),
            records: erased.records,
            proposal: erased.with.proposal.map(|id| id.to_string()),
            registration: erased.with.registration.map(|id| id.to_string()),
        })),
        Erasure::NotEnded => Err(Problem::NotEnded),
    }
}

fn event(leaf: &SealedRecord) -> EventView {
    let record = leaf
        .record
        .clone()
        .and_then(|stored| Record::from_stored(stored).ok());
    let header = record.as_ref().map(Record::header);
    let words = |value: Option<String>| value.unwrap_or_default();
    EventView {
        index: leaf.index,
        at: header.map(|header| header.at),
        events: header.map_or_else(Vec::new, |header| {
            header.kinds.iter().map(|kind| kind.as_str().to_owned()).collect()
        }),
        stream: header.map_or_else(
            || format!("{}/{}", leaf.place.kind, hex::encode(leaf.place.stream)),
            |header| header.stream.to_string(),
        ),
        position: leaf.place.position,
        actor: words(header.map(|header| header.actor.to_string())),
        purpose: words(header.map(|header| header.purpose.to_string())),
        address: header
            .and_then(|header| header.origin.address)
            .map(|address| address.to_string()),
        reason: words(header.map(|header| header.reason.clone())),
        erased: record.as_ref().is_some_and(Record::is_erased),
        hash: hex::encode(leaf.hash),
    }
}

fn store(error: StoreError) -> Problem {
    Problem::Ra(error.into())
}

fn tree(error: TreeError) -> Problem {
    match error {
        TreeError::Store(error) => store(error),
        other => internal(&other.to_string()),
    }
}

fn internal(reason: &str) -> Problem {
    Problem::Ra(Error::Internal(InternalError::Store(reason.to_owned())))
}
