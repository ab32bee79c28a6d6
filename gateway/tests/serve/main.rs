//! `serve`: which data directory it takes, and a real installation from its making on.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod data_dir;
#[path = "../dev/mod.rs"]
mod dev;
mod installation;

use std::path::{Path, PathBuf};

use dev::PROGRAM;
use portreeve::{Config, Mode, StartOptions};

/// A configuration file of a real installation with free ports, in this folder.
fn real(folder: &Path, data_dir: &Path) -> PathBuf {
    let text = format!(
        "[server]\ndata_dir = {data_dir:?}\nexternal_url = \"https://localhost\"\nstatus_url = \"http://localhost\"\n\
         control_socket = \"c.sock\"\n\
         [server.listeners.public]\naddr = \"127.0.0.1:0\"\ntls = true\nmounts = [\"acme\"]\n\
         [server.listeners.http]\naddr = \"127.0.0.1:0\"\ntls = false\nmounts = [\"status\", \"management\"]\n\
         [backend.issuing]\n"
    );
    let path = folder.join("portreeve.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// The gateway of a configuration file.
fn options(config: &Path, mode: Mode) -> StartOptions {
    StartOptions {
        config: Config::load(config, &[]).unwrap(),
        mode,
        program: Some(PROGRAM.into()),
        ..StartOptions::default()
    }
}
