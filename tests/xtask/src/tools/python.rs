//! Python environments: one with the newest certbot and the certificate linter, one with what tries the operator API.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{clear, debian, on_path, stamp, stamped};
use crate::error::XtaskError;
use crate::run::{self, say};

/// An environment below the folder of tools.
struct Environment {
    folder: &'static str,
    requirements: &'static [&'static str],
    /// A program of it that runs when it is complete.
    program: &'static str,
}

/// Apart, because they want different versions of the same packages.
const ENVIRONMENTS: [Environment; 2] = [
    Environment {
        folder: "python",
        requirements: &["certbot==5.8.0", "pkilint==0.13.3"],
        program: "bin/certbot",
    },
    Environment {
        folder: "schemathesis",
        requirements: &["schemathesis==4.32.5"],
        program: "bin/schemathesis",
    },
];

/// Makes each environment, unless it is complete already.
pub(crate) fn install(tools: &Path) -> Result<(), XtaskError> {
    ENVIRONMENTS
        .iter()
        .try_for_each(|environment| environment.install(tools))
}

impl Environment {
    fn install(&self, tools: &Path) -> Result<(), XtaskError> {
        let folder = tools.join(self.folder);
        let content = format!("{}\n", self.requirements.join("\n"));
        let program = folder.join(self.program);
        if stamped(&folder, &content) && run::works(Command::new(program).arg("--version")) {
            return Ok(());
        }
        let python = interpreter()?;
        say(&format!(
            "creating a Python environment with {}",
            self.requirements.join(", ")
        ));
        clear(&folder)?;
        run::must(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
            .args(self.requirements);
        run::must(&mut pip)?;
        stamp(&folder, &content)
    }
}

/// A Python that can make virtual environments: Debian's own only can with the package python3-venv.
fn interpreter() -> Result<PathBuf, XtaskError> {
    if let Some(python) = able() {
        return Ok(python);
    }
    debian("python3 with venv", &["python3", "python3-venv"])?;
    able().ok_or(XtaskError::NoPython)
}

fn able() -> Option<PathBuf> {
    let candidates = [on_path("python3"), Some(PathBuf::from("/usr/bin/python3"))];
    candidates
        .into_iter()
        .flatten()
        .find(|python| run::works(Command::new(python).args(["-c", "import venv, ensurepip"])))
}
