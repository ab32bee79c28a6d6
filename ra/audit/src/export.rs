//! An audit log as a file: one JSON object in a line; first what it is, then each leaf, then each checkpoint.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::Arc;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_ra::ports::{AuditLog, EventSigner, KeyError, RecordPlace, SealedRecord, StoreError, TILE};
use portreeve_ra::{KeyId, Purpose, StoredRecord};
use serde::{Deserialize, Serialize};

use crate::checkpoint::Checkpoint;
use crate::note::{SignedNote, VerifierKey};
use crate::verify::{Report, Scope, VerifyError};

/// Octets of a line, at most: a record of 1 MiB in base64, and the rest.
const LINE_MAX: u64 = 4 * 1024 * 1024;

/// The form of the file.
const VERSION: u32 = 1;

/// Leaves read at once.
const LEAVES: u32 = 500;

/// The first line.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Title {
    /// The form of the file: 1.
    pub portreeve_audit_export: u32,
    /// The name of the log.
    pub origin: String,
    /// Leaves.
    pub size: u64,
    /// Public keys that sign checkpoints, as verifier keys.
    pub log_keys: Vec<String>,
    /// Public keys that sign records: purpose, key id and key in hexadecimal.
    pub record_keys: Vec<(String, String, String)>,
}

/// Any other line.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Leaf(Box<LeafLine>),
    Checkpoint {
        /// The signed note.
        checkpoint: String,
    },
}

/// A leaf. Octets are in base64; salt and payload are absent when they are erased, and all but the hash when the record
/// was gone.
#[derive(Default, Serialize, Deserialize)]
struct LeafLine {
    index: u64,
    sequence: u64,
    kind: u64,
    stream: String,
    position: u64,
    hash: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    payload: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the log to a file. `told` hears how many leaves are done, of how many.
pub async fn export<W: Write + Send>(
    log: &dyn AuditLog,
    (title, mut to): (Title, W),
    mut told: impl FnMut(u64, u64) + Send,
) -> Result<u64, ExportError> {
    let size = log.progress().await?.size;
    put(&mut to, &Title { size, ..title })?;
    let mut from = 0;
    while from < size {
        let found = log.leaves(from, LEAVES).await?;
        let Some(last) = found.last() else { break };
        from = last.index.saturating_add(1);
        for leaf in found.iter().filter(|leaf| leaf.index < size) {
            put(&mut to, &Line::Leaf(Box::new(line(leaf))))?;
        }
        told(from.min(size), size);
    }
    let mut before = None;
    loop {
        let found = log.checkpoints(before, LEAVES).await?;
        for row in found.iter().filter(|row| row.size <= size) {
            let checkpoint = row.note.clone();
            put(&mut to, &Line::Checkpoint { checkpoint })?;
        }
        before = found.last().map(|row| row.number);
        if before.is_none() {
            break;
        }
    }
    to.flush()?;
    Ok(size)
}

/// The keys that an export names: what signs records. They are as good as the file they come from.
pub struct ExportedKeys(BTreeMap<(Purpose, KeyId), Vec<u8>>);

impl EventSigner for ExportedKeys {
    fn sign(&self, purpose: Purpose, _: &[u8]) -> Result<(KeyId, [u8; 64]), KeyError> {
        Err(KeyError::Absent(purpose))
    }

    fn verify(
        &self,
        purpose: Purpose,
        key: KeyId,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), KeyError> {
        let public = self.0.get(&(purpose, key)).ok_or(KeyError::Invalid)?;
        let public = UnparsedPublicKey::new(&ED25519, public);
        public.verify(message, signature).map_err(|_| KeyError::Invalid)
    }
}

impl Title {
    /// The first line of an export of this log.
    pub fn new(origin: &str, log_keys: &[VerifierKey], record_keys: &[(Purpose, KeyId, [u8; 32])]) -> Self {
        let record_keys = record_keys.iter();
        Self {
            portreeve_audit_export: VERSION,
            origin: origin.to_owned(),
            size: 0,
            log_keys: log_keys.iter().map(VerifierKey::to_string).collect(),
            record_keys: record_keys
                .map(|(purpose, id, key)| (purpose.to_string(), id.to_string(), hex::encode(key)))
                .collect(),
        }
    }

    /// The keys that sign checkpoints, as the file says.
    pub fn log_keys(&self) -> Result<Vec<VerifierKey>, VerifyError> {
        let keys = self.log_keys.iter().map(|key| key.parse());
        keys.collect::<Result<_, _>>()
            .map_err(|_| bad(1, "a key of the log cannot be read"))
    }

    /// The keys that sign records, as the file says.
    pub fn record_keys(&self) -> Result<ExportedKeys, VerifyError> {
        let read = |(purpose, id, key): &(String, String, String)| {
            let purpose = Purpose::ALL.into_iter().find(|known| known.as_str() == purpose)?;
            let mut octets = [0; 8];
            hex::decode_to_slice(id, &mut octets).ok()?;
            let key = hex::decode(key).ok()?;
            // A key id is the beginning of the hash of the key.
            let named = portreeve_pkix::sha256(&key).first_chunk::<8>().copied();
            (named == Some(octets)).then_some(((purpose, KeyId(octets)), key))
        };
        let keys: Option<BTreeMap<_, _>> = self.record_keys.iter().map(read).collect();
        keys.map(ExportedKeys)
            .ok_or_else(|| bad(1, "a key of records cannot be read"))
    }
}

/// Reads the first line of an export.
pub fn title(from: &mut impl BufRead) -> Result<Title, VerifyError> {
    let line = read_line(from, 1)?.ok_or_else(|| bad(1, "it is empty"))?;
    let title: Title = serde_json::from_slice(&line).map_err(|_| bad(1, "not an export of an audit log"))?;
    if title.portreeve_audit_export == VERSION {
        Ok(title)
    } else {
        Err(bad(1, "a form that this program does not know"))
    }
}

/// Goes through an export behind its first line. `told` hears how many leaves are done, of how many.
///
/// The checkpoints of the log stand at the end of the file, so it is gone through twice: `again` opens it anew.
pub fn verify_export<R: BufRead>(
    (title, scope): (&Title, &Scope),
    again: impl Fn() -> io::Result<R>,
    mut told: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let mut auditor = scope.auditor()?;
    let mut faulty = Vec::new();
    each_line(again().map_err(unreadable)?, |number, line| {
        if let Line::Checkpoint { checkpoint } = line {
            let note = checkpoint.parse::<SignedNote>();
            let which = format!("the checkpoint in line {number}");
            match note.and_then(|note| Checkpoint::verified(&note, &scope.keys)) {
                Ok(known) => auditor.expect(&known, &which),
                Err(error) => faulty.push(format!("{which}: {error}")),
            }
        }
        Ok(())
    })?;
    for detail in faulty {
        auditor.not_signed(detail);
    }
    let mut records = 0;
    each_line(again().map_err(unreadable)?, |number, line| {
        if let Line::Leaf(leaf) = line {
            auditor.leaf(&sealed(&leaf).ok_or_else(|| bad(number, "octets that are not in base64"))?);
            records += 1;
            if records % TILE == 0 {
                told(records, title.size);
            }
        }
        Ok(())
    })?;
    let mut report = auditor.finish(title.size);
    report.looked_at = (0, report.size);
    Ok(report)
}

fn each_line(
    mut from: impl BufRead,
    mut take: impl FnMut(u64, Line) -> Result<(), VerifyError>,
) -> Result<(), VerifyError> {
    let mut number = 1;
    read_line(&mut from, number)?;
    loop {
        number += 1;
        let Some(text) = read_line(&mut from, number)? else {
            return Ok(());
        };
        let line =
            serde_json::from_slice(&text).map_err(|_| bad(number, "neither a leaf nor a checkpoint"))?;
        take(number, line)?;
    }
}

fn read_line(from: &mut impl BufRead, number: u64) -> Result<Option<Vec<u8>>, VerifyError> {
    let mut line = Vec::new();
    let mut limited = io::Read::take(from, LINE_MAX);
    let length = limited.read_until(b'\n', &mut line).map_err(unreadable)?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if u64::try_from(length).is_ok_and(|length| length >= LINE_MAX) => {
            Err(bad(number, "too long"))
        }
        Some(_) => Err(bad(number, "the file ends in the middle of it")),
    }
}

fn line(leaf: &SealedRecord) -> LeafLine {
    let text = |octets: &Vec<u8>| STANDARD.encode(octets);
    let record = leaf.record.as_ref();
    LeafLine {
        index: leaf.index,
        sequence: leaf.sequence,
        kind: leaf.place.kind,
        stream: hex::encode(leaf.place.stream),
        position: leaf.place.position,
        hash: STANDARD.encode(leaf.hash),
        header: record.map(|record| text(&record.header)),
        digest: record.map(|record| text(&record.payload_digest)),
        salt: record.and_then(|record| record.salt.as_ref().map(text)),
        payload: record.and_then(|record| record.payload.as_ref().map(text)),
        key: record.map(|record| text(&record.key)),
        signature: record.map(|record| text(&record.signature)),
    }
}

fn sealed(line: &LeafLine) -> Option<SealedRecord> {
    let octets = |text: &String| STANDARD.decode(text).ok();
    let optional = |text: &Option<String>| match text {
        None => Some(None),
        Some(text) => octets(text).map(Some),
    };
    let record = match (&line.header, &line.digest, &line.key, &line.signature) {
        (Some(header), Some(digest), Some(key), Some(signature)) => Some(StoredRecord {
            header: octets(header)?,
            payload_digest: octets(digest)?,
            salt: optional(&line.salt)?,
            payload: optional(&line.payload)?,
            key: octets(key)?,
            signature: octets(signature)?,
        }),
        _ => None,
    };
    let mut stream = [0; 16];
    hex::decode_to_slice(&line.stream, &mut stream).ok()?;
    Some(SealedRecord {
        index: line.index,
        sequence: line.sequence,
        place: RecordPlace {
            kind: line.kind,
            stream,
            position: line.position,
        },
        hash: octets(&line.hash)?.try_into().ok()?,
        record,
    })
}

fn put(to: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    to.write_all(b"\n")
}

fn bad(line: u64, reason: &str) -> VerifyError {
    VerifyError::Export {
        line,
        reason: reason.to_owned(),
    }
}

fn unreadable(error: io::Error) -> VerifyError {
    bad(0, &error.to_string())
}

/// Who checks signatures of records by the keys of an export.
pub fn record_signer(title: &Title) -> Result<Arc<dyn EventSigner>, VerifyError> {
    Ok(Arc::new(title.record_keys()?))
}
