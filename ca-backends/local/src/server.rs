//! Certificates of the installation itself, under its management CA: TLS servers and operators. They belong to no requester and to no
//! enrollment of the RA, so only a management CA may sign them: a root that has no CA below it.

use std::collections::BTreeSet;
use std::time::Duration;

use portreeve_pkix::{Certificate, DistinguishedName, GeneralName, KeyUsage, Oid, PublicKey, SerialNumber};
use portreeve_ra::{CertificateContents, Publication, ValidityPeriod};

use crate::addresses::Addresses;
use crate::authority::{self, AuthorityError, BACKDATE, Ceremony, Parent};
use crate::draft::{Draft, Issuer};
use crate::lint::{self, Specimen};
use crate::validity;

/// What a TLS certificate of the installation shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerContents {
    /// Its key.
    pub key: PublicKey,
    /// DNS names and addresses; at least one.
    pub names: Vec<GeneralName>,
    /// From notBefore to notAfter; cut where the management CA ends.
    pub lifetime: Duration,
}

/// What the client certificate of an operator shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorContents {
    /// Their key.
    pub key: PublicKey,
    /// Their name, which becomes the common name.
    pub name: String,
    /// From notBefore to notAfter; cut where the management CA ends.
    pub lifetime: Duration,
}

/// Certifies a TLS server of the installation itself.
pub async fn create_server(
    management: &Parent<'_>,
    contents: &ServerContents,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    if contents.names.is_empty() {
        return Err(AuthorityError::Parent);
    }
    let period = period(contents.lifetime);
    certify(management, certified(contents, period), ceremony).await
}

/// Certifies an operator, for signing in.
pub async fn create_operator(
    management: &Parent<'_>,
    contents: &OperatorContents,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    let subject = DistinguishedName::common_name(&*contents.name);
    if contents.name.is_empty() || subject.to_der() == management.certificate.subject_der() {
        return Err(AuthorityError::Name(contents.name.clone()));
    }
    let certified = CertificateContents {
        subject,
        names: Vec::new(),
        public_key: contents.key.clone(),
        validity: period(contents.lifetime),
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        extended_key_usage: vec![Oid::EKU_CLIENT_AUTH],
        policies: Vec::new(),
        basic_constraints: true,
        publication: Publication::default(),
    };
    certify(management, certified, ceremony).await
}

const fn period(lifetime: Duration) -> ValidityPeriod {
    ValidityPeriod {
        backdate: BACKDATE,
        lifetime,
    }
}

/// Signs what a management CA certifies, after linting it.
async fn certify(
    management: &Parent<'_>,
    certified: CertificateContents,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    let issuer = management.certificate;
    let is_management = issuer.is_ca()
        && issuer.path_len() == Some(0)
        && issuer.issuer_der() == issuer.subject_der()
        && management.signer.public_key() == issuer.public_key();
    if !is_management {
        return Err(AuthorityError::Parent);
    }
    let now = ceremony.clock.now();
    let validity = validity::validity(certified.validity, issuer, now)
        .map_err(|error| AuthorityError::Lifetime(error.to_string()))?;
    let mut octets = [0; 16];
    ceremony.random.fill(&mut octets);
    let algorithm = management.signer.algorithm();
    let named = Issuer {
        certificate: issuer,
        algorithm,
        addresses: &Addresses::default(),
    };
    let serial = SerialNumber::random128(&octets);
    let tbs = Draft::of_end_entity(&certified, &named, validity, serial).to_der();
    let specimen = Specimen {
        tbs: &tbs,
        contents: &certified,
        issuer: &named,
        now,
    };
    lint::lint(&specimen, &BTreeSet::new()).map_err(|found| AuthorityError::Contents(found.to_string()))?;
    authority::sign(&tbs, management.signer, ceremony).await
}

/// The subject stays empty: clients look at the names only (RFC 9525 section 2).
fn certified(contents: &ServerContents, validity: ValidityPeriod) -> CertificateContents {
    CertificateContents {
        subject: DistinguishedName::empty(),
        names: contents.names.clone(),
        public_key: contents.key.clone(),
        validity,
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        extended_key_usage: vec![Oid::EKU_SERVER_AUTH],
        policies: Vec::new(),
        basic_constraints: true,
        publication: Publication::default(),
    }
}
