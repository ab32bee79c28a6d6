//! A signed content (RFC 5652 section 5).

use portreeve_pkix::der::{self, Reader, Tlv, tag};
use portreeve_pkix::{Certificate, DecodeError, Flaw, Oid, PublicKey, SignatureAlgorithm};
use zeroize::Zeroizing;

use super::recipient::RecipientId;
use super::signer_info::{Digest, SignerInfo};
use super::{CmsError, SIGNERS_MAX, certs_only, content_info, definite, read_content_info, read_version};

/// An attribute with its values in DER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CmsAttribute {
    /// Its type.
    pub oid: Oid,
    /// Its values.
    pub values: Vec<Vec<u8>>,
}

impl CmsAttribute {
    /// An attribute with one value.
    pub fn new(oid: Oid, value: Vec<u8>) -> Self {
        Self {
            oid,
            values: vec![value],
        }
    }

    fn to_der(&self) -> Vec<u8> {
        der::sequence(&[self.oid.to_der(), der::set_of(self.values.clone())])
    }
}

/// A SignedData that waits for its signature, so that the key may be anywhere.
pub struct SignedDataDraft {
    content_type: Oid,
    content: Zeroizing<Vec<u8>>,
    signer: RecipientId,
    algorithm: SignatureAlgorithm,
    attributes: Vec<Vec<u8>>,
}

impl SignedDataDraft {
    /// Starts with a content, who will sign it and how, and attributes to sign besides content type and message digest.
    pub fn new(
        content_type: Oid,
        content: Vec<u8>,
        (signer, algorithm): (RecipientId, SignatureAlgorithm),
        attributes: &[CmsAttribute],
    ) -> Self {
        let digest = Digest::for_signature(algorithm).of(&content);
        let own = [
            CmsAttribute::new(Oid::CONTENT_TYPE, content_type.to_der()),
            CmsAttribute::new(Oid::MESSAGE_DIGEST, der::octet_string(&digest)),
        ];
        Self {
            content_type,
            content: Zeroizing::new(content),
            signer,
            algorithm,
            attributes: own.iter().chain(attributes).map(CmsAttribute::to_der).collect(),
        }
    }

    /// What the signer signs: the attributes as a SET (RFC 5652 section 5.4).
    pub fn to_be_signed(&self) -> Vec<u8> {
        der::set_of(self.attributes.clone())
    }

    /// The SignedData element, with these certificates, each in DER. It is no ContentInfo yet: see
    /// [`SignedDataDraft::assemble`]. Inside an EnvelopedData it stands as it is.
    pub fn assemble_bare(self, signature: &[u8], certificates: &[&[u8]]) -> Vec<u8> {
        // RFC 5652 section 5.1: version 3 when a signer is named by its key or the content is no data.
        let by_key = matches!(self.signer, RecipientId::KeyIdentifier(_));
        let version = if by_key || self.content_type != Oid::DATA {
            3
        } else {
            1
        };
        let digest = Digest::for_signature(self.algorithm).algorithm_der();
        let mut attributes = self.attributes;
        attributes.sort();
        let signer = der::sequence(&[
            der::unsigned_integer(&[if by_key { 3 } else { 1 }]),
            self.signer.to_der(),
            digest.clone(),
            der::constructed(tag::context_constructed(0), &attributes),
            self.algorithm.algorithm_identifier_der(),
            der::octet_string(signature),
        ]);
        // The content may be a private key: no copy of it is left behind.
        let octets = Zeroizing::new(der::octet_string(&self.content));
        let explicit = Zeroizing::new(der::constructed(tag::context_constructed(0), &[octets]));
        let kind = Zeroizing::new(self.content_type.to_der());
        let encapsulated = der::sequence(&[kind, explicit]);
        let mut parts = vec![
            der::unsigned_integer(&[version]),
            der::set_of(vec![digest]),
            encapsulated,
        ];
        if !certificates.is_empty() {
            let mut sorted = certificates.to_vec();
            sorted.sort_unstable();
            parts.push(der::constructed(tag::context_constructed(0), &sorted));
        }
        parts.push(der::set_of(vec![signer]));
        let parts: Vec<Zeroizing<Vec<u8>>> = parts.into_iter().map(Zeroizing::new).collect();
        der::sequence(&parts)
    }

    /// The whole message.
    pub fn assemble(self, signature: &[u8], certificates: &[&[u8]]) -> Vec<u8> {
        content_info(&Oid::SIGNED_DATA, self.assemble_bare(signature, certificates))
    }
}

/// A SignedData that was read and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData {
    content_type: Oid,
    content: Vec<u8>,
    certificates: Vec<Certificate>,
    signers: Vec<SignerInfo>,
}

impl SignedData {
    /// Reads a ContentInfo of SignedData, in BER or DER.
    pub fn from_ber(input: &[u8]) -> Result<Self, CmsError> {
        let bytes = definite(input)?;
        let (content_type, content) = read_content_info(&bytes)?;
        if content_type != Oid::SIGNED_DATA {
            return Err(CmsError::ContentType(content_type));
        }
        Self::read(&content)
    }

    /// Reads a SignedData element that stands by itself, as inside an EnvelopedData. A whole ContentInfo is understood too.
    pub fn from_bare_ber(input: &[u8]) -> Result<Self, CmsError> {
        let bytes = definite(input)?;
        let mut outer = Reader::new(&bytes);
        let element = outer.expect(tag::SEQUENCE, "signed data")?;
        outer.finish("signed data")?;
        if element.content.first() == Some(&tag::OID) {
            return Self::from_ber(&bytes);
        }
        Self::read(&element)
    }

    fn read(element: &Tlv<'_>) -> Result<Self, CmsError> {
        if element.tag != tag::SEQUENCE {
            return Err(element.refuse(Flaw::Expected("signed data")).into());
        }
        let mut fields = element.reader();
        read_version(&mut fields)?;
        fields.expect(tag::SET, "digest algorithms")?;
        let mut encapsulated = fields.sequence("encapsulated content")?;
        let content_type = encapsulated.oid("content type")?;
        let content = match encapsulated.optional(tag::context_constructed(0))? {
            None => Vec::new(),
            Some(explicit) => {
                let octets = explicit.reader().expect(tag::OCTET_STRING, "content")?;
                octets.content.to_vec()
            }
        };
        encapsulated.finish("encapsulated content")?;
        let certificates = certs_only::read(&mut fields)?;
        fields.optional(tag::context_constructed(1))?;
        let mut list = fields.expect(tag::SET, "signers")?.reader();
        fields.finish("signed data")?;
        let mut signers = Vec::new();
        while !list.is_empty() {
            if signers.len() >= SIGNERS_MAX {
                return Err(DecodeError::new(Flaw::TooMany("signers"), list.offset()).into());
            }
            signers.push(SignerInfo::read(list.sequence("signer")?)?);
        }
        Ok(Self {
            content_type,
            content,
            certificates,
            signers,
        })
    }

    /// The type of the content.
    pub const fn content_type(&self) -> &Oid {
        &self.content_type
    }

    /// The content; empty when there is none.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The certificates that came along. They are not to be trusted for that.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// Who signed.
    pub fn signers(&self) -> &[SignerInfo] {
        &self.signers
    }

    /// Checks that the holder of this key signed, as this signer of the message says.
    pub fn verify(&self, signer: &SignerInfo, key: &PublicKey) -> Result<(), CmsError> {
        signer.verify(key, &self.content_type, &self.content)
    }
}
