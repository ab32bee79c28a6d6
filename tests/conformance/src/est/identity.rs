//! Certificates that clients show, and CAs that nobody here has made.

use portreeve_pkix::{Certificate, KeyAlgorithm, Secret};
use portreeve_wire::cms::{EnvelopedData, unwrap_agreed};
use portreeve_wire::est::protected_key;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use rustls::pki_types::CertificateDer;

/// A certificate with its key, and those above it.
#[derive(Debug)]
pub struct Identity {
    /// Its own first.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key.
    pub key: KeyPair,
}

impl Clone for Identity {
    fn clone(&self) -> Self {
        Self {
            chain: self.chain.clone(),
            key: KeyPair::try_from(self.key.serialize_der()).expect("a key"),
        }
    }
}

impl Identity {
    /// What was issued for this key.
    pub fn issued(certificate: &Certificate, key: &KeyPair) -> Self {
        Self {
            chain: vec![CertificateDer::from(certificate.der().to_vec())],
            key: KeyPair::try_from(key.serialize_der()).expect("a key"),
        }
    }
}

/// A CA of somebody else.
pub struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    /// With this common name.
    pub fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(parameters, key).expect("a certificate"))
    }

    /// Its certificate as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A device's certificate: its serial number stands in the subject (IEEE 802.1AR).
    pub fn device(&self, serial_number: &str) -> Identity {
        let serial = DnType::CustomDnType(vec![2, 5, 4, 5]);
        self.certify(|parameters| {
            parameters.distinguished_name.push(DnType::CommonName, "device");
            parameters.distinguished_name.push(serial, serial_number);
        })
    }

    /// A certificate with what is set here.
    pub fn certify(&self, set: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut parameters = CertificateParams::new(Vec::new()).expect("parameters");
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        set(&mut parameters);
        let key = KeyPair::generate().expect("a key");
        let certificate = parameters.signed_by(&key, &self.0).expect("a certificate");
        Identity {
            chain: vec![certificate.der().clone()],
            key,
        }
    }
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer")
    }
}

/// The private key in a message that is encrypted to this identity, in PKCS #8, after its signature was checked.
#[track_caller]
pub fn open(message: &[u8], identity: &Identity) -> Secret {
    let message = EnvelopedData::from_ber(message).expect("a message");
    let recipient = message.recipients().first().expect("a recipient");
    let own = Secret::new(identity.key.serialize_der());
    let content_key = unwrap_agreed(recipient, KeyAlgorithm::EcP256, &own);
    let (signed, mut keys) = protected_key::open(&message, content_key).expect("a key");
    let certificate = signed.certificates().first().expect("who has made it");
    let signer = signed.signers().first().expect("a signer");
    signed
        .verify(signer, certificate.public_key())
        .expect("a signature");
    assert_eq!(keys.len(), 1);
    keys.remove(0)
}
