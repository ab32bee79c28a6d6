//! Keys and certification requests, made before the clock starts so that the client costs little while it runs.

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PublicKeyData};

use crate::error::LoadError;

/// Requests that are made beforehand, at most.
pub(crate) const PREPARED_MAX: u64 = 100_000;

/// One name with its key and request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The DNS name.
    pub(crate) name: String,
    /// The PKCS#10 request in DER.
    pub(crate) csr: Vec<u8>,
    /// The public key in the request, as SubjectPublicKeyInfo.
    pub(crate) public_key: Vec<u8>,
}

/// The requests of a run, by number.
#[derive(Debug)]
pub(crate) struct Requests {
    name: String,
    prepared: Vec<Request>,
}

impl Requests {
    /// Makes the first so many of names that begin so.
    pub(crate) fn prepare(name: &str, count: u64) -> Result<Self, LoadError> {
        let prepared = (0..count)
            .map(|number| make(name, number))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            name: name.to_owned(),
            prepared,
        })
    }

    /// The request of a number; made now if it was not made before.
    pub(crate) fn take(&self, number: u64) -> Result<Request, LoadError> {
        let prepared = usize::try_from(number)
            .ok()
            .and_then(|number| self.prepared.get(number));
        prepared.map_or_else(|| make(&self.name, number), |request| Ok(request.clone()))
    }
}

fn make(prefix: &str, number: u64) -> Result<Request, LoadError> {
    let fail = |error: rcgen::Error| LoadError::Key(error.to_string());
    let name = format!("{prefix}{number}.load.test");
    let key = KeyPair::generate().map_err(fail)?;
    let mut parameters = CertificateParams::new(vec![name.clone()]).map_err(fail)?;
    parameters.distinguished_name = DistinguishedName::new();
    let csr = parameters.serialize_request(&key).map_err(fail)?.der().to_vec();
    Ok(Request {
        name,
        csr,
        public_key: key.subject_public_key_info(),
    })
}

/// Another one every second.
pub(crate) fn fresh_name() -> String {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    format!("r{:x}-", now.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_its_own_name_and_key() {
        let prepared = vec![make("t", 0).unwrap()];
        let requests = Requests {
            name: "t".to_owned(),
            prepared,
        };
        let (first, again) = (requests.take(0).unwrap(), requests.take(0).unwrap());
        let later = requests.take(7).unwrap();
        assert_eq!(first.csr, again.csr, "made beforehand");
        assert_eq!(later.name, "t7.load.test");
        assert_ne!(first.public_key, later.public_key);
    }
}
