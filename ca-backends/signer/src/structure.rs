//! Whether bytes are what they are said to be. A TBSCertificate cannot pass as a TBSCertList, nor the other way round.

use portreeve_pkix::SignatureAlgorithm;
use portreeve_pkix::der::{Reader, tag};

/// Version 3, the only one (RFC 5280 section 4.1.2.1).
const CERTIFICATE_V3: &[u8] = &[2];
/// Version 2, the only one (RFC 5280 section 5.1.2.1).
const LIST_V2: &[u8] = &[1];

/// Why bytes are not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsuitable {
    #[error("{what}: {error}")]
    Shape {
        what: &'static str,
        error: portreeve_pkix::DecodeError,
    },
    #[error("{0}: not the version that is signed here")]
    Version(&'static str),
    #[error("{0}: names another signature algorithm than that of the key")]
    Algorithm(&'static str),
}

/// The fields of a version 3 TBSCertificate (RFC 5280 section 4.1), in order and nothing else.
pub(crate) fn check_certificate(tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<(), Unsuitable> {
    const WHAT: &str = "TBSCertificate";
    let shape = |error| Unsuitable::Shape { what: WHAT, error };
    let mut outer = Reader::new(tbs);
    let mut fields = outer.sequence(WHAT).map_err(shape)?;
    outer.finish(WHAT).map_err(shape)?;
    let version = fields
        .expect(tag::context_constructed(0), "version")
        .map_err(shape)?;
    let mut version = version.reader();
    let number = version.expect(tag::INTEGER, "version").map_err(shape)?;
    version.finish("version").map_err(shape)?;
    if number.content != CERTIFICATE_V3 {
        return Err(Unsuitable::Version(WHAT));
    }
    fields.expect(tag::INTEGER, "serial number").map_err(shape)?;
    let named = fields
        .expect(tag::SEQUENCE, "signature algorithm")
        .map_err(shape)?;
    if named.whole != algorithm.algorithm_identifier_der() {
        return Err(Unsuitable::Algorithm(WHAT));
    }
    for field in ["issuer", "validity", "subject", "public key"] {
        fields.expect(tag::SEQUENCE, field).map_err(shape)?;
    }
    fields
        .expect(tag::context_constructed(3), "extensions")
        .map_err(shape)?;
    fields.finish(WHAT).map_err(shape)
}

/// The fields of a version 2 TBSCertList (RFC 5280 section 5.1), in order and nothing else.
pub(crate) fn check_list(tbs: &[u8], algorithm: SignatureAlgorithm) -> Result<(), Unsuitable> {
    const WHAT: &str = "TBSCertList";
    let shape = |error| Unsuitable::Shape { what: WHAT, error };
    let mut outer = Reader::new(tbs);
    let mut fields = outer.sequence(WHAT).map_err(shape)?;
    outer.finish(WHAT).map_err(shape)?;
    let version = fields.expect(tag::INTEGER, "version").map_err(shape)?;
    if version.content != LIST_V2 {
        return Err(Unsuitable::Version(WHAT));
    }
    let named = fields
        .expect(tag::SEQUENCE, "signature algorithm")
        .map_err(shape)?;
    if named.whole != algorithm.algorithm_identifier_der() {
        return Err(Unsuitable::Algorithm(WHAT));
    }
    fields.expect(tag::SEQUENCE, "issuer").map_err(shape)?;
    for field in ["thisUpdate", "nextUpdate"] {
        if fields.optional(tag::UTC_TIME).map_err(shape)?.is_none() {
            fields.expect(tag::GENERALIZED_TIME, field).map_err(shape)?;
        }
    }
    fields.optional(tag::SEQUENCE).map_err(shape)?;
    fields
        .expect(tag::context_constructed(0), "extensions")
        .map_err(shape)?;
    fields.finish(WHAT).map_err(shape)
}

#[cfg(test)]
pub(crate) mod samples {
    use portreeve_pkix::{SerialNumber, SignatureAlgorithm, Timestamp, der, encode};

    /// A TBSCertificate in form only.
    pub(crate) fn certificate(serial: &[u8; 16], algorithm: SignatureAlgorithm) -> Vec<u8> {
        der::sequence(&[
            der::constructed(der::tag::context_constructed(0), &[der::unsigned_integer(&[2])]),
            SerialNumber::random128(serial).to_der(),
            algorithm.algorithm_identifier_der(),
            der::sequence::<Vec<u8>>(&[]),
            der::sequence(&[
                encode::time(Timestamp::default()),
                encode::time(Timestamp::default()),
            ]),
            der::sequence::<Vec<u8>>(&[]),
            der::sequence::<Vec<u8>>(&[]),
            der::constructed(der::tag::context_constructed(3), &[encode::extensions(&[])]),
        ])
    }

    /// A TBSCertList in form only.
    pub(crate) fn list(number: u64, algorithm: SignatureAlgorithm) -> Vec<u8> {
        der::sequence(&[
            der::unsigned_integer(&[1]),
            algorithm.algorithm_identifier_der(),
            der::sequence::<Vec<u8>>(&[]),
            encode::time(Timestamp::default()),
            encode::time(Timestamp::default()),
            der::constructed(der::tag::context_constructed(0), &[encode::crl_number(number)]),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_pkix::der;

    const P256: SignatureAlgorithm = SignatureAlgorithm::EcdsaSha256;

    #[test]
    fn each_kind_passes_as_itself_only() {
        let certificate = samples::certificate(&[7; 16], P256);
        let list = samples::list(1, P256);
        assert_eq!(check_certificate(&certificate, P256), Ok(()));
        assert_eq!(check_list(&list, P256), Ok(()));
        assert!(check_list(&certificate, P256).is_err());
        assert!(check_certificate(&list, P256).is_err());
    }

    #[test]
    fn deviations_are_refused() {
        let certificate = samples::certificate(&[7; 16], P256);
        let list = samples::list(1, P256);
        let changed = |bytes: &[u8], from: &[u8], to: &[u8]| {
            let at = bytes
                .windows(from.len())
                .position(|window| window == from)
                .expect("found");
            let mut out = bytes.to_vec();
            out.splice(at..at + from.len(), to.iter().copied());
            out
        };
        let rows: [(&str, bool, Vec<u8>); 6] = [
            (
                "version 1 certificate",
                true,
                changed(&certificate, &[0xa0, 3, 2, 1, 2], &[0xa0, 3, 2, 1, 0]),
            ),
            ("trailing bytes", true, [certificate.clone(), vec![5, 0]].concat()),
            (
                "trailing field",
                true,
                der::sequence(&[&certificate[3..], &[5, 0]]),
            ),
            ("version 1 list", false, changed(&list, &[2, 1, 1], &[2, 1, 0])),
            ("empty", true, Vec::new()),
            ("truncated", false, list[..list.len() - 1].to_vec()),
        ];
        for (name, is_certificate, bytes) in rows {
            let checked = if is_certificate {
                check_certificate(&bytes, P256)
            } else {
                check_list(&bytes, P256)
            };
            assert!(checked.is_err(), "{name}");
        }
        let other = SignatureAlgorithm::EcdsaSha384;
        assert_eq!(
            check_certificate(&certificate, other),
            Err(Unsuitable::Algorithm("TBSCertificate"))
        );
        assert_eq!(
            check_list(&list, other),
            Err(Unsuitable::Algorithm("TBSCertList"))
        );
    }
}
