//! Where `dev` was told to find its database and its key encryption keys: remembered, so that a restart and the other
//! commands find them.

use std::path::{Path, PathBuf};

use super::replace_file;
use crate::config::{Config, ConfigError, DatabaseSection, KeysetSection};

/// The sections that are remembered.
const SECTIONS: [&str; 2] = ["database", "keyset"];

fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("dev.toml")
}

/// Lays over a configuration what the last run was given, if it was given anything.
pub(super) fn lay_over(data_dir: &Path, table: &mut toml::Table) -> Result<(), ConfigError> {
    let path = path(data_dir);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(ConfigError::Read { path, source }),
    };
    let mut given: toml::Table = toml::from_str(&text).map_err(|_| ConfigError::Parse {
        origin: path.display().to_string(),
        reason: "is not what `portreeve dev` has written".to_owned(),
    })?;
    for name in SECTIONS {
        if let Some(toml::Value::Table(keys)) = given.remove(name)
            && let Some(section) = table.get_mut(name).and_then(toml::Value::as_table_mut)
        {
            section.extend(keys);
        }
    }
    Ok(())
}

/// Remembers what this run was given, in a file that only its owner may read: the URL of a database may hold a password.
pub fn remember(data_dir: &Path, config: &Config) -> std::io::Result<()> {
    let path = path(data_dir);
    let plain =
        config.database.url == DatabaseSection::default().url && config.keyset == KeysetSection::default();
    if plain && !path.exists() {
        return Ok(());
    }
    let mut database = toml::Table::new();
    database.insert("url".to_owned(), config.database.url.to_toml());
    let keyset = toml::Value::try_from(&config.keyset).map_err(std::io::Error::other)?;
    let sections = SECTIONS.map(str::to_owned).into_iter();
    let table: toml::Table = sections.zip([database.into(), keyset]).collect();
    replace_file(&path, table.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::dev::{DevAddresses, configuration};

    fn found(data_dir: &Path, set: &[&str]) -> Config {
        let overrides: Vec<_> = set.iter().map(|text| text.parse().unwrap()).collect();
        configuration(data_dir, DevAddresses::default(), &overrides).unwrap()
    }

    #[test]
    fn a_restart_finds_the_database_unless_another_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let found = |set: &[&str]| found(directory.path(), set);
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
        assert!(found(&[]).database == given.database, "with its password");
        assert_eq!(found(&["database.url=sqlite:store"]).database, embedded.database);
        remember(directory.path(), &embedded).unwrap();
        assert_eq!(found(&[]), embedded);
    }

    #[test]
    fn a_restart_finds_the_key_encryption_keys() {
        let directory = tempfile::tempdir().unwrap();
        let given = found(
            directory.path(),
            &[
                "keyset.kek={ file = \"/elsewhere/kek\" }",
                "keyset.keks={ ca = { env = \"CA_KEK\" } }",
            ],
        );
        remember(directory.path(), &given).unwrap();
        assert_eq!(found(directory.path(), &[]).keyset, given.keyset);
        let moved = found(directory.path(), &["keyset.kek={ env = \"KEK\" }"]);
        assert_ne!(moved.keyset, given.keyset);
        assert_eq!(moved.keyset.keks, given.keyset.keks);
    }
}
