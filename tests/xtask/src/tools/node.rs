//! The ACME client from npm.

use std::path::Path;
use std::process::Command;

use super::{clear, stamp, stamped};
use crate::error::XtaskError;
use crate::run::{self, say};

const PACKAGE: &str = "acme-client@5.4.0";

/// Makes `tools/npm`, unless it is complete already.
pub(crate) fn install(tools: &Path) -> Result<(), XtaskError> {
    let folder = tools.join("npm");
    let content = format!("{PACKAGE}\n");
    if stamped(&folder, &content) {
        return Ok(());
    }
    say(&format!("installing {PACKAGE} from npm"));
    clear(&folder)?;
    let mut npm = Command::new("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--loglevel=error",
    ]);
    npm.arg("--prefix").arg(&folder).arg(PACKAGE);
    run::must(&mut npm)?;
    stamp(&folder, &content)
}
