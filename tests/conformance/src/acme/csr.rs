//! Certification requests of any content.

use portreeve_pkix::extension::Extension;
use portreeve_pkix::{
    DistinguishedName, DnsName, GeneralName, KeyAlgorithm, Oid, SignatureAlgorithm, der, encode,
};

use super::key::Signer;

/// What a CSR asks for.
#[derive(Debug, Clone)]
pub struct Csr {
    /// The subject.
    pub subject: DistinguishedName,
    /// The alternative names; the extension is left out when there are none.
    pub names: Vec<GeneralName>,
    /// Further extensions.
    pub extensions: Vec<Extension>,
}

impl Csr {
    /// For these DNS names as alternative names, and an empty subject.
    pub fn of(names: &[&str]) -> Self {
        let names = names
            .iter()
            .map(|name| GeneralName::Dns(DnsName::parse(name).expect("a DNS name")));
        Self {
            subject: DistinguishedName::empty(),
            names: names.collect(),
            extensions: Vec::new(),
        }
    }

    /// With this common name.
    #[must_use]
    pub fn common_name(mut self, name: &str) -> Self {
        self.subject = DistinguishedName::common_name(name);
        self
    }

    /// With one more alternative name.
    #[must_use]
    pub fn name(mut self, name: GeneralName) -> Self {
        self.names.push(name);
        self
    }

    /// With one more extension.
    #[must_use]
    pub fn extension(mut self, oid: Oid, value: Vec<u8>) -> Self {
        self.extensions.push(Extension::non_critical(oid, value));
        self
    }

    /// Signed by its key.
    pub fn sign(&self, key: &dyn Signer) -> Vec<u8> {
        self.sign_for(key, key)
    }

    /// For one key and signed by another.
    pub fn sign_for(&self, subject: &dyn Signer, signer: &dyn Signer) -> Vec<u8> {
        let info = self.info(subject);
        let (algorithm, signature) = sign(signer, &info);
        der::sequence(&[
            info,
            algorithm.algorithm_identifier_der(),
            der::bit_string(&signature),
        ])
    }

    /// CertificationRequestInfo (RFC 2986 section 4.1).
    fn info(&self, key: &dyn Signer) -> Vec<u8> {
        let mut extensions = self.extensions.clone();
        if !self.names.is_empty() {
            extensions.push(Extension::non_critical(
                Oid::SUBJECT_ALT_NAME,
                encode::subject_alt_name(&self.names),
            ));
        }
        let attributes = if extensions.is_empty() {
            Vec::new()
        } else {
            let values = der::set_of(vec![encode::extensions(&extensions)]);
            der::sequence(&[Oid::EXTENSION_REQUEST.to_der(), values])
        };
        der::sequence(&[
            der::unsigned_integer(&[0]),
            self.subject.to_der(),
            key.public_key().der().to_vec(),
            der::tlv(der::tag::context_constructed(0), &attributes),
        ])
    }
}

/// The X.509 form of a JOSE signature.
fn sign(signer: &dyn Signer, message: &[u8]) -> (SignatureAlgorithm, Vec<u8>) {
    let signature = signer.sign(message);
    let algorithm = match signer.public_key().algorithm() {
        KeyAlgorithm::EcP256 => SignatureAlgorithm::EcdsaSha256,
        KeyAlgorithm::EcP384 => SignatureAlgorithm::EcdsaSha384,
        KeyAlgorithm::EcP521 => SignatureAlgorithm::EcdsaSha512,
        KeyAlgorithm::Ed25519 => return (SignatureAlgorithm::Ed25519, signature),
        _ => return (SignatureAlgorithm::RsaPkcs1Sha256, signature),
    };
    let (r, s) = signature.split_at(signature.len() / 2);
    (
        algorithm,
        der::sequence(&[der::unsigned_integer(r), der::unsigned_integer(s)]),
    )
}

#[cfg(test)]
mod tests {
    use super::super::key::{new_key, new_key_of};
    use super::*;
    use portreeve_pkix::CertificationRequest;
    use portreeve_wire::jose::Algorithm;

    #[test]
    fn requests_of_every_key_type_verify() {
        for algorithm in Algorithm::SIGNATURES {
            let key = new_key_of(algorithm);
            let csr = Csr::of(&["a.test", "*.b.test"]).common_name("a.test").sign(&key);
            let read = CertificationRequest::from_der(&csr).unwrap();
            read.verify_possession().unwrap();
            assert_eq!(read.names().len(), 2, "{algorithm}");
            assert_eq!(
                read.subject().common_names().collect::<Vec<_>>(),
                ["a.test"],
                "{algorithm}"
            );
        }
    }

    #[test]
    fn a_request_signed_by_another_key_does_not_verify() {
        let csr = Csr::of(&["a.test"]).sign_for(&new_key(), &new_key());
        assert!(
            CertificationRequest::from_der(&csr)
                .unwrap()
                .verify_possession()
                .is_err()
        );
    }
}
