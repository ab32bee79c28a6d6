//! Reads a signer's journal by its documented form, without the signer's code.

use std::path::Path;

use portreeve_pkix::sha256;
use portreeve_ra::EnrollmentId;

use crate::FaultError;
use crate::site::files;

const BLOCK: usize = 64;
const MAGIC: &[u8] = b"PRJRNL\0\x01";

/// One signature of a certificate, or the permission for one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// For what.
    pub enrollment: EnrollmentId,
    /// SHA-256 of the TBSCertificate.
    pub digest: [u8; 32],
}

/// The entries of every journal below a data directory.
pub fn read_all(data_dir: &Path) -> Result<Vec<Entry>, FaultError> {
    let mut entries = Vec::new();
    for path in files(data_dir, "journal")? {
        entries.extend(read(&path)?);
    }
    Ok(entries)
}

/// The entries of a journal. A block whose checksum is wrong was never durable and counts for nothing.
pub fn read(path: &Path) -> Result<Vec<Entry>, FaultError> {
    let octets = std::fs::read(path).map_err(FaultError::system(path.display().to_string()))?;
    let mut blocks = octets.chunks(BLOCK);
    if !blocks
        .next()
        .and_then(checked)
        .is_some_and(|header| header.starts_with(MAGIC))
    {
        return Err(FaultError::Unreadable("journal"));
    }
    Ok(blocks.filter_map(entry).collect())
}

/// The block of an entry, as a signer would write it.
pub fn block(entry: &Entry) -> Vec<u8> {
    let mut content = [entry.enrollment.as_bytes().as_slice(), &entry.digest].concat();
    content.resize(BLOCK - 4, 0);
    let checksum = sha256(&content);
    content.extend_from_slice(
        checksum
            .first_chunk::<4>()
            .map_or(&[], |checksum| checksum.as_slice()),
    );
    content
}

fn entry(block: &[u8]) -> Option<Entry> {
    let (enrollment, rest) = checked(block)?.split_first_chunk::<16>()?;
    let (digest, _) = rest.split_first_chunk::<32>()?;
    Some(Entry {
        enrollment: EnrollmentId::from_bytes(*enrollment),
        digest: *digest,
    })
}

fn checked(block: &[u8]) -> Option<&[u8]> {
    let (content, checksum) = block.split_last_chunk::<4>()?;
    (block.len() == BLOCK && sha256(content).starts_with(checksum)).then_some(content)
}
