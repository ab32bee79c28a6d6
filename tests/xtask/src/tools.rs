//! What the tests need on a machine: Debian packages, a Python environment and npm packages under `target/tools`.

mod node;
mod postgres;
mod python;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::XtaskError;
use crate::run::{self, say};
use crate::workspace::Workspace;

/// A program and the Debian packages it needs.
struct Program {
    name: &'static str,
    packages: &'static [&'static str],
}

const CLIENTS: [Program; 8] = [
    Program {
        name: "openssl",
        packages: &["openssl"],
    },
    Program {
        name: "curl",
        packages: &["curl"],
    },
    Program {
        name: "certbot",
        packages: &["certbot"],
    },
    Program {
        name: "lego",
        packages: &["lego"],
    },
    Program {
        name: "pebble-challtestsrv",
        packages: &["pebble"],
    },
    Program {
        name: "node",
        packages: &["nodejs"],
    },
    Program {
        name: "npm",
        packages: &["npm"],
    },
    Program {
        name: "pki",
        packages: &[
            "strongswan-pki",
            "libstrongswan-standard-plugins",
            "libstrongswan-extra-plugins",
        ],
    },
];

/// Servers that the tests start for themselves.
const SERVERS: [Program; 1] = [Program {
    name: "redis-server",
    packages: &["redis-server"],
}];

const BASIC: [Program; 2] = [
    Program {
        name: "openssl",
        packages: &["openssl"],
    },
    Program {
        name: "curl",
        packages: &["curl"],
    },
];

/// Installs everything, the real clients too, where it is missing. Running it again changes nothing.
pub(crate) fn install(workspace: &Workspace) -> Result<(), XtaskError> {
    components(workspace)?;
    packages(&CLIENTS)?;
    packages(&SERVERS)?;
    postgres::install()?;
    python::install(&workspace.tools())?;
    node::install(&workspace.tools())
}

/// Installs what the suites without real clients need.
pub(crate) fn install_basic(workspace: &Workspace) -> Result<(), XtaskError> {
    components(workspace)?;
    packages(&BASIC)?;
    packages(&SERVERS)?;
    postgres::install()
}

/// Adds rustfmt and clippy to a toolchain that was installed without them.
fn components(workspace: &Workspace) -> Result<(), XtaskError> {
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !run::works(&mut workspace.cargo(&[subcommand, "--version"])) {
            run::must(
                Command::new("rustup")
                    .args(["component", "add", component])
                    .current_dir(&workspace.root),
            )?;
        }
    }
    Ok(())
}

fn packages(programs: &[Program]) -> Result<(), XtaskError> {
    let missing: Vec<&Program> = programs
        .iter()
        .filter(|program| on_path(program.name).is_none())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|program| program.name).collect();
    debian(
        &names.join(", "),
        &missing
            .iter()
            .flat_map(|program| program.packages.iter().copied())
            .collect::<Vec<_>>(),
    )
}

/// Installs Debian packages as root or through sudo; otherwise the error says what to type.
fn debian(missing: &str, packages: &[&str]) -> Result<(), XtaskError> {
    let missing = missing.to_owned();
    if on_path("apt-get").is_none() {
        return Err(XtaskError::NoPackageTool { missing });
    }
    let install = ["apt-get", "install", "-y", "--no-install-recommends"];
    let wanted = [&install, packages].concat();
    let prefix = administrator(&missing, &wanted)?;
    say(&format!("installing {} (missing: {missing})", packages.join(" ")));
    run::must(&mut line(
        prefix,
        &["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "update", "-q"],
    ))?;
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive"];
    run::must(line(prefix, &quiet).args(install).arg("-q").args(packages))
}

/// What makes a command one of the administrator: nothing for root, else sudo; otherwise the error says what to type.
fn administrator(missing: &str, wanted: &[&str]) -> Result<&'static [&'static str], XtaskError> {
    if is_root() {
        return Ok(&[]);
    }
    if run::works(Command::new("sudo").args(["-n", "true"])) {
        return Ok(&["sudo", "-n"]);
    }
    Err(XtaskError::NeedsAdministrator {
        missing: missing.to_owned(),
        command: format!("sudo {}", wanted.join(" ")),
    })
}

fn line(prefix: &[&str], words: &[&str]) -> Command {
    let mut all = prefix.iter().chain(words);
    let mut command = Command::new(all.next().copied().unwrap_or_default());
    command.args(all);
    command
}

fn is_root() -> bool {
    run::output(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// The path of a program, looked up as a shell does; the folders of administrators are searched as well.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Whether `folder` was completed earlier with the same `content`.
fn stamped(folder: &Path, content: &str) -> bool {
    std::fs::read_to_string(folder.join("stamp")).is_ok_and(|stamp| stamp == content)
}

/// Empties `folder` for a new start.
fn clear(folder: &Path) -> Result<(), XtaskError> {
    let fail = |source| XtaskError::File {
        path: folder.to_path_buf(),
        source,
    };
    if folder.exists() {
        std::fs::remove_dir_all(folder).map_err(fail)?;
    }
    std::fs::create_dir_all(folder).map_err(fail)
}

/// Notes that `folder` is complete; always the last step.
fn stamp(folder: &Path, content: &str) -> Result<(), XtaskError> {
    let path = folder.join("stamp");
    std::fs::write(&path, content).map_err(|source| XtaskError::File { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(on_path("sh").is_some());
        assert!(on_path("portreeve-no-such-program").is_none());
    }

    #[test]
    fn a_folder_counts_as_complete_only_with_its_own_stamp() {
        let folder = std::env::temp_dir().join(format!("portreeve-xtask-{}", std::process::id()));
        clear(&folder).unwrap();
        assert!(!stamped(&folder, "certbot 1"));
        stamp(&folder, "certbot 1").unwrap();
        assert!(stamped(&folder, "certbot 1"));
        assert!(!stamped(&folder, "certbot 2"));
        clear(&folder).unwrap();
        assert!(!stamped(&folder, "certbot 1"));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
