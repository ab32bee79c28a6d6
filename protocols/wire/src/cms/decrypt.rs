//! From an encrypted key to the key of the content, with keys that are at hand. A key elsewhere (in a token) unwraps by its
//! own means; [`EnvelopedData::open`](super::EnvelopedData::open) takes the result.

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::rsa::{OaepPrivateDecryptingKey, Pkcs1PrivateDecryptingKey, PrivateDecryptingKey};
use portreeve_pkix::{KeyAlgorithm, Secret};

use super::encrypt::curve;
use super::{CmsError, KeyTransport, RecipientInfo};

/// Unwraps with a shared secret key.
pub fn unwrap_shared(recipient: &RecipientInfo, key: &Secret) -> Result<Secret, CmsError> {
    let RecipientInfo::SharedKey {
        wrap, encrypted_key, ..
    } = recipient
    else {
        return Err(CmsError::Decryption);
    };
    wrap.unwrap(key.expose(), encrypted_key)
}

/// Decrypts with an RSA key in PKCS #8.
///
/// The result of PKCS #1 v1.5 must not be told apart from a failure before the content was tried: give it to
/// [`EnvelopedData::open`](super::EnvelopedData::open) as it is, a failure as well.
pub fn unwrap_transported(recipient: &RecipientInfo, pkcs8: &Secret) -> Result<Secret, CmsError> {
    let RecipientInfo::KeyTransport {
        transport,
        encrypted_key,
        ..
    } = recipient
    else {
        return Err(CmsError::Decryption);
    };
    let key = PrivateDecryptingKey::from_pkcs8(pkcs8.expose()).map_err(|_| CmsError::Key("no RSA key"))?;
    let mut out = zeroize::Zeroizing::new(vec![0; key.key_size_bytes()]);
    let decrypted = match transport {
        KeyTransport::Pkcs1 => Pkcs1PrivateDecryptingKey::new(key)
            .and_then(|key| key.decrypt(encrypted_key, &mut out).map(|out| out.to_vec())),
        KeyTransport::Oaep(hash) => OaepPrivateDecryptingKey::new(key).and_then(|key| {
            key.decrypt(hash.algorithm(), encrypted_key, &mut out, None)
                .map(|out| out.to_vec())
        }),
    };
    decrypted.map(Secret::new).map_err(|_| CmsError::Decryption)
}

/// Agrees and unwraps with an elliptic-curve key of this kind in PKCS #8.
pub fn unwrap_agreed(
    recipient: &RecipientInfo,
    algorithm: KeyAlgorithm,
    pkcs8: &Secret,
) -> Result<Secret, CmsError> {
    let RecipientInfo::KeyAgreement {
        originator,
        user_material,
        derivation,
        wrap,
        encrypted_key,
        ..
    } = recipient
    else {
        return Err(CmsError::Decryption);
    };
    let refused = CmsError::Key("no key for this agreement");
    let curve = curve(algorithm).ok_or(refused.clone())?;
    let own = PrivateKey::from_private_key_der(curve, pkcs8.expose()).map_err(|_| refused)?;
    let peer = UnparsedPublicKey::new(curve, originator);
    let kek = agree(&own, peer, CmsError::Decryption, |agreed| {
        Ok(derivation.derive(agreed, *wrap, user_material.as_deref()))
    })?;
    wrap.unwrap(kek.expose(), encrypted_key)
}
