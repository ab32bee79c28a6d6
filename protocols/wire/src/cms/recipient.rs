//! Who can decrypt (RFC 5652 section 6.2).

use portreeve_pkix::der::{self, Reader, Tlv, tag};
use portreeve_pkix::{Certificate, DecodeError, Flaw, Oid, PublicKey, SerialNumber};

use super::{Algorithm, CmsError, KeyDerivation, KeyTransport, KeyWrap, RECIPIENTS_MAX, read_version};

/// Longest identifier and longest user keying material, in octets.
const IDENTIFIER_LENGTH_MAX: usize = 1024;

/// How a recipient or signer with a certificate is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientId {
    /// By the subject key identifier.
    KeyIdentifier(Vec<u8>),
    /// By issuer, as DER, and serial number.
    IssuerAndSerial {
        /// The issuer's name as it stands in the certificate.
        issuer: Vec<u8>,
        /// The serial number.
        serial: SerialNumber,
    },
}

impl RecipientId {
    /// Names a certificate by issuer and serial number.
    pub fn of(certificate: &Certificate) -> Self {
        Self::IssuerAndSerial {
            issuer: certificate.issuer_der().to_vec(),
            serial: certificate.serial().clone(),
        }
    }

    /// Whether it names this certificate.
    pub fn names(&self, certificate: &Certificate) -> bool {
        match self {
            Self::KeyIdentifier(id) => certificate.subject_key_id().as_ref() == Some(id),
            Self::IssuerAndSerial { .. } => *self == Self::of(certificate),
        }
    }

    /// The element in a KeyTransRecipientInfo or SignerInfo: the identifier is `[0]`.
    pub(super) fn to_der(&self) -> Vec<u8> {
        match self {
            Self::KeyIdentifier(id) => der::tlv(tag::context(0), id),
            Self::IssuerAndSerial { issuer, serial } => der::sequence(&[issuer.clone(), serial.to_der()]),
        }
    }

    /// The element in a KeyAgreeRecipientInfo: the identifier is a sequence `[0]`.
    pub(super) fn to_agreement_der(&self) -> Vec<u8> {
        match self {
            Self::KeyIdentifier(id) => {
                der::constructed(tag::context_constructed(0), &[der::octet_string(id)])
            }
            Self::IssuerAndSerial { .. } => self.to_der(),
        }
    }

    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let element = fields.any()?;
        match element.tag {
            tag::SEQUENCE => issuer_and_serial(&element),
            tagged if tagged == tag::context(0) => Ok(Self::KeyIdentifier(identifier(&element)?)),
            _ => Err(element.refuse(Flaw::Expected("identifier of a certificate"))),
        }
    }

    fn read_agreement(fields: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let element = fields.any()?;
        match element.tag {
            tag::SEQUENCE => issuer_and_serial(&element),
            tagged if tagged == tag::context_constructed(0) => {
                let octets = element.reader().expect(tag::OCTET_STRING, "key identifier")?;
                Ok(Self::KeyIdentifier(identifier(&octets)?))
            }
            _ => Err(element.refuse(Flaw::Expected("identifier of a certificate"))),
        }
    }
}

/// One way to the key of the content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecipientInfo {
    /// By a shared secret key.
    SharedKey {
        /// Which.
        identifier: Vec<u8>,
        /// How it wraps.
        wrap: KeyWrap,
        /// The key of the content, wrapped.
        encrypted_key: Vec<u8>,
    },
    /// By an RSA key.
    KeyTransport {
        /// Whose.
        recipient: RecipientId,
        /// How it was encrypted.
        transport: KeyTransport,
        /// The key of the content, encrypted.
        encrypted_key: Vec<u8>,
    },
    /// By an agreement with the recipient's elliptic-curve key.
    KeyAgreement {
        /// Whose.
        recipient: RecipientId,
        /// The sender's ephemeral point.
        originator: Vec<u8>,
        /// User keying material, which goes into the derivation.
        user_material: Option<Vec<u8>>,
        /// How the wrapping key is derived.
        derivation: KeyDerivation,
        /// How it wraps.
        wrap: KeyWrap,
        /// The key of the content, wrapped.
        encrypted_key: Vec<u8>,
    },
    /// By any other means: it can be passed over, not used.
    Other,
}

/// Reads a SET OF RecipientInfo: at least one.
pub(super) fn read_all(set: &Tlv<'_>) -> Result<Vec<RecipientInfo>, CmsError> {
    let mut list = set.reader();
    let mut recipients = Vec::new();
    loop {
        let element = list.any()?;
        if recipients.len() >= RECIPIENTS_MAX {
            return Err(element.refuse(Flaw::TooMany("recipients")).into());
        }
        recipients.push(match read(&element) {
            Err(CmsError::Algorithm(_)) => RecipientInfo::Other,
            read => read?,
        });
        if list.is_empty() {
            return Ok(recipients);
        }
    }
}

fn read(element: &Tlv<'_>) -> Result<RecipientInfo, CmsError> {
    const AGREEMENT: u8 = tag::context_constructed(1);
    const SHARED: u8 = tag::context_constructed(2);
    let fields = element.reader();
    match element.tag {
        tag::SEQUENCE => read_transport(fields),
        AGREEMENT => read_agreement(fields),
        SHARED => read_shared(fields),
        _ => Ok(RecipientInfo::Other),
    }
}

fn read_transport(mut fields: Reader<'_>) -> Result<RecipientInfo, CmsError> {
    read_version(&mut fields)?;
    let recipient = RecipientId::read(&mut fields)?;
    let named = Algorithm::read(&mut fields, "key encryption algorithm")?;
    let encrypted_key = encrypted_key(&mut fields)?;
    fields.finish("recipient")?;
    Ok(RecipientInfo::KeyTransport {
        recipient,
        transport: KeyTransport::read(&named)?,
        encrypted_key,
    })
}

fn read_shared(mut fields: Reader<'_>) -> Result<RecipientInfo, CmsError> {
    read_version(&mut fields)?;
    // Date and other attributes of the key may follow; the identifier alone names it here.
    let mut key = fields.sequence("key identifier")?;
    let identifier = identifier(&key.expect(tag::OCTET_STRING, "key identifier")?)?;
    let named = Algorithm::read(&mut fields, "key encryption algorithm")?;
    let encrypted_key = encrypted_key(&mut fields)?;
    fields.finish("recipient")?;
    Ok(RecipientInfo::SharedKey {
        identifier,
        wrap: read_wrap(&named)?,
        encrypted_key,
    })
}

/// Only the first of the recipients that share one agreement is looked at.
fn read_agreement(mut fields: Reader<'_>) -> Result<RecipientInfo, CmsError> {
    read_version(&mut fields)?;
    let originator = fields.expect(tag::context_constructed(0), "originator")?;
    let originator = read_originator(&mut originator.reader())?;
    let user_material = match fields.optional(tag::context_constructed(1))? {
        None => None,
        Some(explicit) => {
            let octets = explicit.reader().expect(tag::OCTET_STRING, "user material")?;
            Some(identifier(&octets)?)
        }
    };
    let named = Algorithm::read(&mut fields, "key agreement algorithm")?;
    let derivation =
        KeyDerivation::from_oid(&named.oid).ok_or_else(|| CmsError::Algorithm(named.oid.clone()))?;
    let Some(parameters) = named.parameters else {
        return Err(CmsError::Algorithm(named.oid));
    };
    let wrap = read_wrap(&Algorithm::of(&parameters)?)?;
    let mut key = fields.sequence("encrypted keys")?.sequence("encrypted key")?;
    fields.finish("recipient")?;
    Ok(RecipientInfo::KeyAgreement {
        recipient: RecipientId::read_agreement(&mut key)?,
        originator,
        user_material,
        derivation,
        wrap,
        encrypted_key: encrypted_key(&mut key)?,
    })
}

/// The point of an ephemeral originator key; a static one is not used here.
fn read_originator(fields: &mut Reader<'_>) -> Result<Vec<u8>, CmsError> {
    let element = fields.any()?;
    if element.tag != tag::context_constructed(1) {
        return Err(CmsError::Algorithm(Oid::EC_PUBLIC_KEY));
    }
    let mut key = element.reader();
    Algorithm::read(&mut key, "originator algorithm")?;
    let bits = key.expect(tag::BIT_STRING, "originator key")?;
    match bits.content.split_first() {
        Some((0, point)) if point.len() <= IDENTIFIER_LENGTH_MAX => Ok(point.to_vec()),
        _ => Err(bits.refuse(Flaw::Invalid("originator key")).into()),
    }
}

fn read_wrap(named: &Algorithm<'_>) -> Result<KeyWrap, CmsError> {
    KeyWrap::from_oid(&named.oid)
        .filter(|_| named.is_plain())
        .ok_or_else(|| CmsError::Algorithm(named.oid.clone()))
}

fn encrypted_key(fields: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    identifier(&fields.expect(tag::OCTET_STRING, "encrypted key")?)
}

fn identifier(element: &Tlv<'_>) -> Result<Vec<u8>, DecodeError> {
    match element.content.len() {
        1..=IDENTIFIER_LENGTH_MAX => Ok(element.content.to_vec()),
        _ => Err(element.refuse(Flaw::TooLarge("element of a recipient"))),
    }
}

fn issuer_and_serial(element: &Tlv<'_>) -> Result<RecipientId, DecodeError> {
    let mut fields = element.reader();
    let issuer = fields.expect(tag::SEQUENCE, "issuer")?.whole.to_vec();
    let serial = fields.expect(tag::INTEGER, "serial number")?;
    fields.finish("issuer and serial number")?;
    Ok(RecipientId::IssuerAndSerial {
        issuer,
        serial: SerialNumber::from_integer_content(serial.content)
            .map_err(|error| error.shifted(serial.content_offset()))?,
    })
}

/// A KeyTransRecipientInfo element.
pub(super) fn transport(recipient: &RecipientId, transport: KeyTransport, encrypted_key: &[u8]) -> Vec<u8> {
    let version = match recipient {
        RecipientId::IssuerAndSerial { .. } => 0,
        RecipientId::KeyIdentifier(_) => 2,
    };
    der::sequence(&[
        der::unsigned_integer(&[version]),
        recipient.to_der(),
        transport.algorithm_der(),
        der::octet_string(encrypted_key),
    ])
}

/// A KEKRecipientInfo element.
pub(super) fn shared(identifier: &[u8], wrap: KeyWrap, encrypted_key: &[u8]) -> Vec<u8> {
    der::constructed(
        tag::context_constructed(2),
        &[
            der::unsigned_integer(&[4]),
            der::sequence(&[der::octet_string(identifier)]),
            wrap.algorithm_der(),
            der::octet_string(encrypted_key),
        ],
    )
}

/// A KeyAgreeRecipientInfo element with an ephemeral originator key and one recipient.
pub(super) fn agreement(
    recipient: &RecipientId,
    originator: &PublicKey,
    (derivation, wrap): (KeyDerivation, KeyWrap),
    encrypted_key: &[u8],
) -> Vec<u8> {
    // Without parameters: the curve is the recipient's (RFC 5753 section 7.1.2).
    let key = [
        super::algorithm(&Oid::EC_PUBLIC_KEY, None),
        der::bit_string(originator.key_octets()),
    ];
    let originator = der::constructed(tag::context_constructed(1), &key);
    let encrypted = der::sequence(&[recipient.to_agreement_der(), der::octet_string(encrypted_key)]);
    der::constructed(
        tag::context_constructed(1),
        &[
            der::unsigned_integer(&[3]),
            der::constructed(tag::context_constructed(0), &[originator]),
            derivation.algorithm_der(wrap),
            der::sequence(&[encrypted]),
        ],
    )
}
