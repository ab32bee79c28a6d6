//! A private key in a key package, signed by who made it and encrypted to its owner (RFC 7030 section 4.4.2, RFC 5958
//! section 4).
//!
//! The signed package stands in the encryption as it is, without a ContentInfo of its own (RFC 5652 section 6.1 names its
//! type beside the ciphertext). Readers that expect one, and writers that add one, were not seen; reading takes both.

use portreeve_pkix::{Oid, Secret, SignatureAlgorithm};

use crate::cms::{
    self, CmsError, ContentCipher, EnvelopedData, Recipient, RecipientId, SignedData, SignedDataDraft,
    key_package,
};

/// Starts: a package with the key, to be signed. [`SignedDataDraft::assemble_bare`] ends it.
pub fn draft(pkcs8: &Secret, signer: (RecipientId, SignatureAlgorithm)) -> SignedDataDraft {
    let package = key_package::encode(pkcs8);
    SignedDataDraft::new(Oid::KEY_PACKAGE, package.expose().to_vec(), signer, &[])
}

/// Encrypts the signed package: the part `smime-type=server-generated-key` of an answer, as DER.
pub fn seal(signed: &Secret, to: &Recipient<'_>, cipher: ContentCipher) -> Result<Vec<u8>, CmsError> {
    cms::encrypt(&Oid::SIGNED_DATA, signed, to, cipher)
}

/// Decrypts: the signed package, and the keys in it, each in PKCS #8. The signature is for the caller to check.
pub fn open(
    message: &EnvelopedData,
    content_key: Result<Secret, CmsError>,
) -> Result<(SignedData, Vec<Secret>), CmsError> {
    if *message.content_type() != Oid::SIGNED_DATA {
        return Err(CmsError::ContentType(message.content_type().clone()));
    }
    let content = message.open(content_key)?;
    let signed = SignedData::from_bare_ber(content.expose())?;
    if *signed.content_type() != Oid::KEY_PACKAGE {
        return Err(CmsError::ContentType(signed.content_type().clone()));
    }
    let keys = key_package::decode(&Secret::new(signed.content().to_vec()))?;
    Ok((signed, keys))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_pkix::{KeyAlgorithm, KeyPair};

    #[test]
    fn rfc_7030_section_4_4_2_a_key_arrives_signed_and_encrypted() {
        let signer = KeyPair::generate(KeyAlgorithm::EcP256).expect("key");
        let made = KeyPair::generate(KeyAlgorithm::EcP384).expect("key");
        let shared = Secret::new(vec![9; 32]);
        let id = cms::RecipientId::KeyIdentifier(signer.public_key().key_identifier().to_vec());
        let draft = draft(made.pkcs8(), (id, signer.signature_algorithm()));
        let signature = signer.sign(&draft.to_be_signed()).expect("signed");
        let signed = Secret::new(draft.assemble_bare(&signature, &[]));
        for cipher in ContentCipher::ALL {
            let to = Recipient::SharedKey {
                identifier: b"k",
                key: &shared,
            };
            let message = seal(&signed, &to, cipher).expect("sealed");
            let message = EnvelopedData::from_ber(&message).expect("reads");
            let content_key = cms::unwrap_shared(&message.recipients()[0], &shared);
            let (package, keys) = open(&message, content_key).expect("opens");
            assert_eq!(keys, [made.pkcs8().clone()], "{cipher:?}");
            let verified = package.verify(&package.signers()[0], signer.public_key());
            assert_eq!(verified, Ok(()), "{cipher:?}");
            let other = package.verify(&package.signers()[0], made.public_key());
            assert_eq!(other, Err(CmsError::BadSignature));
            let refused = open(&message, Err(CmsError::Decryption)).map(|_| ());
            assert_eq!(refused, Err(CmsError::Decryption), "{cipher:?}");
        }
    }
}
