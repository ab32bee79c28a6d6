//! Encrypting a content to one recipient.

use aws_lc_rs::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, PrivateKey, UnparsedPublicKey, agree,
};
use aws_lc_rs::rsa::{OaepPublicEncryptingKey, Pkcs1PublicEncryptingKey, PublicEncryptingKey};
use portreeve_pkix::der::{self, tag};
use portreeve_pkix::{KeyAlgorithm, Oid, PublicKey, Secret};

use super::cipher::Sealed;
use super::{
    CmsError, ContentCipher, KeyDerivation, KeyTransport, KeyWrap, RecipientId, algorithm, content_info,
    recipient,
};

/// Smallest RSA key that is encrypted to, in bits.
const RSA_BITS_MIN: u32 = 2048;

/// To whom a content is encrypted.
#[derive(Debug)]
pub enum Recipient<'a> {
    /// Whoever has this secret key, of 128 or 256 bits.
    SharedKey {
        /// How the recipient calls it.
        identifier: &'a [u8],
        /// The key itself.
        key: &'a Secret,
    },
    /// The holder of this RSA key, of 2048 bits or more.
    KeyTransport {
        /// How the recipient is named.
        id: RecipientId,
        /// The key.
        key: &'a PublicKey,
        /// How to encrypt with it.
        transport: KeyTransport,
    },
    /// The holder of this key on P-256, P-384 or P-521.
    KeyAgreement {
        /// How the recipient is named.
        id: RecipientId,
        /// The key.
        key: &'a PublicKey,
        /// How the wrapping key is derived.
        derivation: KeyDerivation,
        /// How it wraps.
        wrap: KeyWrap,
    },
}

/// Encrypts a content of this type under a fresh key. The message is a ContentInfo of EnvelopedData (CBC), or of
/// AuthEnvelopedData (GCM). The type of anything but data is authenticated as well (RFC 5083 section 2.1).
pub fn encrypt(
    content_type: &Oid,
    content: &Secret,
    to: &Recipient<'_>,
    cipher: ContentCipher,
) -> Result<Vec<u8>, CmsError> {
    let mut fresh = vec![0; cipher.key_length()];
    let filled = aws_lc_rs::rand::fill(&mut fresh);
    let key = Secret::new(fresh);
    filled.map_err(|_| CmsError::Library)?;
    let (recipient, is_first_version) = wrap_for(to, &key)?;
    let authenticated = authenticated_attributes(content_type);
    let covered = match authenticated.is_empty() {
        true => Vec::new(),
        false => der::set_of(authenticated.clone()),
    };
    let sealed = cipher.seal(&key, content.expose(), &covered)?;
    let recipients = der::set_of(vec![recipient]);
    let encrypted = encrypted_content(content_type, cipher, &sealed);
    let Some(tag) = sealed.tag else {
        let version = if is_first_version { 0 } else { 2 };
        let body = der::sequence(&[der::unsigned_integer(&[version]), recipients, encrypted]);
        return Ok(content_info(&Oid::ENVELOPED_DATA, body));
    };
    let mut parts = vec![der::unsigned_integer(&[0]), recipients, encrypted];
    if !authenticated.is_empty() {
        parts.push(der::constructed(tag::context_constructed(1), &authenticated));
    }
    parts.push(der::octet_string(&tag));
    Ok(content_info(&Oid::AUTH_ENVELOPED_DATA, der::sequence(&parts)))
}

/// The content type, the one attribute that is authenticated. Of data it need not be, and OpenSSL 3.0 reads no attributes.
fn authenticated_attributes(content_type: &Oid) -> Vec<Vec<u8>> {
    if *content_type == Oid::DATA {
        return Vec::new();
    }
    let values = der::set_of(vec![content_type.to_der()]);
    vec![der::sequence(&[Oid::CONTENT_TYPE.to_der(), values])]
}

fn encrypted_content(content_type: &Oid, cipher: ContentCipher, sealed: &Sealed) -> Vec<u8> {
    der::sequence(&[
        content_type.to_der(),
        algorithm(&cipher.oid(), Some(sealed.parameters.clone())),
        der::tlv(tag::context(0), &sealed.ciphertext),
    ])
}

/// The RecipientInfo, and whether an EnvelopedData with it alone has version 0 (RFC 5652 section 6.1).
fn wrap_for(to: &Recipient<'_>, content_key: &Secret) -> Result<(Vec<u8>, bool), CmsError> {
    match to {
        Recipient::SharedKey { identifier, key } => {
            let wrap = KeyWrap::for_key_length(key.expose().len())
                .ok_or(CmsError::Key("shared key has neither 128 nor 256 bits"))?;
            let wrapped = wrap.wrap(key.expose(), content_key)?;
            Ok((recipient::shared(identifier, wrap, &wrapped), false))
        }
        Recipient::KeyTransport { id, key, transport } => {
            let encrypted = transport_key(key, *transport, content_key)?;
            let first = matches!(id, RecipientId::IssuerAndSerial { .. });
            Ok((recipient::transport(id, *transport, &encrypted), first))
        }
        Recipient::KeyAgreement {
            id,
            key,
            derivation,
            wrap,
        } => {
            let (ephemeral, kek) = agree_on(key, *derivation, *wrap)?;
            let wrapped = wrap.wrap(kek.expose(), content_key)?;
            let info = recipient::agreement(id, &ephemeral, (*derivation, *wrap), &wrapped);
            Ok((info, false))
        }
    }
}

fn transport_key(
    key: &PublicKey,
    transport: KeyTransport,
    content_key: &Secret,
) -> Result<Vec<u8>, CmsError> {
    match key.algorithm() {
        KeyAlgorithm::Rsa { bits } if bits >= RSA_BITS_MIN => {}
        KeyAlgorithm::Rsa { .. } => return Err(CmsError::Key("RSA key is too short")),
        _ => return Err(CmsError::Key("not an RSA key")),
    }
    let public = PublicEncryptingKey::from_der(key.der()).map_err(|_| CmsError::Key("RSA key is refused"))?;
    let mut out = vec![0; public.key_size_bytes()];
    let encrypted = match transport {
        KeyTransport::Pkcs1 => Pkcs1PublicEncryptingKey::new(public).and_then(|key| {
            key.encrypt(content_key.expose(), &mut out)
                .map(|out| out.to_vec())
        }),
        KeyTransport::Oaep(hash) => OaepPublicEncryptingKey::new(public).and_then(|key| {
            key.encrypt(hash.algorithm(), content_key.expose(), &mut out, None)
                .map(|out| out.to_vec())
        }),
    };
    encrypted.map_err(|_| CmsError::Library)
}

/// Makes an ephemeral key, and the wrapping key that follows from it.
fn agree_on(
    key: &PublicKey,
    derivation: KeyDerivation,
    wrap: KeyWrap,
) -> Result<(PublicKey, Secret), CmsError> {
    let curve = curve(key.algorithm()).ok_or(CmsError::Key("not on a curve for key agreement"))?;
    let own = PrivateKey::generate(curve).map_err(|_| CmsError::Library)?;
    let public = own.compute_public_key().map_err(|_| CmsError::Library)?;
    let ephemeral = PublicKey::from_ec_point(key.algorithm(), public.as_ref())?;
    let peer = UnparsedPublicKey::new(curve, key.key_octets());
    let kek = agree(&own, peer, CmsError::Library, |agreed| {
        Ok(derivation.derive(agreed, wrap, None))
    })?;
    Ok((ephemeral, kek))
}

/// The agreement on a curve.
pub(super) fn curve(key: KeyAlgorithm) -> Option<&'static Algorithm> {
    match key {
        KeyAlgorithm::EcP256 => Some(&ECDH_P256),
        KeyAlgorithm::EcP384 => Some(&ECDH_P384),
        KeyAlgorithm::EcP521 => Some(&ECDH_P521),
        KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 | KeyAlgorithm::Unsupported => None,
    }
}
