//! Certificates in a SignedData without content and signers (RFC 5652 section 5.1; "certs-only" of RFC 8551).

use portreeve_pkix::der::{Reader, tag};
use portreeve_pkix::{Certificate, Flaw, Oid, bundle};

use super::{CERTIFICATES_MAX, CmsError, definite, read_content_info};

/// The message of these certificates, each in DER. They come in the order of a DER set.
pub fn encode(certificates: &[&[u8]]) -> Vec<u8> {
    bundle::certificates(certificates)
}

/// The certificates of a message, in its order.
///
/// Other kinds of certificates, revocation lists and signers are passed over: the message itself is not to be trusted.
/// Refused are more than [`CERTIFICATES_MAX`] certificates, and certificates that do not decode.
pub fn decode(input: &[u8]) -> Result<Vec<Certificate>, CmsError> {
    let bytes = definite(input)?;
    let (content_type, content) = read_content_info(&bytes)?;
    if content_type != Oid::SIGNED_DATA {
        return Err(CmsError::ContentType(content_type));
    }
    if content.tag != tag::SEQUENCE {
        return Err(content.refuse(Flaw::Expected("signed data")).into());
    }
    let mut fields = content.reader();
    fields.expect(tag::INTEGER, "version")?;
    fields.expect(tag::SET, "digest algorithms")?;
    fields.expect(tag::SEQUENCE, "encapsulated content")?;
    read(&mut fields)
}

/// The certificates of a SignedData whose reader stands before them.
pub(super) fn read(fields: &mut Reader<'_>) -> Result<Vec<Certificate>, CmsError> {
    let Some(set) = fields.optional(tag::context_constructed(0))? else {
        return Ok(Vec::new());
    };
    let mut list = set.reader();
    let mut certificates = Vec::new();
    let mut count = 0;
    while !list.is_empty() {
        let element = list.any()?;
        count += 1;
        if count > CERTIFICATES_MAX {
            return Err(element.refuse(Flaw::TooMany("certificates")).into());
        }
        if element.tag == tag::SEQUENCE {
            let certificate = Certificate::from_der(element.whole).map_err(|e| e.shifted(element.offset))?;
            certificates.push(certificate);
        }
    }
    Ok(certificates)
}
