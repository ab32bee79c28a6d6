//! What a node has seen of the configuration, in a small file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portreeve_ra::ports::{Head, HeadMemory};
use portreeve_ra::{StreamId, StreamKind};

/// Streams that are remembered, at most; those beyond are not.
const STREAMS_MAX: usize = 65_536;

/// Octets of the file, at most: more than so many streams need.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// A file that does not hold what it should.
#[derive(Debug, thiserror::Error)]
pub enum HeadsError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It was not written by this program, or was damaged.
    #[error(
        "{path}, line {line}: not what this node has seen of the configuration. Remove the file if the database is \
         to be believed as it is"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
}

/// What a node has seen: one line per stream, `KIND ID POSITION HASH`, numbers in decimal, octets in hexadecimal.
pub struct FileHeads {
    seen: Arc<Mutex<Seen>>,
    file: Option<Arc<File>>,
}

/// How far streams went, by kind and id.
type Seen = BTreeMap<(u8, [u8; 16]), Head>;

/// The file that keeps it.
struct File {
    path: PathBuf,
    seen: Arc<Mutex<Seen>>,
    /// Held from the look at what was seen until that is in the file, so that an older state never follows a newer one.
    writing: Mutex<()>,
    /// Whether a write is to come that has not looked yet: it will see what is remembered now as well.
    due: AtomicBool,
}

impl File {
    fn write(&self) {
        let _in_order = lock(&self.writing);
        self.due.store(false, Ordering::SeqCst);
        let text = render(&lock(&self.seen));
        let path = &self.path;
        if let Err(error) = replace(path, &text) {
            tracing::error!(path = %path.display(), %error, "what was seen of the configuration is not kept");
        }
    }
}

impl FileHeads {
    /// Remembers nothing over restarts.
    pub fn in_memory() -> Arc<Self> {
        Arc::new(Self {
            seen: Arc::default(),
            file: None,
        })
    }

    /// What the file holds; one that is not there holds nothing yet.
    ///
    /// # Errors
    /// When the file is there and cannot be read as what this node has seen.
    pub fn open(path: &Path) -> Result<Arc<Self>, HeadsError> {
        let seen = match std::fs::metadata(path) {
            Ok(found) if found.len() <= FILE_BYTES_MAX => parse(path)?,
            Ok(_) => {
                let path = path.to_owned();
                return Err(HeadsError::Damaged { path, line: 1 });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => {
                let path = path.to_owned();
                return Err(HeadsError::Read { path, source });
            }
        };
        let seen = Arc::new(Mutex::new(seen));
        let file = File {
            path: path.to_owned(),
            seen: Arc::clone(&seen),
            writing: Mutex::default(),
            due: AtomicBool::new(false),
        };
        Ok(Arc::new(Self {
            seen,
            file: Some(Arc::new(file)),
        }))
    }

    /// Replaces the file, away from the reactor. However much is seen at once, one write waits at most.
    fn keep(&self) {
        let Some(file) = self.file.clone() else { return };
        if file.due.swap(true, Ordering::SeqCst) {
            return;
        }
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || file.write())),
            Err(_) => file.write(),
        }
    }
}

impl HeadMemory for FileHeads {
    fn seen(&self, stream: &StreamId) -> Option<Head> {
        lock(&self.seen).get(&key(stream)).copied()
    }

    fn remember(&self, stream: StreamId, head: Head) {
        {
            let mut seen = lock(&self.seen);
            let known = seen.get(&key(&stream)).map(|known| known.position);
            let further = known.map_or(seen.len() < STREAMS_MAX, |known| known < head.position);
            if !further {
                return;
            }
            seen.insert(key(&stream), head);
        }
        self.keep();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn key(stream: &StreamId) -> (u8, [u8; 16]) {
    (stream.kind.number(), stream.id)
}

fn render(seen: &Seen) -> String {
    let lines = seen.iter().map(|((kind, id), head)| {
        format!(
            "{kind} {} {} {}\n",
            hex::encode(id),
            head.position,
            hex::encode(head.hash)
        )
    });
    lines.collect()
}

fn parse(path: &Path) -> Result<Seen, HeadsError> {
    let text = std::fs::read_to_string(path).map_err(|source| HeadsError::Read {
        path: path.to_owned(),
        source,
    })?;
    let mut seen = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let (key, head) = parse_line(line).ok_or_else(|| HeadsError::Damaged {
            path: path.to_owned(),
            line: index + 1,
        })?;
        seen.insert(key, head);
    }
    Ok(seen)
}

fn parse_line(line: &str) -> Option<((u8, [u8; 16]), Head)> {
    let mut words = line.split(' ');
    let kind: u8 = words.next()?.parse().ok()?;
    StreamKind::from_number(kind)?;
    let mut id = [0; 16];
    hex::decode_to_slice(words.next()?, &mut id).ok()?;
    let position = words.next()?.parse().ok()?;
    let mut hash = [0; 32];
    hex::decode_to_slice(words.next()?, &mut hash).ok()?;
    words
        .next()
        .is_none()
        .then_some(((kind, id), Head { position, hash }))
}

/// A file that is there whole or as it was before.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let beside = path.with_extension("new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    match path.parent() {
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(number: u8) -> StreamId {
        StreamId {
            kind: StreamKind::Object,
            id: [number; 16],
        }
    }

    fn head(position: u64) -> Head {
        Head {
            position,
            hash: [9; 32],
        }
    }

    #[test]
    fn what_was_seen_is_kept_over_restarts_and_never_goes_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads");
        let heads = FileHeads::open(&path).unwrap();
        assert_eq!(heads.seen(&stream(1)), None);
        heads.remember(stream(1), head(3));
        heads.remember(stream(2), head(1));
        heads.remember(stream(1), head(2));
        let again = FileHeads::open(&path).unwrap();
        assert_eq!(again.seen(&stream(1)), Some(head(3)));
        assert_eq!(again.seen(&stream(2)), Some(head(1)));
    }

    #[test]
    fn a_write_that_waited_for_its_turn_keeps_what_was_seen_meanwhile() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads");
        let heads = FileHeads::open(&path).unwrap();
        let file = heads.file.clone().unwrap();
        lock(&heads.seen).insert(key(&stream(1)), head(1));
        let turn = lock(&file.writing);
        let (begun, begins) = std::sync::mpsc::channel();
        let writer = std::thread::spawn({
            let file = Arc::clone(&file);
            move || {
                begun.send(()).unwrap();
                file.write();
            }
        });
        begins.recv().unwrap();
        lock(&heads.seen).insert(key(&stream(1)), head(2));
        drop(turn);
        writer.join().unwrap();
        let again = FileHeads::open(&path).unwrap();
        assert_eq!(again.seen(&stream(1)), Some(head(2)));
    }

    #[test]
    fn much_that_is_seen_at_once_is_kept_by_one_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads");
        let heads = FileHeads::open(&path).unwrap();
        let file = heads.file.clone().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let turn = lock(&file.writing);
        runtime.block_on(async {
            for number in 0..100 {
                heads.remember(stream(number), head(1));
            }
        });
        // Those that hold it: this test, the memory, and one write that waits.
        assert_eq!(Arc::strong_count(&file), 3);
        drop(turn);
        while file.due.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
        // Waits for the write, which has begun.
        drop(runtime);
        let again = FileHeads::open(&path).unwrap();
        assert_eq!(again.seen(&stream(99)), Some(head(1)));
    }

    #[test]
    fn a_file_that_is_none_is_refused_with_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("heads");
        let good = format!("5 {} 1 {}\n", "01".repeat(16), "02".repeat(32));
        let rows = [
            ("words", "what is this\n".to_owned(), 1),
            ("a second line", format!("{good}5 01 1 02\n"), 2),
            ("unknown kind", good.replace("5 ", "99 "), 1),
            ("something behind", good.replace('\n', " x\n"), 1),
        ];
        for (name, text, expected) in rows {
            std::fs::write(&path, text).unwrap();
            match FileHeads::open(&path) {
                Err(HeadsError::Damaged { line, .. }) => assert_eq!(line, expected, "{name}"),
                other => panic!("{name}: {:?}", other.err()),
            }
        }
        std::fs::write(&path, good).unwrap();
        assert!(FileHeads::open(&path).is_ok());
    }
}
