//! The database of `dev`, when it is not the embedded one: remembered, so that a restart and the other commands find it.

use std::path::{Path, PathBuf};

use super::replace_file;
use crate::config::{ConfigError, DatabaseSection};

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("database.toml")
}

/// The URL that the last run was given; `None` when it was given none.
pub(super) fn remembered(data_dir: &Path) -> Result<Option<toml::Value>, ConfigError> {
    let path = path(data_dir);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ConfigError::Read { path, source }),
    };
    let mut table: toml::Table = toml::from_str(&text).map_err(|_| ConfigError::Parse {
        origin: path.display().to_string(),
        reason: "is not what `portreeve dev` has written".to_owned(),
    })?;
    Ok(table.remove("url"))
}

/// Remembers the database of this run, in a file that only its owner may read: a URL may hold a password.
pub fn remember(data_dir: &Path, section: &DatabaseSection) -> std::io::Result<()> {
    let path = path(data_dir);
    if section.url == DatabaseSection::default().url && !path.exists() {
        return Ok(());
    }
    let mut table = toml::Table::new();
    table.insert("url".to_owned(), section.url.to_toml());
    replace_file(&path, table.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::dev::{DevAddresses, configuration};

    #[test]
    fn a_restart_finds_the_database_unless_another_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let found = |set: &[&str]| {
            let overrides: Vec<_> = set.iter().map(|text| text.parse().unwrap()).collect();
            configuration(directory.path(), DevAddresses::default(), &overrides)
                .unwrap()
                .database
        };
        let embedded = found(&[]);
        remember(directory.path(), &embedded).unwrap();
        assert!(
            !path(directory.path()).exists(),
            "the embedded one is not worth a file"
        );
        let given = found(&["database.url=postgres://u:p%40ss@h/db"]);
        remember(directory.path(), &given).unwrap();
        let mode = std::fs::metadata(path(directory.path()))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(found(&[]) == given, "with its password");
        assert_eq!(found(&["database.url=sqlite:store"]), embedded);
        remember(directory.path(), &embedded).unwrap();
        assert_eq!(found(&[]), embedded);
    }
}
