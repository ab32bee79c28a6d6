//! Certificates (RFC 5280).

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use borsh::{BorshDeserialize, BorshSerialize};

use crate::decode;
use crate::der::{Limits, Reader, tag};
use crate::digest::sha256;
use crate::dn::DistinguishedName;
use crate::error::{DecodeError, Flaw, invalid_record};
use crate::extension::{self, BasicConstraints, Extension, KeyUsage};
use crate::key::PublicKey;
use crate::names::{GeneralName, UnusualDnsNames};
use crate::oid::Oid;
use crate::serial::SerialNumber;
use crate::signature::{BadSignature, SignatureAlgorithm};
use crate::signed::{self, Signed};
use crate::time::Timestamp;

/// Largest accepted certificate.
pub const CERTIFICATE_BYTES_MAX: usize = 64 * 1024;
/// Most alternative names of a certificate.
pub const CERTIFICATE_NAMES_MAX: usize = 1000;

const LIMITS: Limits = Limits {
    bytes: CERTIFICATE_BYTES_MAX,
    depth: 32,
    elements: 4096,
};

/// An X.509 certificate as received or made. Cheap to clone; stored as its DER.
///
/// Parsing shows nothing about trust: see [`Certificate::verify_signed_by`] and [`IssuerChain`](crate::IssuerChain).
#[derive(Clone)]
pub struct Certificate(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    tbs: Range<usize>,
    serial: SerialNumber,
    issuer: (DistinguishedName, Range<usize>),
    not_before: Timestamp,
    not_after: Timestamp,
    subject: (DistinguishedName, Range<usize>),
    public_key: PublicKey,
    extensions: Vec<Extension>,
    views: Views,
    algorithm: Option<SignatureAlgorithm>,
    algorithm_oid: Oid,
    signature: Range<usize>,
    /// The fingerprint of the first key that its signature was found to be of.
    signed_by: OnceLock<[u8; 32]>,
}

impl Certificate {
    /// Reads a certificate without trailing bytes.
    ///
    /// Refused are more than 64 KiB, 64 extensions, 1,000 alternative names or 32 levels; extensions that occur twice
    /// or, where this crate has a view of them, are malformed; serials that are not positive or exceed 20 octets; and
    /// a signature algorithm inside that differs from the one outside (RFC 5280 section 4.1.1.2).
    pub fn from_der(input: &[u8]) -> Result<Self, DecodeError> {
        let signed = Signed::read(input, LIMITS, "certificate")?;
        let mut fields = signed.tbs.reader();
        let version = read_version(&mut fields)?;
        let serial_element = fields.expect(tag::INTEGER, "serial number")?;
        let serial = SerialNumber::from_integer_content(serial_element.content)
            .map_err(|error| error.shifted(serial_element.content_offset()))?;
        let inner_algorithm = fields.expect(tag::SEQUENCE, "signature algorithm")?;
        if inner_algorithm.whole != signed.algorithm.whole {
            return Err(inner_algorithm.refuse(Flaw::Invalid("signature algorithm")));
        }
        let issuer = read_name(&mut fields, "issuer")?;
        let mut validity = fields.sequence("validity")?;
        let not_before = decode::time(&validity.any()?)?;
        let not_after = decode::time(&validity.any()?)?;
        validity.finish("validity")?;
        let subject = read_name(&mut fields, "subject")?;
        let key = fields.expect(tag::SEQUENCE, "public key")?;
        let public_key = PublicKey::from_der(key.whole).map_err(|error| error.shifted(key.offset))?;
        let extensions = read_extensions(&mut fields, version)?;
        Ok(Self(Arc::new(Parsed {
            der: input.to_vec(),
            tbs: signed::range(&signed.tbs),
            serial,
            issuer,
            not_before,
            not_after,
            subject,
            public_key,
            views: Views::of(&extensions)?,
            extensions,
            algorithm: SignatureAlgorithm::from_algorithm_identifier(signed.algorithm.whole),
            algorithm_oid: signed.algorithm_oid,
            signature: signed.signature,
            signed_by: OnceLock::new(),
        })))
    }

    /// The certificate as received.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// The part that is signed.
    pub fn tbs_der(&self) -> &[u8] {
        self.slice(&self.0.tbs)
    }

    /// The serial number.
    pub fn serial(&self) -> &SerialNumber {
        &self.0.serial
    }

    /// The name of the issuer.
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer.0
    }

    /// The name of the issuer as received.
    pub fn issuer_der(&self) -> &[u8] {
        self.slice(&self.0.issuer.1)
    }

    /// The name of the subject.
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject.0
    }

    /// The name of the subject as received; what issued certificates repeat as their issuer.
    pub fn subject_der(&self) -> &[u8] {
        self.slice(&self.0.subject.1)
    }

    /// First moment of validity.
    pub fn not_before(&self) -> Timestamp {
        self.0.not_before
    }

    /// Last second of validity.
    pub fn not_after(&self) -> Timestamp {
        self.0.not_after
    }

    /// Within the validity period, both ends included.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before() <= now && now.floor_to_second() <= self.not_after()
    }

    /// The certified key.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public_key
    }

    /// The alternative names in order, repeated ones once. A dNSName that is no [`DnsName`](crate::DnsName) is kept
    /// as [`GeneralName::Other`].
    pub fn names(&self) -> &[GeneralName] {
        &self.0.views.names
    }

    /// All extensions.
    pub fn extensions(&self) -> &[Extension] {
        &self.0.extensions
    }

    /// The extension with this identifier.
    pub fn extension(&self, oid: &Oid) -> Option<&Extension> {
        extension::find(&self.0.extensions, oid)
    }

    /// The subject is a CA, by its basic constraints.
    pub fn is_ca(&self) -> bool {
        self.0
            .views
            .basic_constraints
            .is_some_and(|constraints| constraints.ca)
    }

    /// How many further CAs may follow below this one, if that is limited.
    pub fn path_len(&self) -> Option<u32> {
        self.0
            .views
            .basic_constraints
            .and_then(|constraints| constraints.path_len)
    }

    /// The key usages, if the extension is there.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.0.views.key_usage
    }

    /// The extended key usages, if the extension is there.
    pub fn extended_key_usage(&self) -> Option<&[Oid]> {
        self.0.views.extended_key_usage.as_deref()
    }

    /// The subject key identifier.
    pub fn subject_key_id(&self) -> Option<Vec<u8>> {
        self.0.views.subject_key_id.clone()
    }

    /// The key identifier of the issuer.
    pub fn authority_key_id(&self) -> Option<Vec<u8>> {
        self.0.views.authority_key_id.clone()
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(self.der())
    }

    /// The signature octets.
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.0.signature)
    }

    /// The signature algorithm, if it is one that can be verified.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.0.algorithm
    }

    /// The identifier of the signature algorithm.
    pub fn signature_algorithm_oid(&self) -> &Oid {
        &self.0.algorithm_oid
    }

    /// Checks the signature over the bytes received. Once it was found to be of a key, this value and its clones need not
    /// find that out again.
    pub fn verify_signed_by(&self, issuer_key: &PublicKey) -> Result<(), BadSignature> {
        let key = issuer_key.fingerprint();
        if self.0.signed_by.get() == Some(&key) {
            return Ok(());
        }
        let algorithm = self.0.algorithm.ok_or(BadSignature)?;
        issuer_key.verify(algorithm, self.tbs_der(), self.signature())?;
        self.0.signed_by.get_or_init(|| key);
        Ok(())
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &self.0.serial)
            .field("issuer", &self.issuer().to_string())
            .field("subject", &self.subject().to_string())
            .field("not_after", &self.0.not_after.to_string())
            .finish_non_exhaustive()
    }
}

impl BorshSerialize for Certificate {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(self.der(), writer)
    }
}

impl BorshDeserialize for Certificate {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::from_der(&Vec::<u8>::deserialize_reader(reader)?).map_err(invalid_record)
    }
}

/// Typed views of the extensions this crate knows.
#[derive(Default)]
struct Views {
    names: Vec<GeneralName>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Option<Vec<Oid>>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

impl Views {
    fn of(extensions: &[Extension]) -> Result<Self, DecodeError> {
        let value = |oid: Oid| extension::find(extensions, &oid).map(|extension| extension.value.as_slice());
        let names =
            |value| decode::subject_alt_name(value, CERTIFICATE_NAMES_MAX, UnusualDnsNames::KeepAsOther);
        Ok(Self {
            names: value(Oid::SUBJECT_ALT_NAME)
                .map(names)
                .transpose()?
                .unwrap_or_default(),
            basic_constraints: value(Oid::BASIC_CONSTRAINTS)
                .map(decode::basic_constraints)
                .transpose()?,
            key_usage: value(Oid::KEY_USAGE).map(decode::key_usage).transpose()?,
            extended_key_usage: value(Oid::EXTENDED_KEY_USAGE)
                .map(decode::extended_key_usage)
                .transpose()?,
            subject_key_id: value(Oid::SUBJECT_KEY_IDENTIFIER)
                .map(decode::subject_key_identifier)
                .transpose()?,
            authority_key_id: value(Oid::AUTHORITY_KEY_IDENTIFIER)
                .map(decode::authority_key_identifier)
                .transpose()?
                .flatten(),
        })
    }
}

#[derive(Copy, Clone, PartialEq, Eq, PartialOrd)]
enum Version {
    V1,
    V2,
    V3,
}

fn read_version(fields: &mut Reader<'_>) -> Result<Version, DecodeError> {
    let Some(explicit) = fields.optional(tag::context_constructed(0))? else {
        return Ok(Version::V1);
    };
    let mut inner = explicit.reader();
    let number = inner.expect(tag::INTEGER, "version")?;
    inner.finish("version")?;
    match number.content {
        [1] => Ok(Version::V2),
        [2] => Ok(Version::V3),
        _ => Err(number.refuse(Flaw::Invalid("version"))),
    }
}

fn read_name(
    fields: &mut Reader<'_>,
    what: &'static str,
) -> Result<(DistinguishedName, Range<usize>), DecodeError> {
    let element = fields.expect(tag::SEQUENCE, what)?;
    Ok((DistinguishedName::from_tlv(&element)?, signed::range(&element)))
}

/// Skips the unique identifiers of version 2, then reads the extensions of version 3.
fn read_extensions(fields: &mut Reader<'_>, version: Version) -> Result<Vec<Extension>, DecodeError> {
    if version >= Version::V2 {
        fields.optional(tag::context(1))?;
        fields.optional(tag::context(2))?;
    }
    let mut extensions = Vec::new();
    if version == Version::V3
        && let Some(explicit) = fields.optional(tag::context_constructed(3))?
    {
        let mut inner = explicit.reader();
        extensions = Extension::read_all(&mut inner)?;
        inner.finish("extensions")?;
    }
    fields.clone().finish("certificate")?;
    Ok(extensions)
}
