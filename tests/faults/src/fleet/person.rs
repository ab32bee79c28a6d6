//! An operator with a key and a certificate, in files as the command line reads them.

use std::path::{Path, PathBuf};

use portreeve_pkix::pem;
use rcgen::{CertificateParams, KeyPair};

use crate::FaultError;

/// An operator.
#[derive(Clone, Debug)]
pub struct Person {
    name: String,
    folder: PathBuf,
}

impl Person {
    /// One with a new key (`NAME.key`) and a request for a certificate (`NAME.csr`).
    pub(super) fn made(name: &str, folder: &Path) -> Result<Self, FaultError> {
        let person = Self {
            name: name.to_owned(),
            folder: folder.to_owned(),
        };
        let key = KeyPair::generate()?;
        let request = CertificateParams::new(Vec::<String>::new())?.serialize_request(&key)?;
        let files = [("key", key.serialize_pem()), ("csr", request.pem()?)];
        for (extension, text) in files {
            std::fs::write(person.file(extension), text).map_err(FaultError::system("person"))?;
        }
        Ok(person)
    }

    /// The principal.
    pub fn principal(&self) -> String {
        format!("operator:{}", self.name)
    }

    /// Their certificate, in DER, once there is one.
    pub(super) fn certificate(&self) -> Option<Vec<u8>> {
        let text = std::fs::read_to_string(self.file("pem")).ok()?;
        pem::decode_all("CERTIFICATE", &text).ok()?.pop()
    }

    /// One of their files.
    pub fn file(&self, extension: &str) -> String {
        let path = self.folder.join(format!("{}.{extension}", self.name));
        path.to_string_lossy().into_owned()
    }
}
