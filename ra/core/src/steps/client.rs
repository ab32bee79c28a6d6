//! Certificates of clients: are they to be believed, and as whose? TLS has shown who holds the key and nothing else.

use std::sync::Arc;

use portreeve_pkix::{Certificate, CertificationRequest, Oid, Timestamp};

use super::paths::KnownPaths;
use crate::domain::{
    CertificateRegistration, CertificateRejection as Rejection, Endpoint, Enrollment, EnrollmentId,
    EnrollmentState, KnownRegistration, Renewal, RenewalRules, RevocationReason, SecretId, TrustAnchorSet,
};

/// Certificates of one client, at most: its own, and those between it and its anchor.
const CHAIN_MAX: usize = 8;

/// Octets of all of them, at most.
const CHAIN_OCTETS_MAX: usize = 64 * 1024;

/// Reads the certificates that a client sent. `known` is its own one, if that was read before.
pub(crate) fn read(chain: &[Vec<u8>], known: Option<&Certificate>) -> Result<Vec<Certificate>, Rejection> {
    let octets: usize = chain.iter().map(Vec::len).sum();
    if chain.len() > CHAIN_MAX || octets > CHAIN_OCTETS_MAX {
        return Err(Rejection::TooLong);
    }
    let Some((own, issuers)) = chain.split_first() else {
        return Err(Rejection::Malformed);
    };
    let own = match known.filter(|known| known.der() == own.as_slice()) {
        Some(known) => known.clone(),
        None => Certificate::from_der(own).map_err(|_| Rejection::Malformed)?,
    };
    // Whatever else a client sends may be of any kind: what cannot be read is no part of a path.
    let issuers = issuers.iter().filter_map(|der| Certificate::from_der(der).ok());
    Ok(std::iter::once(own).chain(issuers).collect())
}

/// Certificates of a client, and all that decides whether it is believed: read, and not admitted.
#[derive(Clone, Debug)]
pub(crate) struct Presented {
    /// As sent, the client's own first.
    pub(crate) chain: Vec<Certificate>,
    /// What its own one came of, when it is one of ours.
    pub(crate) issued: Option<Issued>,
    /// Anchors of CAs whose certificates let their holders enrol here.
    pub(crate) trust: Vec<Arc<TrustAnchorSet>>,
    /// Anchors of CAs whose certificates give the right to ask for others here.
    pub(crate) ra_trust: Vec<Arc<TrustAnchorSet>>,
    /// What was found out about others with such certificates.
    pub(crate) paths: Arc<KnownPaths>,
    /// Whether its key is known to be compromised.
    pub(crate) compromised: bool,
    /// The registration it stands for.
    pub(crate) registration: Option<Arc<KnownRegistration>>,
    /// The secret by which that registration was let in first.
    pub(crate) secret: Option<SecretId>,
}

impl Presented {
    /// Whether its holder must stand for a registration.
    pub(crate) fn must_be_registered(&self, endpoint: &Endpoint, for_others: bool) -> bool {
        match &self.issued {
            Some(issued) => {
                let application = issued.enrollment.application();
                application.is_some_and(|application| application.registration.is_some())
            }
            None => !for_others && endpoint.clients.registration != CertificateRegistration::Nobody,
        }
    }
}

/// What a certificate of ours came of.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub(crate) enrollment: Enrollment,
    /// The request that it was issued on, as received.
    pub(crate) request: Option<CertificationRequest>,
    pub(crate) renewal: Renewal,
    pub(crate) lineage: LineageStanding,
}

/// Where the certificates of one lineage stand.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct LineageStanding {
    /// The newest whose certificate was used to renew.
    pub(crate) used: Option<EnrollmentId>,
    /// The newest renewal that led to a certificate, or still may.
    pub(crate) begun: Option<EnrollmentId>,
}

/// Whether a certificate of ours still is good for its holder to be known by.
pub(crate) fn good(enrollment: &Enrollment) -> Result<(), Rejection> {
    match enrollment.state() {
        Some(EnrollmentState::Issued | EnrollmentState::Confirmed) => {}
        _ => return Err(Rejection::Untrusted),
    }
    match enrollment.revoked() {
        None => Ok(()),
        Some((RevocationReason::CertificateHold, _)) => Err(Rejection::Held),
        Some(_) => Err(Rejection::Revoked),
    }
}

/// Whether a certificate of ours is good at this moment, and is from this endpoint or from one whose certificates are renewed
/// here.
pub(crate) fn good_here(
    (enrollment, certificate): (&Enrollment, &Certificate),
    endpoint: &Endpoint,
    now: Timestamp,
) -> Result<(), Rejection> {
    good(enrollment)?;
    in_time(certificate, now)?;
    let from = enrollment.application().map(|application| &application.endpoint);
    let here = from.is_some_and(|from| *from == endpoint.name || endpoint.renewal.from.contains(from));
    here.then_some(()).ok_or(Rejection::Elsewhere)
}

/// Whether the holder of a certificate of ours may ask for something by it here, now.
pub(crate) fn may_renew(
    (enrollment, certificate): (&Enrollment, &Certificate),
    endpoint: &Endpoint,
    lineage: LineageStanding,
    now: Timestamp,
) -> Result<(), Rejection> {
    good_here((enrollment, certificate), endpoint, now)?;
    is_newest(enrollment.id, &endpoint.renewal, lineage)
}

/// Whether no newer certificate of its lineage keeps this one from being renewed.
pub(crate) fn is_newest(
    this: EnrollmentId,
    rules: &RenewalRules,
    lineage: LineageStanding,
) -> Result<(), Rejection> {
    let newer = |other: Option<EnrollmentId>| other.is_some_and(|other| other > this);
    if newer(lineage.used) || (rules.newest_only && newer(lineage.begun)) {
        return Err(Rejection::NotNewest);
    }
    Ok(())
}

fn in_time(certificate: &Certificate, now: Timestamp) -> Result<(), Rejection> {
    if now < certificate.not_before() {
        Err(Rejection::NotYetValid)
    } else if !certificate.is_valid_at(now) {
        Err(Rejection::Expired)
    } else {
        Ok(())
    }
}

/// Whether a certificate says that its holder may ask for others. That is not yet a right to.
pub(crate) fn is_for_others(certificate: &Certificate) -> bool {
    certificate
        .extended_key_usage()
        .is_some_and(|purposes| purposes.contains(&Oid::EKU_CMC_RA))
}

/// The name of the registration that a certificate of somebody else's CA stands for. A subject with several such
/// attributes stands for none.
pub(crate) fn registration_name(
    certificate: &Certificate,
    by: CertificateRegistration,
) -> Result<Option<String>, Rejection> {
    let oid = match by {
        CertificateRegistration::Nobody => return Ok(None),
        CertificateRegistration::SerialNumber => Oid::SERIAL_NUMBER,
        CertificateRegistration::CommonName => Oid::COMMON_NAME,
    };
    let mut values = certificate
        .subject()
        .attributes()
        .filter(|attribute| attribute.oid == oid)
        .map(|attribute| attribute.value.clone());
    match (values.next(), values.next()) {
        (Some(value), None) => Ok(Some(value)),
        _ => Err(Rejection::NotRegistered),
    }
}
