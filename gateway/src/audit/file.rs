//! The file to which checkpoints are appended, each as a signed note with an empty line behind it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use portreeve_audit::checkpoint::{notes, unfold};
use portreeve_audit::{Checkpoint, Outside, SignedNote};

/// Octets at the end of the file that are looked at before something is appended: many notes.
const TAIL: u64 = 64 * 1024;

/// Octets of checkpoints that are read for a verification, at most; of a longer file its end.
const READ_MAX: u64 = 32 * 1024 * 1024;

/// The beginning of a signature line.
const SIGNATURE: &str = "\u{2014} ";

/// A file of checkpoints. It may be moved away between two of them, as `logrotate` does.
#[derive(Clone, Debug)]
pub struct CheckpointFile {
    path: PathBuf,
    name: String,
}

impl CheckpointFile {
    /// The file at this path, made when it is first written to.
    pub fn new(path: PathBuf) -> Self {
        let name = path.display().to_string();
        Self { path, name }
    }

    /// Appends a note, on disk on return. What was left of one that a crash cut off is removed before.
    fn append(path: &Path, note: &str) -> io::Result<()> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        let length = file.metadata()?.len();
        let (tail, from) = tail(&mut file, length, TAIL)?;
        let end = match last_end(&tail) {
            Some(end) => from + u64::try_from(end).unwrap_or(0),
            // The first note of the file was cut off: there is no more than a part of one.
            None if tail.len() < 1_024 => 0,
            None => return Err(io::Error::other("it is no file of checkpoints")),
        };
        if end < length {
            file.set_len(end)?;
        }
        file.seek(SeekFrom::Start(end))?;
        file.write_all(format!("{note}\n").as_bytes())?;
        file.sync_data()
    }
}

#[async_trait]
impl Outside for CheckpointFile {
    fn name(&self) -> &str {
        &self.name
    }

    async fn last(&self, origin: &str) -> Result<Option<SignedNote>, String> {
        let found = read_checkpoints(&self.path).map_err(|error| error.to_string())?;
        Ok(found.into_iter().rev().find(|note| is_of(note, origin)))
    }

    async fn publish(&self, note: &SignedNote) -> Result<(), String> {
        let (path, text) = (self.path.clone(), note.to_string());
        let written = tokio::task::spawn_blocking(move || Self::append(&path, &text)).await;
        match written {
            Ok(done) => done.map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The checkpoints in a file, as this program writes them or as lines of syslog; none when there is no file. Of a long file
/// only the last ones.
pub fn read_checkpoints(path: &Path) -> io::Result<Vec<SignedNote>> {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let (text, from) = tail(&mut file, length, READ_MAX)?;
    // Of the first note in the tail of a longer file only a part may be there.
    let text = match first_end(&text) {
        Some(end) if from > 0 => text.get(end..).unwrap_or_default(),
        _ => text.as_str(),
    };
    let bad =
        |error: portreeve_audit::NoteError| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
    notes(&unfold(text)).map(|(found, _)| found).map_err(bad)
}

/// Whether a note is a checkpoint of this log, whoever has signed it.
pub fn is_of(note: &SignedNote, origin: &str) -> bool {
    let read = note.text().parse::<Checkpoint>();
    read.is_ok_and(|checkpoint| checkpoint.origin == origin)
}

/// The end of a file, and where it begins. Octets that are no text are replaced, which makes them longer at the very
/// beginning only: the tail of a file of text may begin within a character.
fn tail(file: &mut File, length: u64, most: u64) -> io::Result<(String, u64)> {
    let from = length.saturating_sub(most);
    file.seek(SeekFrom::Start(from))?;
    let mut octets = Vec::new();
    file.take(most).read_to_end(&mut octets)?;
    let begins = octets
        .iter()
        .take_while(|octet| (0x80..0xc0).contains(*octet))
        .count()
        .min(3);
    let text = String::from_utf8_lossy(octets.get(begins..).unwrap_or_default()).into_owned();
    Ok((text, from + u64::try_from(begins).unwrap_or(0)))
}

/// Where the first or last whole note ends, with its empty line: behind a signature line.
fn ends(text: &str) -> impl Iterator<Item = usize> {
    text.match_indices("\n\n").filter_map(|(at, _)| {
        let before = text.get(..at)?;
        let line = before
            .rfind('\n')
            .map_or(before, |begin| before.get(begin + 1..).unwrap_or_default());
        line.starts_with(SIGNATURE).then_some(at + 2)
    })
}

fn last_end(text: &str) -> Option<usize> {
    ends(text).last()
}

fn first_end(text: &str) -> Option<usize> {
    ends(text).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_audit::VerifierKey;

    fn note(size: u64) -> SignedNote {
        let origin = "portreeve/test".to_owned();
        let key = VerifierKey::new(&origin, [2; 32]).unwrap();
        let root = [3; 32];
        let text = Checkpoint { origin, size, root }.to_string();
        SignedNote::new(text, vec![key.signature([4; 64])]).unwrap()
    }

    #[tokio::test]
    async fn what_was_cut_off_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("checkpoints");
        let file = CheckpointFile::new(path.clone());
        assert_eq!(file.last("portreeve/test").await, Ok(None));
        for size in 1..=3 {
            file.publish(&note(size)).await.unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        let second = whole.len() / 3 * 2;
        assert_eq!(file.last("portreeve/test").await, Ok(Some(note(3))));
        assert_eq!(file.last("portreeve/other").await, Ok(None));
        for cut in second + 1..whole.len() {
            std::fs::write(&path, &whole[..cut]).unwrap();
            file.publish(&note(3)).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {cut}");
        }
        for cut in [1, 20, 60, 100, second / 2 - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            file.publish(&note(1)).await.unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), whole[..second / 2], "cut at {cut}");
        }
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&path).unwrap());
        assert_eq!(mode & 0o077, 0);
    }

    #[tokio::test]
    async fn another_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("letters");
        let text = "Dear Sir,\n\n".repeat(200);
        std::fs::write(&path, &text).unwrap();
        let file = CheckpointFile::new(path.clone());
        assert!(file.publish(&note(1)).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn lines_of_syslog_are_read_as_well() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lines");
        let lines: String = [1, 2]
            .map(|size| format!("{}\n", portreeve_audit::checkpoint::one_line(&note(size))))
            .concat();
        std::fs::write(&path, lines).unwrap();
        assert_eq!(read_checkpoints(&path).unwrap(), [note(1), note(2)]);
    }
}
