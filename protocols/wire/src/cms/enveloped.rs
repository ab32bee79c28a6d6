//! Reading an encrypted content (RFC 5652 section 6, RFC 5083).

use portreeve_pkix::der::{self, Reader, Tlv, tag};
use portreeve_pkix::{Certificate, Flaw, Oid, Secret};

use super::cipher;
use super::recipient::{self, RecipientInfo};
use super::{ATTRIBUTES_MAX, Algorithm, CmsError, ContentCipher, definite, read_content_info, read_version};

/// An EnvelopedData or AuthEnvelopedData that was read and not decrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopedData {
    recipients: Vec<RecipientInfo>,
    content_type: Oid,
    cipher: ContentCipher,
    /// Initialisation vector or nonce.
    initial: Vec<u8>,
    ciphertext: Vec<u8>,
    /// What the tag covers besides the content: the authenticated attributes as a SET.
    authenticated: Vec<u8>,
    tag: Vec<u8>,
}

impl EnvelopedData {
    /// Reads a ContentInfo of either kind, in BER or DER.
    ///
    /// Refused are contents without ciphertext, ciphers that are not used here, a GCM cipher in an EnvelopedData, a CBC
    /// cipher in an AuthEnvelopedData, and authenticated attributes that do not name the type of the content.
    pub fn from_ber(input: &[u8]) -> Result<Self, CmsError> {
        let bytes = definite(input)?;
        let (content_type, content) = read_content_info(&bytes)?;
        let authenticated = match content_type {
            kind if kind == Oid::ENVELOPED_DATA => false,
            kind if kind == Oid::AUTH_ENVELOPED_DATA => true,
            other => return Err(CmsError::ContentType(other)),
        };
        if content.tag != tag::SEQUENCE {
            return Err(content.refuse(Flaw::Expected("enveloped data")).into());
        }
        let mut fields = content.reader();
        read_version(&mut fields)?;
        fields.optional(tag::context_constructed(0))?;
        let recipients = recipient::read_all(&fields.expect(tag::SET, "recipients")?)?;
        let encrypted = EncryptedContent::read(fields.sequence("encrypted content")?)?;
        if encrypted.cipher.is_authenticated() != authenticated {
            return Err(CmsError::Algorithm(encrypted.cipher.oid()));
        }
        let (covered, mac) = if authenticated {
            read_authentication(&mut fields, &encrypted.content_type)?
        } else {
            fields.optional(tag::context_constructed(1))?;
            (Vec::new(), Vec::new())
        };
        fields.optional(tag::context_constructed(2))?;
        fields.finish("enveloped data")?;
        Ok(Self {
            recipients,
            content_type: encrypted.content_type,
            cipher: encrypted.cipher,
            initial: encrypted.initial,
            ciphertext: encrypted.ciphertext,
            authenticated: covered,
            tag: mac,
        })
    }

    /// The type of the content.
    pub const fn content_type(&self) -> &Oid {
        &self.content_type
    }

    /// How the content is encrypted.
    pub const fn cipher(&self) -> ContentCipher {
        self.cipher
    }

    /// Every way to the key of the content.
    pub fn recipients(&self) -> &[RecipientInfo] {
        &self.recipients
    }

    /// The way that leads through the key of this certificate.
    pub fn recipient_for(&self, certificate: &Certificate) -> Option<&RecipientInfo> {
        self.recipients.iter().find(|info| match info {
            RecipientInfo::KeyTransport { recipient, .. } | RecipientInfo::KeyAgreement { recipient, .. } => {
                recipient.names(certificate)
            }
            RecipientInfo::SharedKey { .. } | RecipientInfo::Other => false,
        })
    }

    /// Decrypts the content with its key, as the recipient's key gave it.
    ///
    /// A key that was not found or has the wrong length is replaced by a random one, so that nobody learns from the
    /// answer, or from the time it takes, what was wrong with the encrypted key (RFC 3218 section 2.3).
    pub fn open(&self, content_key: Result<Secret, CmsError>) -> Result<Secret, CmsError> {
        let mut random = vec![0; self.cipher.key_length()];
        let filled = aws_lc_rs::rand::fill(&mut random);
        filled.map_err(|_| CmsError::Library)?;
        let key = match content_key {
            Ok(key) if key.expose().len() == random.len() => key,
            Ok(_) | Err(_) => Secret::new(random),
        };
        let authentication = (self.authenticated.as_slice(), self.tag.as_slice());
        self.cipher
            .open(&key, &self.initial, &self.ciphertext, authentication)
    }
}

struct EncryptedContent {
    content_type: Oid,
    cipher: ContentCipher,
    initial: Vec<u8>,
    ciphertext: Vec<u8>,
}

impl EncryptedContent {
    fn read(mut fields: Reader<'_>) -> Result<Self, CmsError> {
        let content_type = fields.oid("content type")?;
        let named = Algorithm::read(&mut fields, "content encryption algorithm")?;
        let (cipher, initial) = cipher::read(&named)?;
        let element = fields.any()?;
        fields.finish("encrypted content")?;
        Ok(Self {
            content_type,
            cipher,
            initial,
            ciphertext: implicit_octets(&element)?,
        })
    }
}

/// `[0] IMPLICIT OCTET STRING`, whole or in pieces.
fn implicit_octets(element: &Tlv<'_>) -> Result<Vec<u8>, CmsError> {
    if element.tag == tag::context(0) {
        return Ok(element.content.to_vec());
    }
    if element.tag != tag::context_constructed(0) {
        return Err(element.refuse(Flaw::Expected("encrypted content")).into());
    }
    let mut pieces = element.reader();
    let mut octets = Vec::with_capacity(element.content.len());
    while !pieces.is_empty() {
        octets.extend_from_slice(pieces.expect(tag::OCTET_STRING, "encrypted content")?.content);
    }
    Ok(octets)
}

/// The authenticated attributes as a SET, and the tag.
fn read_authentication(fields: &mut Reader<'_>, content_type: &Oid) -> Result<(Vec<u8>, Vec<u8>), CmsError> {
    let mut covered = Vec::new();
    let mut is_named = *content_type == Oid::DATA;
    if let Some(attributes) = fields.optional(tag::context_constructed(1))? {
        let mut list = attributes.reader();
        let mut count = 0;
        is_named = false;
        while !list.is_empty() {
            count += 1;
            if count > ATTRIBUTES_MAX {
                return Err(CmsError::Malformed(
                    attributes.refuse(Flaw::TooMany("attributes")),
                ));
            }
            let mut attribute = list.sequence("attribute")?;
            let oid = attribute.oid("attribute type")?;
            let mut values = attribute.expect(tag::SET, "attribute values")?.reader();
            is_named |= oid == Oid::CONTENT_TYPE && values.oid("content type")? == *content_type;
        }
        covered = der::tlv(tag::SET, attributes.content);
    }
    if !is_named {
        return Err(CmsError::Decryption);
    }
    let mac = fields.expect(tag::OCTET_STRING, "authentication tag")?;
    if mac.content.len() != cipher::TAG_LENGTH {
        return Err(mac.refuse(Flaw::Invalid("authentication tag")).into());
    }
    Ok((covered, mac.content.to_vec()))
}
