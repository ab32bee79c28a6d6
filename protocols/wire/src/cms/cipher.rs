//! Encryption of contents.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::cipher::{
    AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
};
use aws_lc_rs::iv::FixedLength;
use portreeve_pkix::der::{self, tag};
use portreeve_pkix::{Flaw, Oid, Secret};

use super::{Algorithm, CmsError};

/// Octets of a GCM tag; a shorter one is not accepted.
pub(super) const TAG_LENGTH: usize = 16;
/// Octets of an AES block, and so of the initialisation vector in CBC mode.
const BLOCK_LENGTH: usize = 16;

/// How contents are encrypted.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ContentCipher {
    /// AES-128 in CBC mode, in an EnvelopedData.
    Aes128Cbc,
    /// AES-256 in CBC mode, in an EnvelopedData.
    Aes256Cbc,
    /// AES-128 in GCM mode, in an AuthEnvelopedData.
    Aes128Gcm,
    /// AES-256 in GCM mode, in an AuthEnvelopedData.
    Aes256Gcm,
}

/// A content that was encrypted.
pub(super) struct Sealed {
    /// The parameters of the algorithm, in DER.
    pub(super) parameters: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
    /// The tag, in GCM mode.
    pub(super) tag: Option<Vec<u8>>,
}

impl ContentCipher {
    /// Every cipher.
    pub const ALL: [Self; 4] = [Self::Aes256Cbc, Self::Aes128Cbc, Self::Aes256Gcm, Self::Aes128Gcm];

    /// Its identifier.
    pub const fn oid(self) -> Oid {
        match self {
            Self::Aes128Cbc => Oid::AES128_CBC,
            Self::Aes256Cbc => Oid::AES256_CBC,
            Self::Aes128Gcm => Oid::AES128_GCM,
            Self::Aes256Gcm => Oid::AES256_GCM,
        }
    }

    /// The cipher with this identifier.
    pub fn from_oid(oid: &Oid) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.oid() == *oid)
    }

    /// Octets of its key.
    pub const fn key_length(self) -> usize {
        match self {
            Self::Aes128Cbc | Self::Aes128Gcm => 16,
            Self::Aes256Cbc | Self::Aes256Gcm => 32,
        }
    }

    /// Whether it shows that nobody changed the content.
    pub const fn is_authenticated(self) -> bool {
        matches!(self, Self::Aes128Gcm | Self::Aes256Gcm)
    }

    /// Encrypts a content under a key; `authenticated` is covered by the tag in GCM mode and not used in CBC mode.
    pub(super) fn seal(self, key: &Secret, content: &[u8], authenticated: &[u8]) -> Result<Sealed, CmsError> {
        // With room for padding or tag, so that no copy of the content is left behind when it grows.
        let mut buffer = Vec::with_capacity(content.len() + BLOCK_LENGTH);
        buffer.extend_from_slice(content);
        if !self.is_authenticated() {
            let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(self.block_key(key)?).map_err(library)?;
            let context = cipher.encrypt(&mut buffer).map_err(library)?;
            let iv = <&[u8]>::try_from(&context).map_err(library)?;
            return Ok(Sealed {
                parameters: der::octet_string(iv),
                ciphertext: buffer,
                tag: None,
            });
        }
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).map_err(library)?;
        let sealing = self.sealing_key(key)?;
        let sealed = sealing.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(authenticated),
            &mut buffer,
        );
        let tag = sealed.map_err(library)?;
        Ok(Sealed {
            parameters: der::sequence(&[
                der::octet_string(&nonce),
                der::unsigned_integer(&[TAG_LENGTH as u8]),
            ]),
            ciphertext: buffer,
            tag: Some(tag.as_ref().to_vec()),
        })
    }

    /// Decrypts what [`ContentCipher::seal`] made. `tag` is that of GCM mode.
    pub(super) fn open(
        self,
        key: &Secret,
        initial: &[u8],
        ciphertext: &[u8],
        (authenticated, tag): (&[u8], &[u8]),
    ) -> Result<Secret, CmsError> {
        if key.expose().len() != self.key_length() {
            return Err(CmsError::Decryption);
        }
        if self.is_authenticated() {
            let nonce = Nonce::try_assume_unique_for_key(initial).map_err(opaque)?;
            let mut buffer = zeroize::Zeroizing::new([ciphertext, tag].concat());
            let opening = self.sealing_key(key).map_err(|_| CmsError::Decryption)?;
            let opened = opening.open_in_place(nonce, Aad::from(authenticated), &mut buffer);
            return Ok(Secret::new(opened.map_err(opaque)?.to_vec()));
        }
        let iv: [u8; BLOCK_LENGTH] = initial.try_into().map_err(|_| CmsError::Decryption)?;
        let block_key = self.block_key(key).map_err(|_| CmsError::Decryption)?;
        let cipher = PaddedBlockDecryptingKey::cbc_pkcs7(block_key).map_err(opaque)?;
        let mut buffer = zeroize::Zeroizing::new(ciphertext.to_vec());
        let context = DecryptionContext::Iv128(FixedLength::from(iv));
        let opened = cipher.decrypt(&mut buffer, context).map_err(opaque)?;
        Ok(Secret::new(opened.to_vec()))
    }

    fn block_key(self, key: &Secret) -> Result<UnboundCipherKey, CmsError> {
        let algorithm = if self.key_length() == 16 {
            &AES_128
        } else {
            &AES_256
        };
        UnboundCipherKey::new(algorithm, key.expose()).map_err(library)
    }

    fn sealing_key(self, key: &Secret) -> Result<LessSafeKey, CmsError> {
        let algorithm = if self.key_length() == 16 {
            &AES_128_GCM
        } else {
            &AES_256_GCM
        };
        let unbound = UnboundKey::new(algorithm, key.expose()).map_err(library)?;
        Ok(LessSafeKey::new(unbound))
    }
}

/// Reads an algorithm of content encryption: the cipher, and its initialisation vector or nonce.
pub(super) fn read(algorithm: &Algorithm<'_>) -> Result<(ContentCipher, Vec<u8>), CmsError> {
    let cipher =
        ContentCipher::from_oid(&algorithm.oid).ok_or_else(|| CmsError::Algorithm(algorithm.oid.clone()))?;
    let Some(parameters) = algorithm.parameters else {
        return Err(CmsError::Algorithm(algorithm.oid.clone()));
    };
    if !cipher.is_authenticated() {
        return match (parameters.tag, parameters.content.len()) {
            (tag::OCTET_STRING, BLOCK_LENGTH) => Ok((cipher, parameters.content.to_vec())),
            _ => Err(parameters.refuse(Flaw::Invalid("initialisation vector")).into()),
        };
    }
    let mut fields = parameters.reader();
    let nonce = fields.expect(tag::OCTET_STRING, "nonce")?;
    let length = fields.expect(tag::INTEGER, "tag length")?;
    fields.finish("GCM parameters")?;
    if nonce.content.len() != NONCE_LEN || length.content != [TAG_LENGTH as u8] {
        return Err(nonce.refuse(Flaw::Invalid("GCM parameters")).into());
    }
    Ok((cipher, nonce.content.to_vec()))
}

fn library(_: aws_lc_rs::error::Unspecified) -> CmsError {
    CmsError::Library
}

fn opaque(_: aws_lc_rs::error::Unspecified) -> CmsError {
    CmsError::Decryption
}
