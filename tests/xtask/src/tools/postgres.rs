//! PostgreSQL, for the private servers that tests start themselves.

use std::path::Path;

use super::{administrator, debian, line};
use crate::error::XtaskError;
use crate::run;

/// Where Debian keeps the programs of each version.
const VERSIONS: &str = "/usr/lib/postgresql";

/// Says whether installing a version also makes a server of the system and starts it.
const CLUSTERS: &str = "/etc/postgresql-common/createcluster.conf";

/// Installs PostgreSQL without the server of the system that Debian would make and start along with it.
pub(crate) fn install() -> Result<(), XtaskError> {
    if is_installed(Path::new(VERSIONS)) {
        return Ok(());
    }
    let missing = "initdb of PostgreSQL";
    debian(missing, &["postgresql-common"])?;
    let none = [
        "sed",
        "-i",
        "s/^#*create_main_cluster.*/create_main_cluster = false/",
        CLUSTERS,
    ];
    let prefix = administrator(missing, &none)?;
    run::must(&mut line(prefix, &none))?;
    debian(missing, &["postgresql"])
}

fn is_installed(versions: &Path) -> bool {
    let found = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let mut programs = found.map(|version| version.path().join("bin/initdb"));
    programs.any(|initdb| initdb.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_counts_when_it_can_make_a_server() {
        let folder = std::env::temp_dir().join(format!("portreeve-xtask-postgres-{}", std::process::id()));
        assert!(!is_installed(&folder));
        let programs = folder.join("15/bin");
        std::fs::create_dir_all(&programs).unwrap();
        assert!(!is_installed(&folder), "a client alone");
        std::fs::write(programs.join("initdb"), "").unwrap();
        assert!(is_installed(&folder));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
