//! Where things lie, and how cargo is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::XtaskError;
use crate::run;

/// The checked-out repository and its build folder.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// The build folder: `target`, unless `CARGO_TARGET_DIR` says otherwise.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the repository this program was built from.
    pub(crate) fn find() -> Result<Self, XtaskError> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.join("../..");
        let root = root
            .canonicalize()
            .map_err(|source| XtaskError::File { path: root, source })?;
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
        Ok(Self { root, target })
    }

    /// Where the clients from PyPI and npm are installed.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A cargo command at the root of the workspace.
    ///
    /// What `cargo run` told this program about its own package is taken back, so that the inner cargo sees the same
    /// environment as one called by hand and rebuilds nothing.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let own = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_")
                    || name.starts_with("CARGO_MANIFEST_")
                    || name.starts_with("CARGO_BIN_")
            });
            if own {
                command.env_remove(name);
            }
        }
        command
    }

    /// The target triple of this machine.
    pub(crate) fn host(&self) -> Result<String, XtaskError> {
        let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        let text = run::output(rustc.arg("-vV").current_dir(&self.root))?;
        text.lines()
            .find_map(|line| line.strip_prefix("host: "))
            .map(str::to_owned)
            .ok_or(XtaskError::NoHost)
    }
}
