//! Making CAs: root, issuing and management CA certificates.

use std::time::Duration;

use portreeve_pkix::signed::assemble;
use portreeve_pkix::{
    BasicConstraints, Certificate, DecodeError, DistinguishedName, Extension, KeyUsage, PublicKey,
    SerialNumber,
};
use portreeve_ra::ports::{Clock, Random, SignError, Signer, ToSign};
use portreeve_ra::{EnrollmentId, ValidityPeriod};

use crate::addresses::{Addresses, BadAddress};
use crate::draft::{self, Draft};
use crate::lint;
use crate::validity::{self, Validity};

/// Clocks of relying parties may be this much behind.
pub(crate) const BACKDATE: Duration = Duration::from_secs(3600);

/// What a CA certificate shall say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityContents {
    /// Its name; never empty.
    pub subject: DistinguishedName,
    /// From notBefore to notAfter; cut where its issuer ends.
    pub lifetime: Duration,
    /// How many further CAs may follow below it; nothing for any number.
    pub path_len: Option<u32>,
    /// Where its issuer publishes; of no use in a root.
    pub addresses: Addresses,
}

/// The CA that signs another CA's certificate.
pub struct Parent<'a> {
    /// Its certificate.
    pub certificate: &'a Certificate,
    /// Its key.
    pub signer: &'a dyn Signer,
}

/// Time and chance.
pub struct Ceremony<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Where serial numbers come from.
    pub random: &'a dyn Random,
}

/// A CA certificate was not made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The name is empty, or that of its issuer.
    #[error("CA name {0:?} is empty or that of its issuer")]
    Name(String),
    /// The times make no sense.
    #[error("CA certificate: {0}")]
    Lifetime(String),
    /// The issuer may not issue CA certificates, or not one with this path length.
    #[error("the parent CA may not certify this CA (basicConstraints, keyCertSign, path length, key)")]
    Parent,
    /// The contents fail the lint.
    #[error("contents cannot be certified: {0}")]
    Contents(String),
    /// An address is of no use.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// The signer did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The result does not read: the name has a value that does not fit.
    #[error("CA certificate does not decode: {0}")]
    Encoding(#[from] DecodeError),
}

/// Makes a self-signed root.
pub async fn create_root(
    signer: &dyn Signer,
    contents: &AuthorityContents,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    check_name(contents, None)?;
    let now = ceremony.clock.now();
    let validity = validity::unbounded(period(contents), now);
    if validity.not_after <= now {
        return Err(AuthorityError::Lifetime(
            "it would have expired when it is made".to_owned(),
        ));
    }
    let key = signer.public_key();
    let draft = Draft {
        serial: serial(ceremony.random),
        algorithm: signer.algorithm(),
        issuer: contents.subject.to_der(),
        validity: draft::encode_validity(validity),
        subject: contents.subject.to_der(),
        public_key: key.clone(),
        extensions: vec![draft::subject_key_identifier(key), constraints(contents), usage()],
    };
    sign(&draft.to_der(), signer, ceremony).await
}

/// Makes the certificate of an issuing CA for this key, signed by its parent.
pub async fn create_issuing(
    parent: &Parent<'_>,
    key: &PublicKey,
    contents: &AuthorityContents,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    check_parent(parent, contents, key)?;
    contents.addresses.check()?;
    let now = ceremony.clock.now();
    let validity = validity::validity(period(contents), parent.certificate, now)
        .map_err(|error| AuthorityError::Lifetime(error.to_string()))?;
    let draft = issuing_draft(parent, key, contents, (serial(ceremony.random), validity));
    sign(&draft.to_der(), parent.signer, ceremony).await
}

/// Makes the management CA, which certifies operators, nodes and TLS endpoints of the installation itself: a root that
/// has no CA below it.
pub async fn create_management(
    signer: &dyn Signer,
    contents: &AuthorityContents,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    create_root(
        signer,
        &AuthorityContents {
            path_len: Some(0),
            ..contents.clone()
        },
        ceremony,
    )
    .await
}

fn issuing_draft(
    parent: &Parent<'_>,
    key: &PublicKey,
    contents: &AuthorityContents,
    (serial, validity): (SerialNumber, Validity),
) -> Draft {
    let mut extensions = vec![
        draft::subject_key_identifier(key),
        draft::authority_key_identifier(parent.certificate),
        constraints(contents),
        usage(),
    ];
    let addresses = &contents.addresses;
    extensions.extend(draft::crl_distribution_points(&addresses.crl));
    extensions.extend(draft::authority_info_access(
        &addresses.ca_issuers,
        &addresses.ocsp,
    ));
    Draft {
        serial,
        algorithm: parent.signer.algorithm(),
        issuer: parent.certificate.subject_der().to_vec(),
        validity: draft::encode_validity(validity),
        subject: contents.subject.to_der(),
        public_key: key.clone(),
        extensions,
    }
}

/// Signs a certificate that no request asked for. To the signer's journal it is an enrollment of its own.
pub(crate) async fn sign(
    tbs: &[u8],
    signer: &dyn Signer,
    ceremony: &Ceremony<'_>,
) -> Result<Certificate, AuthorityError> {
    lint::unsigned(tbs, signer.algorithm())?;
    let enrollment = EnrollmentId::new(ceremony.clock.now(), ceremony.random);
    let what = ToSign::Certificate {
        enrollment,
        tbs: tbs.to_vec(),
    };
    let signature = signer.sign(what).await?;
    Ok(certified(tbs, signer, &signature)?)
}

/// The certificate of these contents and this signature, which must be one of the signer's key.
pub(crate) fn certified(tbs: &[u8], signer: &dyn Signer, signature: &[u8]) -> Result<Certificate, SignError> {
    let der = assemble(tbs, signer.algorithm(), signature);
    // The contents were decoded before they were signed.
    let certificate = Certificate::from_der(&der).map_err(|_| SignError::Corrupt)?;
    let verified = certificate.verify_signed_by(signer.public_key());
    verified.map(|()| certificate).map_err(|_| SignError::Corrupt)
}

fn check_name(contents: &AuthorityContents, parent: Option<&Certificate>) -> Result<(), AuthorityError> {
    let is_parents = parent.is_some_and(|parent| parent.subject_der() == contents.subject.to_der());
    if contents.subject.is_empty() || is_parents {
        return Err(AuthorityError::Name(contents.subject.to_string()));
    }
    Ok(())
}

fn check_parent(
    parent: &Parent<'_>,
    contents: &AuthorityContents,
    key: &PublicKey,
) -> Result<(), AuthorityError> {
    check_name(contents, Some(parent.certificate))?;
    let usage = parent.certificate.key_usage().unwrap_or_default();
    let room = parent
        .certificate
        .path_len()
        .is_none_or(|most| most > 0 && contents.path_len.is_some_and(|path_len| path_len < most));
    let may = parent.certificate.is_ca()
        && usage.contains(KeyUsage::KEY_CERT_SIGN)
        && room
        && parent.signer.public_key() == parent.certificate.public_key()
        && parent.certificate.public_key() != key;
    if may { Ok(()) } else { Err(AuthorityError::Parent) }
}

fn constraints(contents: &AuthorityContents) -> Extension {
    draft::basic_constraints(BasicConstraints {
        ca: true,
        path_len: contents.path_len,
    })
}

fn usage() -> Extension {
    draft::key_usage(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN)
}

const fn period(contents: &AuthorityContents) -> ValidityPeriod {
    ValidityPeriod {
        backdate: BACKDATE,
        lifetime: contents.lifetime,
    }
}

fn serial(random: &dyn Random) -> SerialNumber {
    let mut octets = [0; 16];
    random.fill(&mut octets);
    SerialNumber::random128(&octets)
}
