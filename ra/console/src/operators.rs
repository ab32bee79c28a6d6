//! `operators`: switching off and on, and what they sign in with.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use portreeve_pkix::{Certificate, CertificationRequest, PublicKey, Secret, Timestamp, pem};
use portreeve_ra::access::Target;
use portreeve_ra::configuration::Outcome;
use portreeve_ra::credentials::Bootstrapped;
use portreeve_ra::operators::{Condition, PeopleChange};
use portreeve_ra::{ObjectKind, OperatorName, Principal, Right, SecretId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::approvals::{ProposalView, accepted, asked};
use crate::auth::{PasswordError, token_text};
use crate::people::{OperatorView, Written, changed, current, operator_view, written};
use crate::problem::Problem;
use crate::signed_in::{SignInMethod, SignedIn};
use crate::tokens::{digest, strong_enough};
use crate::{CertifyOperators, ConsoleParts};

const PEM_LABEL: &str = "CERTIFICATE";
const REQUEST_LABEL: &str = "CERTIFICATE REQUEST";

/// Why something is changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReasonBody {
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// A new password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordBody {
    /// At least 12 characters.
    pub password: String,
}

/// A client certificate that an operator signs in with from now on: one of the three.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateBody {
    /// SHA-256 of its SubjectPublicKeyInfo, in hex.
    #[serde(default)]
    pub spki: Option<String>,
    /// The certificate, PEM.
    #[serde(default)]
    pub certificate: Option<String>,
    /// A certification request, PEM, for which the management CA issues one. Of the request its key alone counts.
    #[serde(default)]
    pub request: Option<String>,
}

/// An operator who signs in with one more certificate.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct CertificateNamed {
    /// The operator.
    pub operator: OperatorView,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo, in hex.
    pub key_sha256: String,
    /// The certificate that was issued, PEM. While people decide there is none: with the same request again there is one
    /// once they have agreed.
    pub certificate: Option<String>,
    /// What people decide on, when they must agree before the operator signs in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<ProposalView>>,
}

/// A one-time credential.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct BootstrapView {
    /// Whose.
    pub operator: String,
    /// The file on the gateway's host that holds it; absent when the operator does not exist before people agree.
    #[schema(value_type = Option<String>)]
    pub file: Option<PathBuf>,
    /// Until when it is good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What people decide on, when they must agree to the operator, or to the credential before it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<ProposalView>>,
}

/// The name of an operator.
pub(crate) fn operator_name(text: &str) -> Result<OperatorName, Problem> {
    OperatorName::new(text).map_err(|error| Problem::Malformed(error.to_string()))
}

#[utoipa::path(post, path = "/api/v1/operators/{name}/disable", tag = "operators",
    params(("name" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = OperatorView), (status = 202, body = ProposalView), Problem))]
pub(crate) async fn disable(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    switch(&parts, &signed_in, (&name, true, &body.reason)).await
}

#[utoipa::path(post, path = "/api/v1/operators/{name}/enable", tag = "operators",
    params(("name" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = OperatorView), (status = 202, body = ProposalView), Problem))]
pub(crate) async fn enable(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    switch(&parts, &signed_in, (&name, false, &body.reason)).await
}

async fn switch(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (name, disabled, reason): (&str, bool, &str),
) -> Result<Response, Problem> {
    let version = current(parts, signed_in, (ObjectKind::Operator, name)).await?;
    let mut text = table(&version.body)?;
    match disabled {
        true => text.insert("disabled".to_owned(), toml::Value::Boolean(true)),
        false => text.remove("disabled"),
    };
    let change = PeopleChange {
        kind: ObjectKind::Operator,
        name: name.to_owned(),
        text: Some(text.to_string()),
        condition: Condition::Version(version.version),
    };
    match written(parts, signed_in, (change, reason, false)).await? {
        Written::InForce(version) => Ok(Json(operator_view(parts, version).await?).into_response()),
        Written::Other(answer) => Ok(answer),
    }
}

#[utoipa::path(put, path = "/api/v1/operators/{name}/password", tag = "operators",
    params(("name" = String, Path)), request_body = PasswordBody,
    responses((status = 204), (status = 202, body = ProposalView), Problem))]
pub(crate) async fn set_password(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    body: Result<Json<PasswordBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let password = Secret::new(body.password.into_bytes());
    let operator = operator_name(&name)?;
    let spending = credential(&parts, &signed_in, &operator).await?;
    let mut salt = [0; 16];
    parts.random.fill(&mut salt);
    let hash = parts
        .passwords
        .hash(&name, password, salt)
        .await
        .map_err(|error| match error {
            PasswordError::Unfit => Problem::Object(error.to_string()),
            PasswordError::Busy | PasswordError::Failed => Problem::Ra(portreeve_ra::Error::Unavailable {
                retry_after: std::time::Duration::from_secs(2),
            }),
        })?;
    let acting = signed_in.acting(&parts.ra, "password set");
    let asked = parts
        .ra
        .set_password(&acting, &operator, (hash, spending))
        .await?;
    if spending.is_some() {
        forget(&parts, &operator);
    }
    match asked {
        Some(proposal) => accepted(&parts, &signed_in, proposal).await,
        None => Ok(StatusCode::NO_CONTENT.into_response()),
    }
}

#[utoipa::path(post, path = "/api/v1/operators/{name}/certificates", tag = "operators",
    params(("name" = String, Path)), request_body = CertificateBody,
    responses((status = 200, body = CertificateNamed), (status = 202, body = CertificateNamed), Problem))]
pub(crate) async fn add_certificate(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    body: Result<Json<CertificateBody>, JsonRejection>,
) -> Result<(StatusCode, Json<CertificateNamed>), Problem> {
    let Json(body) = body?;
    let wanted = wanted(&body)?;
    let operator = operator_name(&name)?;
    let spending = credential(&parts, &signed_in, &operator).await?;
    let found = parts.ra.objects().current(ObjectKind::Operator, &name).await?;
    let version = found.ok_or(Problem::NotFound("operator"))?;
    if spending.is_none() {
        signed_in
            .require(&parts.ra, Right::OperatorWrite, Target::Installation)
            .await?;
    }
    let (key, request) = match wanted {
        Wanted::Named(key) => (key, None),
        Wanted::Issued(key) => (key.fingerprint(), Some(key)),
    };
    if request.is_some() {
        certifier(&parts)?;
    }
    let change = PeopleChange {
        kind: ObjectKind::Operator,
        name: name.clone(),
        text: Some(with_certificate(&version.body, key)?),
        condition: Condition::Version(version.version),
    };
    let outcome = match spending {
        None => changed(&parts, &signed_in, (change, "certificate named")).await?,
        Some(id) => {
            let acting = signed_in.acting(&parts.ra, "certificate named with a one-time credential");
            let outcome = parts.ra.name_certificate(&acting, change, id).await?;
            (parts.published)(ObjectKind::Operator);
            forget(&parts, &operator);
            outcome
        }
    };
    let (version, proposal) = match outcome {
        Outcome::InForce(new) | Outcome::Unchanged(new) | Outcome::Drafted(new) => (new, None),
        Outcome::Proposed(_, id) => (version, Some(id)),
        Outcome::Retired => return Err(Problem::NotFound("operator")),
    };
    // Not before others have agreed: a certificate signs in that is matched by its names alone.
    let certificate = match (request, &proposal) {
        (Some(key), None) => Some(issue(&parts, &operator, key).await?),
        _ => None,
    };
    let certificate = certificate.map(|certificate| pem::encode(PEM_LABEL, certificate.der()));
    let (status, proposal) = asked(&parts, &signed_in, (StatusCode::OK, proposal)).await?;
    let named = CertificateNamed {
        operator: operator_view(&parts, version).await?,
        key_sha256: hex::encode(key),
        certificate,
        proposal,
    };
    Ok((status, Json(named)))
}

async fn issue(
    parts: &ConsoleParts,
    operator: &OperatorName,
    key: PublicKey,
) -> Result<Certificate, Problem> {
    certifier(parts)?
        .certify(operator, key)
        .await
        .map_err(Problem::Object)
}

fn certifier(parts: &ConsoleParts) -> Result<&dyn CertifyOperators, Problem> {
    let absent =
        || Problem::Object("this node does not hold the key of the management CA: ask another".to_owned());
    parts.certifier.as_deref().ok_or_else(absent)
}

/// The text with one more certificate; as it is when it has it.
fn with_certificate(body: &str, key: [u8; 32]) -> Result<String, Problem> {
    let mut text = table(body)?;
    let entry = toml::Table::from_iter([("spki".to_owned(), toml::Value::String(hex::encode(key)))]);
    let has = text
        .get("certificates")
        .and_then(toml::Value::as_array)
        .is_some_and(|all| all.contains(&toml::Value::Table(entry.clone())));
    if has {
        return Ok(body.to_owned());
    }
    let certificates = text
        .entry("certificates")
        .or_insert_with(|| toml::Value::Array(Vec::new()));
    if let Some(certificates) = certificates.as_array_mut() {
        certificates.push(toml::Value::Table(entry));
    }
    Ok(text.to_string())
}

#[utoipa::path(post, path = "/api/v1/operators/{name}/bootstrap", tag = "operators",
    params(("name" = String, Path)),
    responses((status = 201, body = BootstrapView), (status = 202, body = BootstrapView), Problem))]
pub(crate) async fn bootstrap(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> Result<(StatusCode, Json<BootstrapView>), Problem> {
    if signed_in.1.method != SignInMethod::Host {
        return Err(Problem::Reserved(
            "one-time credentials are made on the gateway's host alone",
        ));
    }
    let operator = operator_name(&name)?;
    let acting = signed_in.acting(&parts.ra, "one-time credential made on the host");
    let (made, proposal) = match parts.ra.bootstrap(&acting, &operator).await? {
        Bootstrapped::Made(made) => (Some((made.id, made.secret, made.until)), made.proposal),
        Bootstrapped::Waits(proposal) => (None, Some(proposal)),
    };
    let mut file = None;
    if let Some((id, secret, _)) = &made {
        let path = bootstrap_file(&parts, &operator);
        write_file(&path, &token_text(*id, secret)).map_err(|error| {
            let path = path.display();
            Problem::Object(format!("{path} cannot be written: {error}"))
        })?;
        file = Some(path);
    }
    (parts.published)(ObjectKind::Operator);
    let (status, proposal) = asked(&parts, &signed_in, (StatusCode::CREATED, proposal)).await?;
    let view = BootstrapView {
        operator: name,
        file,
        until: made.map(|(_, _, until)| until),
        proposal,
    };
    Ok((status, Json(view)))
}

/// The one-time credential that is to be spent, when the caller came with one: for their own name alone.
async fn credential(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    operator: &OperatorName,
) -> Result<Option<SecretId>, Problem> {
    if let SignInMethod::Bootstrap(id) = signed_in.1.method
        && *signed_in.principal() == Principal::Operator(operator.clone())
    {
        return Ok(Some(id));
    }
    strong_enough(parts, signed_in).await?;
    Ok(None)
}

/// Which certificate is named.
enum Wanted {
    /// One that exists, by its key.
    Named([u8; 32]),
    /// One that is to be issued for this key.
    Issued(PublicKey),
}

fn wanted(body: &CertificateBody) -> Result<Wanted, Problem> {
    let unreadable =
        |what: &str, error: &dyn std::fmt::Display| Problem::Malformed(format!("{what}: {error}"));
    let first = |label, text: &str| {
        let blocks = pem::decode_all(label, text).map_err(|error| unreadable(label, &error))?;
        blocks
            .into_iter()
            .next()
            .ok_or_else(|| unreadable(label, &"there is none"))
    };
    match (&body.spki, &body.certificate, &body.request) {
        (Some(text), None, None) => digest(text).map(Wanted::Named),
        (None, Some(text), None) => {
            let der = first(PEM_LABEL, text)?;
            let certificate = Certificate::from_der(&der).map_err(|error| unreadable(PEM_LABEL, &error))?;
            Ok(Wanted::Named(certificate.public_key().fingerprint()))
        }
        (None, None, Some(text)) => {
            let der = first(REQUEST_LABEL, text)?;
            let request = CertificationRequest::from_der(&der);
            let request = request.map_err(|error| unreadable(REQUEST_LABEL, &error))?;
            request
                .verify_possession()
                .map_err(|error| unreadable(REQUEST_LABEL, &error))?;
            Ok(Wanted::Issued(request.public_key().clone()))
        }
        _ => Err(Problem::Malformed(
            "give one of spki, certificate and request".to_owned(),
        )),
    }
}

fn table(body: &str) -> Result<toml::Table, Problem> {
    body.parse()
        .map_err(|error: toml::de::Error| Problem::Object(error.to_string()))
}

fn bootstrap_file(parts: &ConsoleParts, operator: &OperatorName) -> PathBuf {
    parts.data_dir.join(format!("bootstrap-{operator}"))
}

/// For its owner only. An earlier credential there is replaced: it was for the same operator.
fn write_file(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// Removes the file of a credential that was spent. On another node of the installation it stays, and is of no use.
fn forget(parts: &ConsoleParts, operator: &OperatorName) {
    let path = bootstrap_file(parts, operator);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "a spent credential could not be removed")
        }
    }
}
