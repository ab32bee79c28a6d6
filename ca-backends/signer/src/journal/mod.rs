//! What has been signed: at most one TBSCertificate per enrollment, whatever the database says.
//!
//! An append-only file. An entry is durable before its signature is made. Enrollment ids older than 31 days are
//! refused, so entries older than that can be dropped; dropping happens when the journal is opened.

mod record;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use portreeve_pkix::Timestamp;
use portreeve_ra::EnrollmentId;
use rustix::fs::{FlockOperation, flock};

use record::{Contents, Header, Record};

/// Entries live this long; older enrollments are refused.
const AGE_MAX: Duration = Duration::from_secs(31 * 24 * 3600);
/// How far ahead of this clock the one that made an enrollment id may be.
const SKEW_MAX: Duration = Duration::from_secs(24 * 3600);
/// Bounds the memory: about 100 octets per entry.
const ENTRIES_MAX: usize = 8_000_000;
/// Most entries of one write; what a crash can tear.
pub(crate) const BATCH_MAX: usize = 256;
/// Octets of zeros behind the records once room was made: as many as one write may need, so that a crash never tears more. A write
/// into room leaves the file's length, and making it durable costs one write of the disk, not two.
const ROOM: usize = BATCH_MAX * record::LENGTH;
/// A predecessor that lost its gateway ends at once; wait this long for it.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// The journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refuses.
    #[error("journal {path}: {source}")]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another signer uses the same directory.
    #[error("journal {0} is in use by another signer process")]
    Locked(PathBuf),
    /// The file is something else, or of a newer version.
    #[error("{0} is not a journal of version 1")]
    NotAJournal(PathBuf),
    /// Entries in the middle are unreadable: a disk fault or a change by hand.
    #[error(
        "journal {path} is damaged at octet {offset}: entries may be missing, so nothing is signed; \
         restore the file, or wait 31 days after the last issuance and remove it"
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the first unreadable record lies.
        offset: u64,
    },
}

/// Why an entry is not made.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Other bytes were signed for this enrollment.
    SecondContent,
    /// The enrollment is too old to know whether something was signed for it.
    TooOld,
    /// The enrollment was made far in the future.
    FromTheFuture,
    /// No room for another entry.
    Full,
}

pub(crate) struct Journal {
    path: PathBuf,
    file: File,
    /// Held as long as the journal is.
    _lock: File,
    entries: HashMap<EnrollmentId, [u8; 32]>,
    /// Enrollments made up to then may have been dropped.
    floor: Timestamp,
    batch: u32,
    staged: Vec<u8>,
    /// Where the next record goes, and where the room for records ends.
    end: u64,
    room: u64,
}

impl Journal {
    /// Opens or makes the journal in this directory and drops what is too old.
    pub(crate) fn open(directory: &Path, now: Timestamp) -> Result<Self, JournalError> {
        Self::open_within(directory, now, LOCK_PATIENCE)
    }

    /// The same, waiting this long for a predecessor to give up the lock.
    fn open_within(directory: &Path, now: Timestamp, patience: Duration) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: directory.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io)?;
        let lock = lock(directory, patience)?;
        let path = directory.join("journal");
        let contents = read(&path)?;
        let (floor, entries) = contents.retain_since(now.saturating_sub(AGE_MAX));
        // Writing the file anew is worth it when half of it would go; a torn end has to go.
        let rewrite = contents.is_torn() || entries.len() * 2 < contents.len() || contents.is_new();
        let mut batch = contents.batch_last().wrapping_add(1);
        let io = |source| JournalError::Io {
            path: path.clone(),
            source,
        };
        let (file, end) = if rewrite {
            write_anew(directory, (floor, &entries), &mut batch).map_err(io)?
        } else {
            let mut options = OpenOptions::new();
            let file = options.read(true).write(true).open(&path).map_err(io)?;
            // Whoever wrote the last entries may have ended before they were durable.
            file.sync_data().map_err(io)?;
            (file, contents.end())
        };
        let room = file.metadata().map_err(io)?.len();
        Ok(Self {
            path,
            file,
            _lock: lock,
            entries,
            floor,
            batch,
            staged: Vec::new(),
            end,
            room,
        })
    }

    /// Makes an entry, to be written by the next [`commit`](Self::commit). The same bytes again are no new entry.
    pub(crate) fn stage(
        &mut self,
        enrollment: EnrollmentId,
        digest: [u8; 32],
        now: Timestamp,
    ) -> Result<(), Refusal> {
        match self.entries.get(&enrollment) {
            Some(known) if *known == digest => return Ok(()),
            Some(_) => return Err(Refusal::SecondContent),
            None => {}
        }
        let made_at = enrollment.made_at();
        if made_at <= self.floor || made_at <= now.saturating_sub(AGE_MAX) {
            return Err(Refusal::TooOld);
        }
        if made_at > now.saturating_add(SKEW_MAX) {
            return Err(Refusal::FromTheFuture);
        }
        if self.entries.len() >= ENTRIES_MAX {
            self.drop_old(now);
            if self.entries.len() >= ENTRIES_MAX {
                return Err(Refusal::Full);
            }
        }
        self.entries.insert(enrollment, digest);
        let record = Record {
            enrollment,
            digest,
            at: now,
            batch: self.batch,
        };
        self.staged.extend_from_slice(&record.encode());
        Ok(())
    }

    /// Makes everything staged durable. After an error the journal must not be used any more: open it again.
    pub(crate) fn commit(&mut self) -> Result<(), JournalError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let written = self.write_staged();
        written.map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })?;
        self.staged.clear();
        self.batch = self.batch.wrapping_add(1);
        Ok(())
    }

    fn write_staged(&mut self) -> std::io::Result<()> {
        let end = self.end.saturating_add(octets(&self.staged));
        if end > self.room {
            let room = self.end.saturating_add(octets(&[0; ROOM])).max(end);
            let missing = usize::try_from(room.saturating_sub(self.room)).unwrap_or(ROOM);
            self.file.write_all_at(&vec![0; missing], self.room)?;
            self.file.sync_data()?;
            self.room = room;
        }
        self.file.write_all_at(&self.staged, self.end)?;
        self.file.sync_data()?;
        self.end = end;
        Ok(())
    }

    fn drop_old(&mut self, now: Timestamp) {
        let oldest = now.saturating_sub(AGE_MAX);
        let floor = &mut self.floor;
        self.entries.retain(|enrollment, _| {
            let kept = enrollment.made_at() > oldest;
            if !kept {
                *floor = (*floor).max(enrollment.made_at());
            }
            kept
        });
    }
}

fn octets(written: &[u8]) -> u64 {
    u64::try_from(written.len()).unwrap_or(u64::MAX)
}

/// The lock, asked for again and again while another has it.
fn lock(directory: &Path, patience: Duration) -> Result<File, JournalError> {
    let path = directory.join("journal.lock");
    let io = |source| JournalError::Io {
        path: path.clone(),
        source,
    };
    let mut options = OpenOptions::new();
    let file = options
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(io)?;
    let started = Instant::now();
    loop {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::WOULDBLOCK) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(10));
            }
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(JournalError::Locked(directory.to_owned())),
            Err(error) => return Err(io(error.into())),
        }
    }
}

fn read(path: &Path) -> Result<Contents, JournalError> {
    let io = |source| JournalError::Io {
        path: path.to_owned(),
        source,
    };
    let mut octets = Vec::new();
    match File::open(path) {
        Ok(mut file) => file.read_to_end(&mut octets).map_err(io)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Contents::default()),
        Err(error) => return Err(io(error)),
    };
    Contents::decode(&octets).map_err(|flaw| match flaw {
        record::Flaw::NotAJournal => JournalError::NotAJournal(path.to_owned()),
        record::Flaw::Damaged { offset } => JournalError::Damaged {
            path: path.to_owned(),
            offset,
        },
    })
}

/// Writes header and entries into a new file and puts it in the place of the old one. The file is complete before it is
/// renamed, so every entry counts as a write of its own and none of them may be missing later. Says where the next record goes.
fn write_anew(
    directory: &Path,
    (floor, entries): (Timestamp, &HashMap<EnrollmentId, [u8; 32]>),
    batch: &mut u32,
) -> std::io::Result<(File, u64)> {
    let next = directory.join("journal.new");
    let mut options = OpenOptions::new();
    let mut file = options
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(&next)?;
    let mut content = Header { floor }.encode().to_vec();
    for (&enrollment, &digest) in entries {
        let record = Record {
            enrollment,
            digest,
            at: enrollment.made_at(),
            batch: *batch,
        };
        content.extend_from_slice(&record.encode());
        *batch = batch.wrapping_add(1);
    }
    file.write_all(&content)?;
    file.sync_all()?;
    std::fs::rename(&next, directory.join("journal"))?;
    File::open(directory)?.sync_all()?;
    Ok((file, octets(&content)))
}
