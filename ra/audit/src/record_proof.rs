//! Proof that one record is in the log, for people without access to it (C2SP `tlog-proof`). The extra data is the record
//! itself, so that the file, with the public key of the log, is all that is needed.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_ra::{Record, StoredRecord};

use crate::checkpoint::Checkpoint;
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::proof::{BadProof, PROOF_HASHES_MAX, check_inclusion};
use crate::tree::Hash;

const TITLE: &str = "c2sp.org/tlog-proof@v1";

/// Octets of a proof file, at most: a record of 1 MiB in base64, and the rest.
pub const PROOF_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Why a proof is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It has another form.
    #[error("not a proof: {0}")]
    Form(&'static str),
    /// Its checkpoint.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Its hashes.
    #[error(transparent)]
    Hashes(#[from] BadProof),
}

/// One record, where it is in the log, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordProof {
    /// The record.
    pub record: StoredRecord,
    /// Which leaf it is, from 0.
    pub index: u64,
    /// The inclusion proof.
    pub hashes: Vec<Hash>,
    /// The tree it is in.
    pub checkpoint: SignedNote,
}

/// The octets of the extra data.
#[derive(BorshSerialize, BorshDeserialize)]
struct Extra {
    header: Vec<u8>,
    payload_digest: Vec<u8>,
    salt: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    key: Vec<u8>,
    signature: Vec<u8>,
}

impl RecordProof {
    /// Checks it with nothing but the public keys of the log; the record and the checkpoint that it is under.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<(Record, Checkpoint), ProofError> {
        let checkpoint = Checkpoint::verified(&self.checkpoint, keys)?;
        let record = Record::from_stored(self.record.clone()).map_err(|_| ProofError::Form("its record"))?;
        let leaf = (&record.hash(), self.index);
        check_inclusion(leaf, &self.hashes, (checkpoint.size, &checkpoint.root))?;
        Ok((record, checkpoint))
    }
}

impl fmt::Display for RecordProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record.clone();
        let extra = borsh::to_vec(&Extra {
            header: record.header,
            payload_digest: record.payload_digest,
            salt: record.salt,
            payload: record.payload,
            key: record.key,
            signature: record.signature,
        });
        let extra = extra.map_err(|_| fmt::Error)?;
        writeln!(
            f,
            "{TITLE}\nextra {}\nindex {}",
            STANDARD.encode(extra),
            self.index
        )?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

impl FromStr for RecordProof {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        if text.len() > PROOF_BYTES_MAX {
            return Err(ProofError::Form("it is too long"));
        }
        let (head, checkpoint) = text.split_once("\n\n").ok_or(ProofError::Form("no checkpoint"))?;
        let mut lines = head.lines();
        if lines.next() != Some(TITLE) {
            return Err(ProofError::Form("its first line"));
        }
        let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
        let extra = extra.and_then(|extra| STANDARD.decode(extra).ok());
        let extra = extra.and_then(|extra| Extra::try_from_slice(&extra).ok());
        let extra = extra.ok_or(ProofError::Form("its record"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|index| {
            index
                .parse()
                .ok()
                .filter(|number: &u64| number.to_string() == index)
        });
        let hashes: Option<Vec<Hash>> = lines
            .map(|line| STANDARD.decode(line).ok()?.try_into().ok())
            .collect();
        let hashes = hashes.filter(|hashes| hashes.len() <= PROOF_HASHES_MAX);
        Ok(Self {
            record: StoredRecord {
                header: extra.header,
                payload_digest: extra.payload_digest,
                salt: extra.salt,
                payload: extra.payload,
                key: extra.key,
                signature: extra.signature,
            },
            index: index.ok_or(ProofError::Form("its index"))?,
            hashes: hashes.ok_or(ProofError::Form("its hashes"))?,
            checkpoint: checkpoint.parse()?,
        })
    }
}
