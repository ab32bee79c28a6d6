//! `dev.json`: what clients and tests need to know of a running `dev` gateway.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What `dev.json` says. Paths are absolute; parts of protocols appear as they are built.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The gateway's process.
    pub pid: u32,
    /// The gateway's version.
    pub version: String,
    /// The root of the gateway's own TLS certificate, PEM.
    pub tls_root: PathBuf,
    /// The socket of the command line.
    pub control_socket: PathBuf,
    /// Probes and metrics.
    pub management: String,
    /// ACME.
    pub acme: AcmePart,
    /// EST; absent on a node that has no part in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub est: Option<EstPart>,
    /// The CA.
    pub ca: CaPart,
    /// The operator API; absent on nodes without the role console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminPart>,
}

/// The operator API.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AdminPart {
    /// Where it is served.
    pub url: String,
    /// The operator of `dev`.
    pub username: String,
    /// The file with the password.
    pub password_file: PathBuf,
    /// The file with a token that may do everything.
    pub token_file: PathBuf,
}

/// ACME.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AcmePart {
    /// The directory of the endpoint `default`.
    pub directory: String,
    /// An external account key that binds any number of accounts, at every endpoint; absent on a node that has no part
    /// in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eab: Option<EabPart>,
}

/// An external account key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EabPart {
    /// What the client names it by.
    pub kid: String,
    /// The key, base64url without padding.
    pub hmac_key: String,
}

/// EST.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EstPart {
    /// The endpoint `default`; other endpoints are below it.
    pub url: String,
    /// A user who may ask at every endpoint, for any name, any number of times.
    pub username: String,
    /// The user's password.
    pub password: String,
}

/// The CA.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CaPart {
    /// Its name.
    pub name: String,
    /// Its certificate and those above it, PEM.
    pub chain: PathBuf,
    /// The root, PEM.
    pub root: PathBuf,
    /// Its CRL.
    pub crl: String,
}

/// Where the manifest of a data directory lies.
pub fn manifest_path(data_dir: &Path) -> PathBuf {
    data_dir.join("dev.json")
}

impl Manifest {
    /// Reads it.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text).map_err(std::io::Error::from)
    }

    /// Writes it, for its owner only, so that a reader sees all of it or what was there before.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        replace_file(path, &text)
    }
}

/// Replaces a file as a whole; mode 0600.
pub fn replace_file(path: &Path, octets: &[u8]) -> std::io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    file.write_all(octets)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn is_written_whole_and_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = manifest_path(directory.path());
        let manifest = Manifest {
            pid: 7,
            version: "1".into(),
            tls_root: "/d/tls-root.pem".into(),
            control_socket: "/r/control.sock".into(),
            management: "http://127.0.0.1:9090".into(),
            acme: AcmePart {
                directory: "https://127.0.0.1:8443/acme/default/directory".into(),
                eab: Some(EabPart {
                    kid: "dev".into(),
                    hmac_key: "AAAA".into(),
                }),
            },
            est: Some(EstPart {
                url: "https://127.0.0.1:8443/.well-known/est".into(),
                username: "dev".into(),
                password: "secret".into(),
            }),
            ca: CaPart {
                name: "issuing".into(),
                chain: "/d/ca-chain.pem".into(),
                root: "/d/ca-root.pem".into(),
                crl: "http://127.0.0.1:8080/crl/issuing.crl".into(),
            },
            admin: None,
        };
        manifest.write(&path).unwrap();
        manifest.write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), manifest);
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let text: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(
            text["acme"]["directory"],
            "https://127.0.0.1:8443/acme/default/directory"
        );
        assert_eq!(text["acme"]["eab"]["kid"], "dev");
        assert_eq!(text["est"]["url"], "https://127.0.0.1:8443/.well-known/est");
        assert_eq!(text["ca"]["crl"], "http://127.0.0.1:8080/crl/issuing.crl");
    }
}
