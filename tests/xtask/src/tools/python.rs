//! The Python environment with the newest certbot and the certificate linter.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{clear, debian, on_path, stamp, stamped};
use crate::error::XtaskError;
use crate::run::{self, say};

const REQUIREMENTS: [&str; 2] = ["certbot==5.8.0", "pkilint==0.13.3"];

/// Makes `tools/python`, unless it is complete already.
pub(crate) fn install(tools: &Path) -> Result<(), XtaskError> {
    let folder = tools.join("python");
    let content = format!("{}\n", REQUIREMENTS.join("\n"));
    if stamped(&folder, &content) && run::works(Command::new(folder.join("bin/certbot")).arg("--version")) {
        return Ok(());
    }
    let python = interpreter()?;
    say(&format!(
        "creating a Python environment with {}",
        REQUIREMENTS.join(", ")
    ));
    clear(&folder)?;
    run::must(Command::new(python).args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(REQUIREMENTS);
    run::must(&mut pip)?;
    stamp(&folder, &content)
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
