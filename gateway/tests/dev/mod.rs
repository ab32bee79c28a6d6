//! A gateway of `dev` in a directory of its own.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portreeve::{DevAddresses, Mode, StartOptions, dev_configuration, manifest_path};
use portreeve_harness::process::free_port;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

/// A directory that is closed to others.
pub(crate) fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// With these settings, each `KEY=VALUE`.
pub(crate) fn options(data_dir: &Path, settings: &[&str]) -> StartOptions {
    let overrides: Vec<_> = settings.iter().map(|text| text.parse().unwrap()).collect();
    StartOptions {
        config: dev_configuration(data_dir, addresses(data_dir), &overrides).unwrap(),
        mode: Mode::Dev,
        program: Some(PROGRAM.into()),
        ..StartOptions::default()
    }
}

/// Ports out of the range from which the system takes those of outgoing connections: after a restart they are free again.
/// The second time the gateway is to remember them.
fn addresses(data_dir: &Path) -> DevAddresses {
    if manifest_path(data_dir).exists() {
        return DevAddresses::remembered();
    }
    let free = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    DevAddresses {
        public: free(),
        http: free(),
        admin: free(),
        management: free(),
    }
}
