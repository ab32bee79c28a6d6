//! TLS to Redis: an own CA file, and a client certificate where the server asks for one.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

/// Octets of a PEM file, at most.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The files of a TLS connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisTlsFiles {
    /// The CA certificates that the server's certificate may come from, in PEM. They alone are trusted.
    pub ca: PathBuf,
    /// The client certificate with its chain, and its private key, both in PEM.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RedisTlsError {
    /// A file cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is larger than certificates are.
    #[error("{0} is larger than {FILE_BYTES_MAX} octets")]
    TooLarge(PathBuf),
    /// A file holds nothing of what it should.
    #[error("{path} holds no {what} in PEM")]
    Empty {
        /// Which.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Certificate or key cannot be used.
    #[error("{path}: {source}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// The provider of cryptography does not do what is asked.
    #[error("TLS: {0}")]
    Provider(rustls::Error),
}

impl RedisTlsFiles {
    pub(crate) fn configuration(&self) -> Result<Arc<ClientConfig>, RedisTlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca)? {
            roots.add(certificate).map_err(unusable(&self.ca))?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(RedisTlsError::Provider)?
            .with_root_certificates(roots);
        let config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(certificates(chain)?, private_key(key)?)
                .map_err(unusable(chain))?,
        };
        Ok(Arc::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, RedisTlsError> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(RedisTlsError::Empty {
            path: path.to_owned(),
            what: "certificate",
        }),
    }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, RedisTlsError> {
    let text = zeroize::Zeroizing::new(read(path)?);
    PrivateKeyDer::from_pem_slice(&text).map_err(|_| RedisTlsError::Empty {
        path: path.to_owned(),
        what: "private key",
    })
}

fn read(path: &Path) -> Result<Vec<u8>, RedisTlsError> {
    let fail = |source| RedisTlsError::File {
        path: path.to_owned(),
        source,
    };
    if std::fs::metadata(path).map_err(fail)?.len() > FILE_BYTES_MAX {
        return Err(RedisTlsError::TooLarge(path.to_owned()));
    }
    std::fs::read(path).map_err(fail)
}

fn unusable(path: &Path) -> impl FnOnce(rustls::Error) -> RedisTlsError {
    let path = path.to_owned();
    move |source| RedisTlsError::Unusable { path, source }
}
