//! Which enrollment a certificate came from, whoever signed it, and whether or not what is known of it was erased.

use std::collections::BTreeMap;

use portreeve_pkix::{Certificate, DistinguishedName, SerialNumber};

use super::RegistrationAuthority;
use super::begin::serial_key;
use super::search::{SearchError, padded};
use crate::domain::{BackendName, Enrollment, EnrollmentId, EnrollmentState, StreamKind};
use crate::error::Error;
use crate::ports::{CertificateRow, Scan, Space};
use crate::search::{Among, Expression, Field, Plan, Term};

/// CAs that have given one serial number, at most: of more than these some are not looked at.
const SAME_SERIAL_MAX: u32 = 20;

/// Which certificate is meant. Without issuer and CA its serial number must be enough.
#[derive(Clone, Debug)]
pub struct Meant {
    /// Its serial number.
    pub serial: SerialNumber,
    /// Its issuer's name.
    pub issuer: Option<DistinguishedName>,
    /// The CA that signed it.
    pub backend: Option<BackendName>,
}

impl RegistrationAuthority {
    /// The enrollment of this certificate. Rows lead to candidates, and the unique keys of serial numbers where the issuer
    /// is named; their verified events decide. Of one that is erased nothing else is left than what led to it.
    ///
    /// # Errors
    /// When several CAs have given the serial number and it is not said which is meant.
    pub async fn certified(&self, meant: &Meant) -> Result<Option<EnrollmentId>, SearchError> {
        let (rows, reserved) = (
            self.with_serial(&meant.serial).await?,
            self.reserved(meant).await?,
        );
        let mut candidates: BTreeMap<EnrollmentId, bool> = rows.iter().map(|row| meant.led_by(row)).collect();
        candidates.extend(reserved.map(|id| (id, true)));
        let (mut known, mut erased) = (Vec::new(), Vec::new());
        for (id, fits) in candidates {
            match self.enrollment(id).await? {
                Some(found) if found.state() == Some(EnrollmentState::Erased) => {
                    erased.extend(fits.then_some(id));
                }
                Some(found) => known.extend(meant.is(&found).then_some(found)),
                None => {}
            }
        }
        match (known.as_slice(), erased.as_slice()) {
            ([], []) => Ok(None),
            ([only], _) => Ok(Some(only.id)),
            ([], [only]) => Ok(Some(*only)),
            (several, _) => {
                let names = several.iter().filter_map(Enrollment::application);
                let names = names.map(|application| application.backend.to_string());
                Err(SearchError::Ambiguous(names.collect()))
            }
        }
    }

    /// The enrollment that has taken the serial number of this issuer.
    async fn reserved(&self, meant: &Meant) -> Result<Option<EnrollmentId>, Error> {
        let Some(issuer) = &meant.issuer else {
            return Ok(None);
        };
        let key = serial_key(&issuer.to_der(), meant.serial.as_bytes());
        let reserved = self.parts.store.reserved(Space::Serial, &key).await?;
        let reserved = reserved.filter(|stream| stream.kind == StreamKind::Enrollment);
        Ok(reserved.map(|stream| EnrollmentId::from_bytes(stream.id)))
    }

    /// Rows that say that a certificate has this serial number.
    async fn with_serial(&self, serial: &SerialNumber) -> Result<Vec<CertificateRow>, Error> {
        let wanted = Expression::Term(Term::octets(Field::Serial, padded(serial)));
        let now = self.now();
        let plan = Plan::of(Some(&wanted), Among::Certificates, now);
        let scan = Scan {
            expression: Some(&wanted),
            plan: &plan,
            now,
            after: None,
            limit: SAME_SERIAL_MAX,
        };
        Ok(self.parts.store.find_certificates(&scan).await?.items)
    }
}

impl Meant {
    /// The enrollment of a row, and whether all that is asked for stands in the row, which does not say who the issuer is.
    fn led_by(&self, row: &CertificateRow) -> (EnrollmentId, bool) {
        let of_ca = |backend: &BackendName| row.backend == backend.as_str();
        let fits = self.issuer.is_none() && self.backend.as_ref().is_none_or(of_ca);
        (row.enrollment, fits)
    }

    /// Whether this is the certificate of an enrollment.
    fn is(&self, enrollment: &Enrollment) -> bool {
        let certificate = enrollment
            .certificate()
            .and_then(|(der, _)| Certificate::from_der(der).ok());
        let Some(certificate) = certificate.filter(|found| *found.serial() == self.serial) else {
            return false;
        };
        let by_issuer = |issuer: &DistinguishedName| certificate.issuer().normalised() == issuer.normalised();
        let signed_by = enrollment.application().map(|application| &application.backend);
        self.issuer.as_ref().is_none_or(by_issuer)
            && self
                .backend
                .as_ref()
                .is_none_or(|backend| signed_by == Some(backend))
    }
}
