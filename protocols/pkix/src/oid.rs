//! Object identifiers.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};

use crate::der;
use crate::error::{DecodeError, Flaw, invalid_record};
use crate::text::serde_as_text;

/// Content octets of the longest accepted identifier.
const OCTETS_MAX: usize = 64;

/// An object identifier; arcs up to 128 bits, at most 64 octets.
///
/// Held as its DER content octets and ordered by them; written in dotted form.
#[derive(Clone)]
pub struct Oid(Content);

/// Content octets of identifiers that are held in place, at most.
const SHORT_MAX: usize = 22;

#[derive(Clone)]
enum Content {
    Known(&'static [u8]),
    Short([u8; SHORT_MAX], u8),
    Long(Box<[u8]>),
}

impl PartialEq for Oid {
    fn eq(&self, other: &Self) -> bool {
        self.der_content() == other.der_content()
    }
}

impl Eq for Oid {}

impl PartialOrd for Oid {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Oid {
    fn cmp(&self, other: &Self) -> Ordering {
        self.der_content().cmp(other.der_content())
    }
}

impl Hash for Oid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der_content().hash(state);
    }
}

impl Oid {
    const fn known(content: &'static [u8]) -> Self {
        Self(Content::Known(content))
    }

    /// Of content octets that were found to be good.
    fn of(content: &[u8]) -> Self {
        let mut octets = [0; SHORT_MAX];
        match (octets.get_mut(..content.len()), u8::try_from(content.len())) {
            (Some(start), Ok(length)) => {
                start.copy_from_slice(content);
                Self(Content::Short(octets, length))
            }
            _ => Self(Content::Long(content.into())),
        }
    }

    /// Reads the content octets of an OBJECT IDENTIFIER.
    pub fn from_der_content(content: &[u8]) -> Result<Self, DecodeError> {
        let invalid = |offset| Flaw::Invalid("object identifier").at(offset);
        if content.len() > OCTETS_MAX {
            return Err(Flaw::TooLarge("object identifier").at(0));
        }
        if content.last().is_none_or(|octet| octet & 0x80 != 0) {
            return Err(invalid(0));
        }
        let mut arc = 0_u128;
        let mut starts = true;
        for (offset, octet) in content.iter().enumerate() {
            if (starts && *octet == 0x80) || arc.leading_zeros() < 7 {
                return Err(invalid(offset));
            }
            arc = (arc << 7) | u128::from(octet & 0x7f);
            starts = octet & 0x80 == 0;
            if starts {
                arc = 0;
            }
        }
        Ok(Self::of(content))
    }

    /// From arcs such as `[2, 5, 4, 3]`.
    pub fn from_arcs(arcs: &[u128]) -> Result<Self, DecodeError> {
        let invalid = || Flaw::Invalid("object identifier").at(0);
        let (first, second, rest) = match arcs {
            [first, second, rest @ ..] => (*first, *second, rest),
            _ => return Err(invalid()),
        };
        if first > 2 || (first < 2 && second > 39) {
            return Err(invalid());
        }
        let mut content = Vec::new();
        push_arc(&mut content, second.checked_add(first * 40).ok_or_else(invalid)?);
        for arc in rest {
            push_arc(&mut content, *arc);
        }
        if content.len() > OCTETS_MAX {
            return Err(Flaw::TooLarge("object identifier").at(0));
        }
        Ok(Self::of(&content))
    }

    /// The DER content octets.
    pub fn der_content(&self) -> &[u8] {
        match &self.0 {
            Content::Known(octets) => octets,
            Content::Short(octets, length) => octets.get(..usize::from(*length)).unwrap_or_default(),
            Content::Long(octets) => octets,
        }
    }

    /// The whole OBJECT IDENTIFIER element.
    pub fn to_der(&self) -> Vec<u8> {
        der::tlv(der::tag::OID, self.der_content())
    }

    fn arcs(&self) -> impl Iterator<Item = u128> + '_ {
        let mut arc = 0_u128;
        self.der_content().iter().filter_map(move |octet| {
            arc = (arc << 7) | u128::from(octet & 0x7f);
            (octet & 0x80 == 0).then(|| std::mem::take(&mut arc))
        })
    }
}

/// Declares well-known identifiers by their content octets, checked against the dotted form by a test.
macro_rules! known {
    ($($(#[$doc:meta])* $name:ident = $dotted:literal, $content:expr;)*) => {
        impl Oid {
            $($(#[$doc])* pub const $name: Oid = Oid::known(&$content);)*
        }

        #[cfg(test)]
        const KNOWN: &[(&str, Oid)] = &[$(($dotted, Oid::$name),)*];
    };
}

known! {
    /// Attribute: common name.
    COMMON_NAME = "2.5.4.3", [0x55, 4, 3];
    /// Attribute: surname.
    SURNAME = "2.5.4.4", [0x55, 4, 4];
    /// Attribute: serial number of a device or person (not of a certificate).
    SERIAL_NUMBER = "2.5.4.5", [0x55, 4, 5];
    /// Attribute: country.
    COUNTRY = "2.5.4.6", [0x55, 4, 6];
    /// Attribute: locality.
    LOCALITY = "2.5.4.7", [0x55, 4, 7];
    /// Attribute: state or province.
    STATE = "2.5.4.8", [0x55, 4, 8];
    /// Attribute: street address.
    STREET = "2.5.4.9", [0x55, 4, 9];
    /// Attribute: organization.
    ORGANIZATION = "2.5.4.10", [0x55, 4, 10];
    /// Attribute: organizational unit.
    ORGANIZATIONAL_UNIT = "2.5.4.11", [0x55, 4, 11];
    /// Attribute: title.
    TITLE = "2.5.4.12", [0x55, 4, 12];
    /// Attribute: given name.
    GIVEN_NAME = "2.5.4.42", [0x55, 4, 42];
    /// Attribute: DN qualifier.
    DN_QUALIFIER = "2.5.4.46", [0x55, 4, 46];
    /// Attribute: organization identifier.
    ORGANIZATION_IDENTIFIER = "2.5.4.97", [0x55, 4, 97];
    /// Attribute: domain component.
    DOMAIN_COMPONENT = "0.9.2342.19200300.100.1.25", [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19];
    /// Attribute: user identifier.
    USER_ID = "0.9.2342.19200300.100.1.1", [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x01];
    /// Attribute: e-mail address (PKCS #9).
    EMAIL_ADDRESS = "1.2.840.113549.1.9.1", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x01];
    /// PKCS #9 attribute: challenge password.
    CHALLENGE_PASSWORD = "1.2.840.113549.1.9.7", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07];
    /// PKCS #9 attribute: requested extensions.
    EXTENSION_REQUEST = "1.2.840.113549.1.9.14", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];

    /// CMC attribute: the subject that a renewed certificate is to have (RFC 6402 section 2.8).
    CHANGE_SUBJECT_NAME = "1.3.6.1.5.5.7.7.36", [0x2b, 6, 1, 5, 5, 7, 7, 36];

    /// Extension: subject key identifier.
    SUBJECT_KEY_IDENTIFIER = "2.5.29.14", [0x55, 0x1d, 14];
    /// Extension: key usage.
    KEY_USAGE = "2.5.29.15", [0x55, 0x1d, 15];
    /// Extension: subject alternative name.
    SUBJECT_ALT_NAME = "2.5.29.17", [0x55, 0x1d, 17];
    /// Extension: issuer alternative name.
    ISSUER_ALT_NAME = "2.5.29.18", [0x55, 0x1d, 18];
    /// Extension: basic constraints.
    BASIC_CONSTRAINTS = "2.5.29.19", [0x55, 0x1d, 19];
    /// CRL extension: CRL number.
    CRL_NUMBER = "2.5.29.20", [0x55, 0x1d, 20];
    /// CRL entry extension: reason code.
    REASON_CODE = "2.5.29.21", [0x55, 0x1d, 21];
    /// CRL extension: issuing distribution point.
    ISSUING_DISTRIBUTION_POINT = "2.5.29.28", [0x55, 0x1d, 28];
    /// Extension: name constraints.
    NAME_CONSTRAINTS = "2.5.29.30", [0x55, 0x1d, 30];
    /// Extension: CRL distribution points.
    CRL_DISTRIBUTION_POINTS = "2.5.29.31", [0x55, 0x1d, 31];
    /// Extension: certificate policies.
    CERTIFICATE_POLICIES = "2.5.29.32", [0x55, 0x1d, 32];
    /// Extension: authority key identifier.
    AUTHORITY_KEY_IDENTIFIER = "2.5.29.35", [0x55, 0x1d, 35];
    /// Extension: extended key usage.
    EXTENDED_KEY_USAGE = "2.5.29.37", [0x55, 0x1d, 37];
    /// Extension: no revocation information available (RFC 9608).
    NO_REV_AVAIL = "2.5.29.56", [0x55, 0x1d, 56];
    /// Extension: authority information access.
    AUTHORITY_INFO_ACCESS = "1.3.6.1.5.5.7.1.1", [0x2b, 6, 1, 5, 5, 7, 1, 1];
    /// Extension: TLS feature ("must staple").
    TLS_FEATURE = "1.3.6.1.5.5.7.1.24", [0x2b, 6, 1, 5, 5, 7, 1, 24];
    /// Extension: identifier proven by tls-alpn-01 (RFC 8737).
    ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31", [0x2b, 6, 1, 5, 5, 7, 1, 31];
    /// Access method: OCSP.
    ACCESS_OCSP = "1.3.6.1.5.5.7.48.1", [0x2b, 6, 1, 5, 5, 7, 48, 1];
    /// Access method: certificates of the issuer.
    ACCESS_CA_ISSUERS = "1.3.6.1.5.5.7.48.2", [0x2b, 6, 1, 5, 5, 7, 48, 2];
    /// Extension for OCSP responders: not to be checked for revocation.
    OCSP_NO_CHECK = "1.3.6.1.5.5.7.48.1.5", [0x2b, 6, 1, 5, 5, 7, 48, 1, 5];
    /// Certificate policy: any.
    ANY_POLICY = "2.5.29.32.0", [0x55, 0x1d, 32, 0];

    /// Extended key usage: any.
    EKU_ANY = "2.5.29.37.0", [0x55, 0x1d, 37, 0];
    /// Extended key usage: TLS server.
    EKU_SERVER_AUTH = "1.3.6.1.5.5.7.3.1", [0x2b, 6, 1, 5, 5, 7, 3, 1];
    /// Extended key usage: TLS client.
    EKU_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2", [0x2b, 6, 1, 5, 5, 7, 3, 2];
    /// Extended key usage: code signing.
    EKU_CODE_SIGNING = "1.3.6.1.5.5.7.3.3", [0x2b, 6, 1, 5, 5, 7, 3, 3];
    /// Extended key usage: e-mail protection.
    EKU_EMAIL_PROTECTION = "1.3.6.1.5.5.7.3.4", [0x2b, 6, 1, 5, 5, 7, 3, 4];
    /// Extended key usage: time stamping.
    EKU_TIME_STAMPING = "1.3.6.1.5.5.7.3.8", [0x2b, 6, 1, 5, 5, 7, 3, 8];
    /// Extended key usage: OCSP signing.
    EKU_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9", [0x2b, 6, 1, 5, 5, 7, 3, 9];
    /// Extended key usage: registration authority (RFC 6402 section 2.10).
    EKU_CMC_RA = "1.3.6.1.5.5.7.3.28", [0x2b, 6, 1, 5, 5, 7, 3, 28];

    /// Key: RSA.
    RSA_ENCRYPTION = "1.2.840.113549.1.1.1", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    /// Key: elliptic curve.
    EC_PUBLIC_KEY = "1.2.840.10045.2.1", [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    /// Curve P-256.
    CURVE_P256 = "1.2.840.10045.3.1.7", [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    /// Curve P-384.
    CURVE_P384 = "1.3.132.0.34", [0x2b, 0x81, 0x04, 0, 34];
    /// Curve P-521.
    CURVE_P521 = "1.3.132.0.35", [0x2b, 0x81, 0x04, 0, 35];
    /// Key and signature: Ed25519.
    ED25519 = "1.3.101.112", [0x2b, 0x65, 0x70];
    /// Signature: RSA PKCS #1 v1.5 with SHA-256.
    SHA256_WITH_RSA = "1.2.840.113549.1.1.11", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    /// Signature: RSA PKCS #1 v1.5 with SHA-384.
    SHA384_WITH_RSA = "1.2.840.113549.1.1.12", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
    /// Signature: RSA PKCS #1 v1.5 with SHA-512.
    SHA512_WITH_RSA = "1.2.840.113549.1.1.13", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
    /// Signature: ECDSA with SHA-256.
    ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2", [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    /// Signature: ECDSA with SHA-384.
    ECDSA_WITH_SHA384 = "1.2.840.10045.4.3.3", [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    /// Signature: ECDSA with SHA-512.
    ECDSA_WITH_SHA512 = "1.2.840.10045.4.3.4", [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];

    /// CMS: id-data (RFC 5652 section 4).
    DATA = "1.2.840.113549.1.7.1", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
    /// CMS: id-signedData (RFC 5652 section 5.1).
    SIGNED_DATA = "1.2.840.113549.1.7.2", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
    /// CMS: id-envelopedData (RFC 5652 section 6.1).
    ENVELOPED_DATA = "1.2.840.113549.1.7.3", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 3];
    /// CMS: id-ct-authEnvelopedData (RFC 5083 section 2).
    AUTH_ENVELOPED_DATA = "1.2.840.113549.1.9.16.1.23", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 23];
    /// CMS content: AsymmetricKeyPackage (RFC 5958 section 2).
    KEY_PACKAGE = "2.16.840.1.101.2.1.2.78.5", [0x60, 0x86, 0x48, 1, 0x65, 2, 1, 2, 78, 5];
    /// CMS attribute: content type (RFC 5652 section 11.1).
    CONTENT_TYPE = "1.2.840.113549.1.9.3", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
    /// CMS attribute: message digest (RFC 5652 section 11.2).
    MESSAGE_DIGEST = "1.2.840.113549.1.9.4", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
    /// Attribute: what the sender can decrypt (RFC 8551 section 2.5.2).
    SMIME_CAPABILITIES = "1.2.840.113549.1.9.15", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 15];
    /// Attribute: names a shared secret key (RFC 4108 section 2.2.5).
    DECRYPT_KEY_IDENTIFIER = "1.2.840.113549.1.9.16.2.37", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 37];
    /// Attribute: names a public key to encrypt to (RFC 7030 section 4.4.1.2).
    ASYMMETRIC_DECRYPT_KEY_IDENTIFIER = "1.2.840.113549.1.9.16.2.54", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 54];
    /// CSR attribute: a template of the whole request (RFC 9908 section 3.4).
    REQUEST_TEMPLATE = "1.2.840.113549.1.9.16.2.61", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 61];
    /// CSR attribute: extensions, some without a value (RFC 9908 section 3.4).
    EXTENSION_REQUEST_TEMPLATE = "1.2.840.113549.1.9.16.2.62", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 62];

    /// Digest: SHA-256.
    SHA256 = "2.16.840.1.101.3.4.2.1", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
    /// Digest: SHA-384.
    SHA384 = "2.16.840.1.101.3.4.2.2", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
    /// Digest: SHA-512.
    SHA512 = "2.16.840.1.101.3.4.2.3", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
    /// Key transport: RSAES-OAEP (RFC 8017 appendix A.2.1).
    RSA_OAEP = "1.2.840.113549.1.1.7", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 7];
    /// Mask generation of RSAES-OAEP.
    MGF1 = "1.2.840.113549.1.1.8", [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];
    /// Key agreement: ECDH with the X9.63 derivation over SHA-256 (RFC 5753 section 7.1.4).
    ECDH_SHA256_KDF = "1.3.132.1.11.1", [0x2b, 0x81, 0x04, 1, 11, 1];
    /// Key agreement: ECDH with the X9.63 derivation over SHA-384 (RFC 5753 section 7.1.4).
    ECDH_SHA384_KDF = "1.3.132.1.11.2", [0x2b, 0x81, 0x04, 1, 11, 2];
    /// Key wrap: AES-128 (RFC 3565 section 2.3.2).
    AES128_WRAP = "2.16.840.1.101.3.4.1.5", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 5];
    /// Key wrap: AES-256 (RFC 3565 section 2.3.2).
    AES256_WRAP = "2.16.840.1.101.3.4.1.45", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 45];
    /// Content encryption: AES-128 in CBC mode (RFC 3565 section 4.1).
    AES128_CBC = "2.16.840.1.101.3.4.1.2", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2];
    /// Content encryption: AES-256 in CBC mode (RFC 3565 section 4.1).
    AES256_CBC = "2.16.840.1.101.3.4.1.42", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42];
    /// Content encryption: AES-128 in GCM mode (RFC 5084 section 3.2).
    AES128_GCM = "2.16.840.1.101.3.4.1.6", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 6];
    /// Content encryption: AES-256 in GCM mode (RFC 5084 section 3.2).
    AES256_GCM = "2.16.840.1.101.3.4.1.46", [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 46];
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, arc) in self.arcs().enumerate() {
            if index == 0 {
                let first = (arc / 40).min(2);
                write!(f, "{first}.{}", arc - first * 40)?;
            } else {
                write!(f, ".{arc}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Oid({self})")
    }
}

impl FromStr for Oid {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let invalid = || Flaw::Invalid("object identifier").at(0);
        if text.len() > 4 * OCTETS_MAX {
            return Err(Flaw::TooLarge("object identifier").at(0));
        }
        let mut arcs = Vec::new();
        for part in text.split('.') {
            let canonical = part == "0" || !part.starts_with(['0', '+']);
            arcs.push(part.parse().ok().filter(|_| canonical).ok_or_else(invalid)?);
        }
        Self::from_arcs(&arcs)
    }
}

serde_as_text!(Oid);

impl BorshSerialize for Oid {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(self.der_content(), writer)
    }
}

impl BorshDeserialize for Oid {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        let content = Vec::<u8>::deserialize_reader(reader)?;
        Self::from_der_content(&content).map_err(invalid_record)
    }
}

fn push_arc(content: &mut Vec<u8>, arc: u128) {
    let groups = (128 - arc.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let bits = ((arc >> (7 * group)) & 0x7f) as u8;
        content.push(if group == 0 { bits } else { bits | 0x80 });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_identifiers_match_their_dotted_form() {
        for (dotted, oid) in KNOWN {
            assert_eq!(oid.to_string(), *dotted);
            assert_eq!(dotted.parse::<Oid>().as_ref(), Ok(oid));
            assert_eq!(Oid::from_der_content(oid.der_content()).as_ref(), Ok(oid));
        }
    }

    #[test]
    fn uuid_arcs_survive() {
        let text = format!("2.25.{}", u128::MAX);
        assert_eq!(text.parse::<Oid>().map(|oid| oid.to_string()), Ok(text));
        assert_eq!(
            "2.999".parse::<Oid>().map(|oid| oid.to_string()),
            Ok("2.999".to_owned())
        );
    }

    #[test]
    fn refuses_malformed() {
        for text in [
            "", "1", "3.1", "1.40", "1.2.", "1..2", "1.02", "1.+2", "1.-2", "a.b", "1.2.3x",
        ] {
            assert!(text.parse::<Oid>().is_err(), "{text}");
        }
        let huge = [vec![0xff; 70], vec![1]].concat();
        let wide = [vec![0x55], vec![0xff; 19], vec![1]].concat();
        let rows: [(&str, &[u8]); 5] = [
            ("empty", &[]),
            ("unterminated", &[0x55, 0x84]),
            ("padded arc", &[0x55, 0x80, 0x01]),
            ("too long", &huge),
            ("arc beyond 128 bits", &wide),
        ];
        for (name, content) in rows {
            assert!(Oid::from_der_content(content).is_err(), "{name}");
        }
    }
}
