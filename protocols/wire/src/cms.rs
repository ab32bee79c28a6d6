//! Cryptographic Message Syntax (RFC 5652, RFC 5083, RFC 5753) as EST, SCEP and CMP use it.
//!
//! - [`certs_only`]: a SignedData that carries nothing but certificates.
//! - [`SignedDataDraft`] and [`SignedData`]: one content, signed; made in two steps, so that the key may be anywhere.
//! - [`encrypt`] and [`EnvelopedData`]: one content, encrypted to one recipient by a shared key (AES key wrap), RSA (OAEP or
//!   PKCS #1 v1.5) or ECDH (P-256, P-384, P-521 with the X9.63 derivation). In CBC mode it is an EnvelopedData, in GCM
//!   mode an AuthEnvelopedData.
//! - [`key_package`]: private keys on their way to their owner (RFC 5958).
//!
//! What is read may be BER ([`portreeve_pkix::ber`]); what is written is DER. Signatures are checked over received bytes.
//! All failures to decrypt look the same. Whether a signer is trusted, and who may have a key, is not decided here.

pub mod certs_only;
mod cipher;
mod decrypt;
mod encrypt;
mod enveloped;
mod error;
pub mod key_package;
mod key_wrap;
mod recipient;
mod signed_data;
mod signer_info;

use std::borrow::Cow;

use portreeve_pkix::der::{self, Limits, Reader, Tlv, tag};
use portreeve_pkix::{DecodeError, Flaw, Oid, ber};

pub use cipher::ContentCipher;
pub use decrypt::{unwrap_agreed, unwrap_shared, unwrap_transported};
pub use encrypt::{Recipient, encrypt};
pub use enveloped::EnvelopedData;
pub use error::CmsError;
pub use key_wrap::{KeyDerivation, KeyTransport, KeyWrap, OaepHash};
pub use recipient::{RecipientId, RecipientInfo};
pub use signed_data::{CmsAttribute, SignedData, SignedDataDraft};
pub use signer_info::SignerInfo;

/// Largest accepted message in bytes.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;
/// Most certificates of one message.
pub const CERTIFICATES_MAX: usize = 64;
/// Most recipients of one message.
pub const RECIPIENTS_MAX: usize = 16;
/// Most signers of one message.
pub const SIGNERS_MAX: usize = 4;
/// Most signed attributes of one signer.
pub const ATTRIBUTES_MAX: usize = 32;

pub(crate) const LIMITS: Limits = Limits {
    bytes: MESSAGE_BYTES_MAX,
    depth: 32,
    elements: 65_536,
};

/// A ContentInfo element (RFC 5652 section 3).
pub(crate) fn content_info(content_type: &Oid, content: Vec<u8>) -> Vec<u8> {
    let explicit = der::constructed(tag::context_constructed(0), &[content]);
    der::sequence(&[content_type.to_der(), explicit])
}

/// The input with definite lengths.
pub(crate) fn definite(input: &[u8]) -> Result<Cow<'_, [u8]>, DecodeError> {
    ber::to_definite(input, LIMITS)
}

/// Reads a ContentInfo: its type, and the content element.
pub(crate) fn read_content_info(input: &[u8]) -> Result<(Oid, Tlv<'_>), DecodeError> {
    let mut outer = Reader::new(input);
    let mut fields = outer.sequence("content info")?;
    outer.finish("content info")?;
    let content_type = fields.oid("content type")?;
    let explicit = fields.expect(tag::context_constructed(0), "content")?;
    fields.finish("content info")?;
    let mut inner = explicit.reader();
    let content = inner.any()?;
    inner.finish("content")?;
    Ok((content_type, content))
}

/// An AlgorithmIdentifier that was read: its identifier, and its parameters.
pub(crate) struct Algorithm<'a> {
    pub(crate) oid: Oid,
    pub(crate) parameters: Option<Tlv<'a>>,
}

impl<'a> Algorithm<'a> {
    pub(crate) fn read(fields: &mut Reader<'a>, what: &'static str) -> Result<Self, DecodeError> {
        Self::of(&fields.expect(tag::SEQUENCE, what)?)
    }

    pub(crate) fn of(element: &Tlv<'a>) -> Result<Self, DecodeError> {
        let mut fields = element.reader();
        let oid = fields.oid("algorithm")?;
        let parameters = if fields.is_empty() {
            None
        } else {
            Some(fields.any()?)
        };
        fields.finish("algorithm")?;
        Ok(Self { oid, parameters })
    }

    /// The parameters are absent or NULL.
    pub(crate) fn is_plain(&self) -> bool {
        self.parameters.is_none_or(|p| p.tag == tag::NULL)
    }
}

/// An AlgorithmIdentifier element.
pub(crate) fn algorithm(oid: &Oid, parameters: Option<Vec<u8>>) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = std::iter::once(oid.to_der()).chain(parameters).collect();
    der::sequence(&parts)
}

/// A version number of one octet.
pub(crate) fn read_version(fields: &mut Reader<'_>) -> Result<u8, DecodeError> {
    let element = fields.expect(tag::INTEGER, "version")?;
    match element.content {
        [version @ 0..=5] => Ok(*version),
        _ => Err(element.refuse(Flaw::Invalid("version"))),
    }
}
