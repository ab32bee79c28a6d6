//! What can be seen from outside: directory, disk, key file.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use portreeve_keyset::KekSource;
use portreeve_ra::Roles;

use super::{Finding, Severity};
use crate::config::KeysetSection;
use crate::installation::purposes_needed;

/// Less free space than this is an error: the store could not write.
const SPACE_ERROR: u64 = 64 * 1024 * 1024;

/// Less free space than this is a warning.
const SPACE_WARNING: u64 = 1024 * 1024 * 1024;

/// The data directory must be closed to others.
pub(super) fn data_directory(path: &Path) -> Finding {
    let check = "data directory";
    match std::fs::metadata(path) {
        Ok(found) if !found.is_dir() => Finding::new(
            check,
            Severity::Error,
            format!("{} is not a directory", path.display()),
        ),
        Ok(found) if found.mode() & 0o077 != 0 => Finding::new(
            check,
            Severity::Error,
            format!(
                "{} is open to others: chmod 0700 {0}; the gateway does not start on it",
                path.display()
            ),
        ),
        Ok(_) => Finding::new(check, Severity::Ok, path.display().to_string()),
        Err(error) => Finding::new(check, Severity::Error, format!("{}: {error}", path.display())),
    }
}

/// The store needs room.
pub(super) fn disk_space(path: &Path) -> Finding {
    let check = "disk space";
    match rustix::fs::statvfs(path) {
        Ok(found) => {
            let free = found.f_bavail.saturating_mul(found.f_frsize);
            let detail = format!("{} MiB free", free / 1024 / 1024);
            Finding::new(check, space(free), detail)
        }
        Err(error) => Finding::new(check, Severity::Warning, error.to_string()),
    }
}

const fn space(free: u64) -> Severity {
    if free < SPACE_ERROR {
        Severity::Error
    } else if free < SPACE_WARNING {
        Severity::Warning
    } else {
        Severity::Ok
    }
}

/// The key encryption keys that a node with these roles needs must be there and readable by their owner only.
pub(super) fn key_encryption_keys(section: &KeysetSection, data_dir: &Path, roles: Roles) -> Vec<Finding> {
    let sources = section.sources(data_dir);
    let mut findings = vec![key_encryption_key(
        "key encryption key".to_owned(),
        sources.shared,
    )];
    for purpose in purposes_needed(roles) {
        if let Some(source) = sources.own.get(&purpose) {
            let check = format!("key encryption key of {purpose}");
            findings.push(key_encryption_key(check, source.clone()));
        }
    }
    findings
}

fn key_encryption_key(check: String, source: KekSource) -> Finding {
    match source {
        KekSource::Environment(name) if std::env::var_os(&name).is_some() => {
            Finding::new(check, Severity::Ok, format!("in the variable {name}"))
        }
        KekSource::Environment(name) => Finding::new(
            check,
            Severity::Warning,
            format!("the variable {name} is not set here; the gateway needs it"),
        ),
        KekSource::File(path) => match std::fs::metadata(&path) {
            Ok(found) if found.mode() & 0o077 != 0 => Finding::new(
                check,
                Severity::Error,
                format!("{} can be read by others: chmod 0600 {0}", path.display()),
            ),
            Ok(_) => Finding::new(check, Severity::Ok, path.display().to_string()),
            Err(error) => Finding::new(
                check,
                Severity::Error,
                format!("{}: {error}; restore it from your copy", path.display()),
            ),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SecretSource;
    use std::os::unix::fs::PermissionsExt;

    fn with_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn permissions_are_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let rows = [("closed", 0o700, Severity::Ok), ("open", 0o755, Severity::Error)];
        for (name, mode, severity) in rows {
            with_mode(directory.path(), mode);
            assert_eq!(data_directory(directory.path()).severity, severity, "{name}");
        }
        let section = KeysetSection {
            kek: SecretSource::File("kek".into()),
            ..KeysetSection::default()
        };
        let judged = || key_encryption_keys(&section, directory.path(), Roles::ALL)[0].severity;
        assert_eq!(judged(), Severity::Error, "absent");
        let file = directory.path().join("kek");
        std::fs::write(&file, "x").unwrap();
        for (name, mode, severity) in [("0600", 0o600, Severity::Ok), ("0640", 0o640, Severity::Error)] {
            with_mode(&file, mode);
            assert_eq!(judged(), severity, "{name}");
        }
    }

    #[test]
    fn space_is_judged() {
        let rows = [
            (SPACE_ERROR - 1, Severity::Error),
            (SPACE_ERROR, Severity::Warning),
            (SPACE_WARNING, Severity::Ok),
        ];
        for (free, severity) in rows {
            assert_eq!(space(free), severity, "{free}");
        }
    }
}
