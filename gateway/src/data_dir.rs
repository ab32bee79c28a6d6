//! The data directory: who may make it, and that it is closed to others.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// Why a data directory is not used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// `serve` makes none: one that is missing is a mistake in the configuration, or a volume that is not mounted.
    #[error(
        "{0} does not exist, and `portreeve serve` makes no data directory: mount it, or correct server.data_dir; \
         for a new installation `portreeve ca create root` makes it"
    )]
    Missing(PathBuf),
    /// Others could read keys, or put files in their place.
    #[error(
        "{} is open to group or others (mode {mode:04o}): run `chmod {:04o} {}`",
        path.display(), mode & 0o700, path.display()
    )]
    Open {
        /// The directory.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It cannot be made or looked at.
    #[error("{path}: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Whether a directory that is missing is made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Making {
    /// It is.
    Allowed,
    /// It is not.
    Refused,
}

/// Makes a directory that only its owner can use if it is missing and may be made, and refuses one that others can use.
pub fn prepare(path: &Path, making: Making) -> Result<(), DataDirError> {
    let io = |source| DataDirError::Io {
        path: path.to_owned(),
        source,
    };
    if making == Making::Allowed {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true).mode(0o700).create(path).map_err(io)?;
    }
    let found = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(DataDirError::Missing(path.to_owned()));
        }
        Err(error) => return Err(io(error)),
    };
    let mode = found.mode() & 0o7777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(DataDirError::Open {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn only_one_that_is_closed_to_others_is_used() {
        let directory = tempfile::tempdir().unwrap();
        for (mode, advice) in [
            (0o700, None),
            (0o750, Some("chmod 0700")),
            (0o705, Some("chmod 0700")),
        ] {
            std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            let said = prepare(directory.path(), Making::Refused)
                .err()
                .map(|error| error.to_string());
            match (said, advice) {
                (None, None) => {}
                (Some(said), Some(advice)) => assert!(said.contains(advice), "{mode:o}: {said}"),
                other => panic!("{mode:o}: {other:?}"),
            }
        }
    }

    #[test]
    fn one_that_is_missing_is_made_only_by_who_may() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b");
        let refused = prepare(&path, Making::Refused);
        assert!(matches!(refused, Err(DataDirError::Missing(_))), "{refused:?}");
        assert!(!path.exists());
        prepare(&path, Making::Allowed).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o700);
    }
}
