//! Certificates of a Redis server and of its client.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};

use crate::error::HarnessError;

/// The files of TLS between a Redis server and its client, in PEM.
#[derive(Debug, Clone)]
pub struct RedisFiles {
    /// The CA of both.
    pub ca: PathBuf,
    /// A CA that has signed nothing.
    pub other_ca: PathBuf,
    /// The certificate of the server, for 127.0.0.1 and localhost.
    pub server_cert: PathBuf,
    /// Its private key.
    pub server_key: PathBuf,
    /// The certificate of the client.
    pub client_cert: PathBuf,
    /// Its private key.
    pub client_key: PathBuf,
}

impl RedisFiles {
    pub(super) fn make(folder: &Path) -> Result<Self, HarnessError> {
        let at = |name: &str| folder.join(name);
        let files = Self {
            ca: at("ca.pem"),
            other_ca: at("other-ca.pem"),
            server_cert: at("server.pem"),
            server_key: at("server.key"),
            client_cert: at("client.pem"),
            client_key: at("client.key"),
        };
        files.write().map_err(|source| HarnessError::File {
            path: folder.to_owned(),
            source,
        })?;
        Ok(files)
    }

    fn write(&self) -> std::io::Result<()> {
        let (ca, issuer) = authority("Redis test CA")?;
        std::fs::write(&self.ca, ca)?;
        std::fs::write(&self.other_ca, authority("Another CA")?.0)?;
        let rows = [
            (
                &self.server_cert,
                &self.server_key,
                ExtendedKeyUsagePurpose::ServerAuth,
            ),
            (
                &self.client_cert,
                &self.client_key,
                ExtendedKeyUsagePurpose::ClientAuth,
            ),
        ];
        for (certificate, private_key, purpose) in rows {
            let key = KeyPair::generate().map_err(failed)?;
            let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
            let mut params = CertificateParams::new(names).map_err(failed)?;
            params.extended_key_usages = vec![purpose];
            let signed = params.signed_by(&key, &issuer).map_err(failed)?;
            std::fs::write(certificate, signed.pem())?;
            std::fs::write(private_key, key.serialize_pem())?;
        }
        Ok(())
    }
}

fn authority(name: &str) -> std::io::Result<(String, Issuer<'static, KeyPair>)> {
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    let certificate = params.self_signed(&key).map_err(failed)?.pem();
    Ok((certificate, Issuer::new(params, key)))
}

fn failed(error: rcgen::Error) -> std::io::Error {
    std::io::Error::other(error)
}
