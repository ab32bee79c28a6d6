//! `portreeve audit proof|verify-proof`.

use std::path::PathBuf;

use clap::Args;
use portreeve_audit::record_proof::PROOF_BYTES_MAX;
use portreeve_audit::{RecordProof, VerifierKey};
use portreeve_pkix::{Certificate, pem, sha256};
use portreeve_ra::{EnrollmentEvent, Event, Record, RecordError};
use serde::Serialize;

use super::super::request::{parameter, segment};
use super::super::{CliError, Exit, Format, Output, Target, plain};
use crate::audit::ProofView;

/// A proof to be checked.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The proof, as `audit proof` prints it.
    file: PathBuf,
    /// The public key of the log, as `audit key` prints it.
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<VerifierKey>,
    /// The certificate that the proof must be about, in PEM or DER.
    #[arg(long, value_name = "FILE")]
    certificate: Option<PathBuf>,
}

/// The certificate whose proof is asked for.
#[derive(Debug, Args)]
pub(super) struct Wanted {
    /// Its serial number, in hexadecimal.
    #[arg(required_unless_present = "certificate")]
    serial: Option<String>,
    /// The name of its issuer, such as "CN=Example Issuing CA,O=Example": where several CAs have given the number.
    #[arg(long, value_name = "NAME", conflicts_with = "certificate")]
    issuer: Option<String>,
    /// The CA that signed it, as endpoints name it.
    #[arg(long, value_name = "CA", conflicts_with = "certificate")]
    backend: Option<String>,
    /// The certificate itself, in PEM or DER, in place of its serial number.
    #[arg(long, value_name = "FILE", conflicts_with = "serial")]
    certificate: Option<PathBuf>,
}

/// What a proof proves.
#[derive(Serialize)]
struct Proven {
    log: String,
    index: u64,
    size: u64,
    recorded_at: String,
    events: Vec<String>,
    stream: String,
    serial: Option<String>,
    subject: Option<String>,
    certificate_sha256: Option<String>,
    erased: bool,
}

/// Asks the gateway for a proof and prints it.
pub(super) async fn show(target: &Target, wanted: &Wanted, output: Output) -> Result<Exit, CliError> {
    let given = wanted.certificate.as_ref().map(read_certificate).transpose()?;
    let (serial, issuer) = match &given {
        Some(given) => (given.serial().to_hex(), Some(given.issuer().to_string())),
        None => (wanted.serial.clone().unwrap_or_default(), wanted.issuer.clone()),
    };
    let which = [("issuer", issuer), ("backend", wanted.backend.clone())];
    let which: Vec<String> = which
        .into_iter()
        .filter_map(|(name, value)| Some(parameter(name, &value?)))
        .collect();
    let serial = segment(&serial)?.to_ascii_lowercase();
    let path = format!("/api/v1/audit/proofs/{serial}?{}", which.join("&"));
    let found: ProofView = target.client()?.read(&path).await?;
    if let Some(given) = &given {
        about(&found, given).map_err(CliError::Failed)?;
    }
    match output.format() {
        Format::Json => output.json(&found)?,
        Format::Table => output.text(&found.proof)?,
    }
    Ok(Exit::Fine)
}

/// Whether a proof is about this certificate, as far as its record says.
fn about(found: &ProofView, given: &Certificate) -> Result<(), String> {
    let proof: RecordProof = found
        .proof
        .parse()
        .map_err(|error: portreeve_audit::ProofError| error.to_string())?;
    let record = Record::from_stored(proof.record).map_err(|error| error.to_string())?;
    match certificate_of(&record)? {
        Some(certificate) if certificate.der() != given.der() => {
            Err("the gateway knows another certificate with this issuer and serial number".to_owned())
        }
        _ => Ok(()),
    }
}

/// Checks a proof.
pub(super) fn check(check: &Check, output: Output) -> Result<Exit, CliError> {
    let path = &check.file;
    let content = |reason: String| CliError::Content {
        path: path.clone(),
        reason,
    };
    let length = std::fs::metadata(path).map_err(CliError::file(path))?.len();
    if length > u64::try_from(PROOF_BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(content("too large for a proof".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(CliError::file(path))?;
    let proof: RecordProof = text
        .parse()
        .map_err(|error: portreeve_audit::ProofError| content(error.to_string()))?;
    let verified = proof.verify(&check.key);
    let (record, checkpoint) = verified.map_err(|error| content(error.to_string()))?;
    let certificate = certificate_of(&record).map_err(content)?;
    if let Some(given) = &check.certificate {
        let given = read_certificate(given)?;
        if certificate.as_ref().map(Certificate::der) != Some(given.der()) {
            return Err(content(
                "it proves another record than that of this certificate".to_owned(),
            ));
        }
    }
    let header = record.header();
    let proven = Proven {
        log: checkpoint.origin,
        index: proof.index,
        size: checkpoint.size,
        recorded_at: header.at.to_string(),
        events: header.kinds.iter().map(|kind| kind.as_str().to_owned()).collect(),
        stream: format!("{} {}", header.stream, header.position),
        serial: certificate.as_ref().map(|found| found.serial().to_hex()),
        subject: certificate.as_ref().map(|found| found.subject().to_string()),
        certificate_sha256: certificate.as_ref().map(|found| hex::encode(sha256(found.der()))),
        erased: record.is_erased(),
    };
    output.fields(&proven, fields)?;
    Ok(Exit::Fine)
}

fn fields(proven: &Proven) -> Vec<(&'static str, String)> {
    let said = if proven.erased { "erased" } else { "as signed" };
    let mut lines = vec![
        ("verdict", "the record is in the log".to_owned()),
        ("log", plain(&proven.log)),
        ("leaf", format!("{} of {}", proven.index, proven.size)),
        ("recorded", proven.recorded_at.clone()),
        ("events", proven.events.join(", ")),
        ("stream", proven.stream.clone()),
        ("content", said.to_owned()),
    ];
    lines.extend(proven.serial.clone().map(|serial| ("serial", serial)));
    lines.extend(
        proven
            .subject
            .as_deref()
            .map(|subject| ("subject", plain(subject))),
    );
    lines.extend(proven.certificate_sha256.clone().map(|hash| ("sha256", hash)));
    lines
}

/// The certificate that a record tells of, if it does and is not erased.
fn certificate_of(record: &Record) -> Result<Option<Certificate>, String> {
    let events = match record.events() {
        Ok(events) => events,
        Err(RecordError::Erased) => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    for event in events {
        if let Event::Enrollment(EnrollmentEvent::Issued { certificate, .. }) = event {
            let read = Certificate::from_der(&certificate).map_err(|error| error.to_string())?;
            return Ok(Some(read));
        }
    }
    Ok(None)
}

fn read_certificate(path: &PathBuf) -> Result<Certificate, CliError> {
    let content = |reason: String| CliError::Content {
        path: path.clone(),
        reason,
    };
    let octets = std::fs::read(path).map_err(CliError::file(path))?;
    let der = match std::str::from_utf8(&octets) {
        Ok(text) if text.contains("-----BEGIN") => {
            let found = pem::decode_all("CERTIFICATE", text).map_err(|error| content(error.to_string()))?;
            found
                .into_iter()
                .next()
                .ok_or_else(|| content("no certificate".to_owned()))?
        }
        _ => octets,
    };
    Certificate::from_der(&der).map_err(|error| content(error.to_string()))
}
