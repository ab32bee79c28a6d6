//! One signer of a SignedData (RFC 5652 section 5.3).

use aws_lc_rs::digest;
use portreeve_pkix::der::{self, Reader, Tlv, tag};
use portreeve_pkix::{DecodeError, Flaw, Oid, PublicKey, SignatureAlgorithm};

use super::recipient::RecipientId;
use super::signed_data::CmsAttribute;
use super::{ATTRIBUTES_MAX, Algorithm, CmsError, read_version};

/// A signer of a SignedData, as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerInfo {
    id: RecipientId,
    algorithm: SignatureAlgorithm,
    digest: Digest,
    attributes: Vec<CmsAttribute>,
    /// The signed attributes as received, as a SET: what the signature is over.
    signed: Option<Vec<u8>>,
    signature: Vec<u8>,
}

impl SignerInfo {
    /// How the signer is named.
    pub const fn id(&self) -> &RecipientId {
        &self.id
    }

    /// How it signed.
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// The signed attributes.
    pub fn attributes(&self) -> &[CmsAttribute] {
        &self.attributes
    }

    /// The first value, in DER, of the signed attribute of this type.
    pub fn attribute(&self, oid: &Oid) -> Option<&[u8]> {
        let found = self.attributes.iter().find(|attribute| attribute.oid == *oid)?;
        found.values.first().map(Vec::as_slice)
    }

    /// Checks that the holder of the key signed this content of this type.
    pub(super) fn verify(&self, key: &PublicKey, content_type: &Oid, content: &[u8]) -> Result<(), CmsError> {
        let message = match &self.signed {
            None if *content_type == Oid::DATA => content,
            None => return Err(CmsError::BadSignature),
            Some(signed) => {
                let digest = der::octet_string(&self.digest.of(content));
                let covers = self.attribute(&Oid::CONTENT_TYPE) == Some(&content_type.to_der())
                    && self.attribute(&Oid::MESSAGE_DIGEST) == Some(&digest);
                if !covers {
                    return Err(CmsError::BadSignature);
                }
                signed
            }
        };
        key.verify(self.algorithm, message, &self.signature)
            .map_err(|_| CmsError::BadSignature)
    }

    pub(super) fn read(mut fields: Reader<'_>) -> Result<Self, CmsError> {
        read_version(&mut fields)?;
        let id = RecipientId::read(&mut fields)?;
        let named = Algorithm::read(&mut fields, "digest algorithm")?;
        let digest = Digest::from_oid(&named.oid).ok_or(CmsError::Algorithm(named.oid))?;
        let attributes = fields.optional(tag::context_constructed(0))?;
        let algorithm = read_algorithm(&fields.expect(tag::SEQUENCE, "signature algorithm")?, digest)?;
        let signature = fields.expect(tag::OCTET_STRING, "signature")?.content.to_vec();
        fields.optional(tag::context_constructed(1))?;
        fields.finish("signer")?;
        Ok(Self {
            id,
            algorithm,
            digest,
            attributes: match &attributes {
                Some(set) => read_attributes(set)?,
                None => Vec::new(),
            },
            signed: attributes.map(|set| der::tlv(tag::SET, set.content)),
            signature,
        })
    }
}

/// The signature algorithm. RSA may be named without a hash, which is then that of the message (RFC 3370 section 3.2).
fn read_algorithm(element: &Tlv<'_>, digest: Digest) -> Result<SignatureAlgorithm, CmsError> {
    if let Some(algorithm) = SignatureAlgorithm::from_algorithm_identifier(element.whole) {
        return Ok(algorithm);
    }
    let named = Algorithm::of(element)?;
    if named.oid != Oid::RSA_ENCRYPTION || !named.is_plain() {
        return Err(CmsError::Algorithm(named.oid));
    }
    Ok(match digest {
        Digest::Sha256 => SignatureAlgorithm::RsaPkcs1Sha256,
        Digest::Sha384 => SignatureAlgorithm::RsaPkcs1Sha384,
        Digest::Sha512 => SignatureAlgorithm::RsaPkcs1Sha512,
    })
}

/// At least one attribute, no two alike.
fn read_attributes(set: &Tlv<'_>) -> Result<Vec<CmsAttribute>, DecodeError> {
    let mut list = set.reader();
    let mut attributes: Vec<CmsAttribute> = Vec::new();
    loop {
        let offset = list.offset();
        if attributes.len() >= ATTRIBUTES_MAX {
            return Err(DecodeError::new(Flaw::TooMany("attributes"), offset));
        }
        let mut fields = list.sequence("attribute")?;
        let oid = fields.oid("attribute type")?;
        let mut rest = fields.expect(tag::SET, "attribute values")?.reader();
        fields.finish("attribute")?;
        if attributes.iter().any(|seen| seen.oid == oid) {
            return Err(DecodeError::new(Flaw::Duplicate("attribute"), offset));
        }
        let mut values = Vec::new();
        while !rest.is_empty() {
            if values.len() >= ATTRIBUTES_MAX {
                return Err(DecodeError::new(Flaw::TooMany("attribute values"), offset));
            }
            values.push(rest.any()?.whole.to_vec());
        }
        attributes.push(CmsAttribute { oid, values });
        if list.is_empty() {
            return Ok(attributes);
        }
    }
}

/// The digest of the content.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Digest {
    /// The digest that goes with a signature algorithm; with Ed25519 it is SHA-512 (RFC 8419 section 3.1).
    pub(super) const fn for_signature(algorithm: SignatureAlgorithm) -> Self {
        match algorithm {
            SignatureAlgorithm::RsaPkcs1Sha256 | SignatureAlgorithm::EcdsaSha256 => Self::Sha256,
            SignatureAlgorithm::RsaPkcs1Sha384 | SignatureAlgorithm::EcdsaSha384 => Self::Sha384,
            SignatureAlgorithm::RsaPkcs1Sha512
            | SignatureAlgorithm::EcdsaSha512
            | SignatureAlgorithm::Ed25519 => Self::Sha512,
        }
    }

    const fn oid(self) -> Oid {
        match self {
            Self::Sha256 => Oid::SHA256,
            Self::Sha384 => Oid::SHA384,
            Self::Sha512 => Oid::SHA512,
        }
    }

    fn from_oid(oid: &Oid) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|digest| digest.oid() == *oid)
    }

    pub(super) fn algorithm_der(self) -> Vec<u8> {
        super::algorithm(&self.oid(), None)
    }

    pub(super) fn of(self, content: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, content).as_ref().to_vec()
    }
}
