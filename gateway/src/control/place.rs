//! Where the socket lies.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Octets of a Unix socket's path, at most: `sun_path` has 108 with the terminating zero.
pub const PATH_BYTES_MAX: usize = 107;

const FILE_NAME: &str = "control.sock";

/// A short path for the socket of the gateway on this data directory: under `XDG_RUNTIME_DIR`, or else under the
/// system's directory for temporary files. The same data directory always gives the same path.
pub fn socket_for(data_dir: &Path) -> PathBuf {
    let digest = portreeve_pkix::sha256(data_dir.as_os_str().as_bytes());
    let name = format!(
        "{OWN_DIRECTORY}{}",
        hex::encode(digest.iter().take(6).copied().collect::<Vec<u8>>())
    );
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|path| path.is_dir());
    let candidates = [runtime, Some(std::env::temp_dir()), Some(PathBuf::from("/tmp"))];
    let mut fitting = candidates
        .into_iter()
        .flatten()
        .map(|base| base.join(&name).join(FILE_NAME))
        .filter(|path| fits(path.as_os_str()));
    fitting.next().unwrap_or_else(|| data_dir.join(FILE_NAME))
}

/// How the names of directories begin that only hold a socket.
pub(super) const OWN_DIRECTORY: &str = "portreeve-";

/// Whether a path is short enough for a socket.
pub(super) fn fits(path: &OsStr) -> bool {
    path.as_bytes().len() <= PATH_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_short_and_stable() {
        let deep = PathBuf::from(format!("/{}", "very-long-name/".repeat(30)));
        let path = socket_for(&deep);
        assert!(fits(path.as_os_str()), "{}", path.display());
        assert_eq!(path, socket_for(&deep));
        assert_ne!(path, socket_for(Path::new("/elsewhere")));
    }
}
