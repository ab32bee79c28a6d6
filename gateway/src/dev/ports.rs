//! Port 0 picks a free port, and the same one again on a restart.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use url::Url;

use super::{ADMIN, MANAGEMENT, Manifest, PUBLIC, PUBLIC_HTTP, manifest_path};

/// The ports of the last run on this data directory, by listener.
pub fn remembered(data_dir: &Path) -> BTreeMap<&'static str, u16> {
    let Ok(manifest) = Manifest::read(&manifest_path(data_dir)) else {
        return BTreeMap::new();
    };
    let port = |text: &str| Url::parse(text).ok().and_then(|url| url.port_or_known_default());
    let admin = manifest.admin.map(|admin| admin.url).unwrap_or_default();
    let known = [
        (ADMIN, &admin),
        (PUBLIC, &manifest.acme.directory),
        (PUBLIC_HTTP, &manifest.ca.crl),
        (MANAGEMENT, &manifest.management),
    ];
    known
        .into_iter()
        .filter_map(|(name, url)| Some((name, port(url)?)))
        .collect()
}

/// The address to bind: a port that was left open becomes the one of the last run.
pub(super) fn again(wanted: SocketAddr, known: Option<u16>) -> SocketAddr {
    match known {
        Some(port) if wanted.port() == 0 => SocketAddr::new(wanted.ip(), port),
        _ => wanted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_open_ports_are_remembered() {
        let open: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let fixed: SocketAddr = "127.0.0.1:8443".parse().unwrap();
        assert_eq!(again(open, Some(4711)).port(), 4711);
        assert_eq!(again(open, None).port(), 0);
        assert_eq!(again(fixed, Some(4711)).port(), 8443);
    }
}
