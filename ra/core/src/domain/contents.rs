//! What will be certified.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{DistinguishedName, GeneralName, KeyUsage, Oid, PublicKey};
use std::time::Duration;

/// How long a certificate will live, relative to the moment its intent is made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ValidityPeriod {
    /// How far `notBefore` lies before that moment.
    pub backdate: Duration,
    /// From `notBefore` to `notAfter`, both inclusive (RFC 5280 section 4.1.2.5).
    pub lifetime: Duration,
}

impl BorshSerialize for ValidityPeriod {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        (self.backdate.as_secs(), self.lifetime.as_secs()).serialize(writer)
    }
}

impl BorshDeserialize for ValidityPeriod {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let (backdate, lifetime) = <(u64, u64)>::deserialize_reader(reader)?;
        Ok(Self {
            backdate: Duration::from_secs(backdate),
            lifetime: Duration::from_secs(lifetime),
        })
    }
}

/// Which of its own addresses the CA writes into the certificate.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub struct Publication {
    /// A CRL distribution point (RFC 5280 section 4.2.1.13).
    pub crl: bool,
    /// The address of the CA certificate (caIssuers, section 4.2.2.1).
    pub ca_issuers: bool,
    /// The address of the OCSP responder (section 4.2.2.1).
    pub ocsp: bool,
}

/// What will be certified: everything policy decides, and nothing the CA decides (no serial, no absolute time).
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct CertificateContents {
    /// The subject; empty makes the subject alternative name critical.
    pub subject: DistinguishedName,
    /// The subject alternative names, in order, without duplicates.
    pub names: Vec<GeneralName>,
    /// The key.
    pub public_key: PublicKey,
    /// How long.
    pub validity: ValidityPeriod,
    /// Key usage bits.
    pub key_usage: KeyUsage,
    /// Extended key usages, in order.
    pub extended_key_usage: Vec<Oid>,
    /// Certificate policies, in order.
    pub policies: Vec<Oid>,
    /// Whether basicConstraints (cA false) is written; an end entity never gets cA true.
    pub basic_constraints: bool,
    /// Addresses of the CA.
    pub publication: Publication,
}
