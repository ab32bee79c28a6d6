//! The directory of a store: made private, held by one process.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::OpenError;

/// The database in its directory.
pub(crate) const DATABASE: &str = "portreeve.db";

const LOCK: &str = "lock";
const OWNER_ONLY_DIRECTORY: u32 = 0o700;
const OWNER_ONLY_FILE: u32 = 0o600;

/// A directory that no other process can open while this lives.
#[derive(Debug)]
pub(crate) struct HeldDirectory {
    path: PathBuf,
    /// Closing the file gives up the lock.
    _lock: File,
}

impl HeldDirectory {
    /// Makes the directory and an empty database where they are missing, and takes the lock.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let failed = |path: PathBuf| |source: io::Error| OpenError::Directory { path, source };
        DirBuilder::new()
            .recursive(true)
            .mode(OWNER_ONLY_DIRECTORY)
            .create(path)
            .map_err(failed(path.to_owned()))?;
        let lock = open_private(&path.join(LOCK)).map_err(failed(path.join(LOCK)))?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked {
                    directory: path.to_owned(),
                });
            }
            Err(errno) => return Err(failed(path.join(LOCK))(errno.into())),
        }
        open_private(&path.join(DATABASE)).map_err(failed(path.join(DATABASE)))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The file of the database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

/// SQLite gives the files beside the database the database's permissions.
fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(OWNER_ONLY_FILE)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn one_holder_and_private_files() {
        let parent = tempfile::tempdir().expect("directory");
        let path = parent.path().join("data");
        let first = HeldDirectory::take(&path).expect("first");
        assert!(matches!(
            HeldDirectory::take(&path),
            Err(OpenError::Locked { .. })
        ));
        for (name, mode) in [("", 0o700), (LOCK, 0o600), (DATABASE, 0o600)] {
            let found = std::fs::metadata(path.join(name))
                .expect("file")
                .permissions()
                .mode()
                & 0o777;
            assert_eq!(found, mode, "{name}");
        }
        drop(first);
        HeldDirectory::take(&path).expect("after the first has gone");
    }
}
