//! The CA of the devices that enrol, and the objects by which a gateway trusts it.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::LoadError;

/// The name of its trust anchors.
const ANCHORS: &str = "load";

/// A certificate and its key.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The CA of the devices.
pub(crate) struct Manufacturer(Issuer<'static, KeyPair>);

impl Manufacturer {
    /// Reads it; `None` where there is none in that folder.
    pub(crate) fn open(folder: &Path) -> Result<Option<Self>, LoadError> {
        let path = key_path(folder);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path).map_err(|source| LoadError::File { path, source })?;
        let key = KeyPair::from_pem(&text).map_err(failed)?;
        Ok(Some(Self(Issuer::new(parameters(), key))))
    }

    /// Makes one, and beside its key the trust anchors and an endpoint that accepts its devices, for `portreeve apply`.
    pub(crate) fn create(folder: &Path, endpoint: &str) -> Result<(), LoadError> {
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters().self_signed(&key).map_err(failed)?.pem();
        let anchors = format!("certificates = '''\n{certificate}'''\n");
        let text = format!(
            "profiles = [\"dev\"]\nbackend = \"issuing\"\nnames = \"profile\"\nauthentication = [\"certificate\"]\n\
             client_trust = [\"{ANCHORS}\"]\nclient_registration = \"nobody\"\n"
        );
        let files = [
            (
                folder.join("trust-anchors").join(format!("{ANCHORS}.toml")),
                anchors,
            ),
            (
                folder.join("endpoints/est").join(format!("{endpoint}.toml")),
                text,
            ),
            // Last: it says that the rest is there.
            (key_path(folder), key.serialize_pem()),
        ];
        for (path, content) in files {
            let parent = path.parent().unwrap_or(folder).to_path_buf();
            std::fs::create_dir_all(&parent)
                .and_then(|()| std::fs::write(&path, content))
                .map_err(|source| LoadError::File { path, source })?;
        }
        Ok(())
    }

    /// A device with a key of its own.
    pub(crate) fn device(&self, number: usize) -> Result<Identity, LoadError> {
        let mut parameters = CertificateParams::new(Vec::new()).map_err(failed)?;
        let serial_number = DnType::CustomDnType(vec![2, 5, 4, 5]);
        parameters
            .distinguished_name
            .push(serial_number, format!("LOAD-{number}"));
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = parameters.signed_by(&key, &self.0).map_err(failed)?;
        let private = PrivateKeyDer::try_from(key.serialize_der())
            .map_err(|reason| LoadError::Key(reason.to_owned()))?;
        Ok((vec![certificate.der().clone()], private))
    }
}

fn key_path(folder: &Path) -> PathBuf {
    folder.join("ca.key")
}

fn parameters() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "Portreeve load test devices");
    parameters
}

fn failed(error: rcgen::Error) -> LoadError {
    LoadError::Key(error.to_string())
}
