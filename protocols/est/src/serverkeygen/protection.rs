//! Encrypting a key to the client that asked for it (RFC 7030 sections 4.4.1 and 4.4.2).

use portreeve_pkix::{Certificate, CertificationRequest, KeyAlgorithm, KeyPair, PublicKey, Secret};
use portreeve_wire::cms::{ContentCipher, KeyDerivation, KeyTransport, KeyWrap, Recipient, RecipientId};
use portreeve_wire::est::{KeyProtection, Preferences, protected_key};

use crate::error::EstError;
use crate::service::KeyOrigin;

/// How the key is protected besides TLS.
pub(super) enum Protection {
    /// Not at all.
    None,
    /// It is encrypted to the holder of this certificate.
    PublicKey {
        /// Whose key it is encrypted to.
        key: PublicKey,
        /// How the recipient is named: as the request did.
        id: RecipientId,
        /// How.
        means: Means,
        /// How the content is encrypted.
        cipher: ContentCipher,
    },
}

/// How a content key reaches the holder of a public key.
pub(super) enum Means {
    /// RSA.
    Transport(KeyTransport),
    /// An elliptic curve.
    Agreement(KeyDerivation, KeyWrap),
}

impl Protection {
    /// What a request asks for. The public key that it names must be that of the certificate the connection was made with:
    /// of no other is it known here that the client has it.
    pub(super) fn asked_by(
        request: &CertificationRequest,
        certificate: Option<&[u8]>,
    ) -> Result<Self, EstError> {
        let identifier = match KeyProtection::asked_by(request)? {
            KeyProtection::None => return Ok(Self::None),
            KeyProtection::SharedKey { .. } => {
                return Err(EstError::KeyEncryption(
                    "no secret key of this identifier is known",
                ));
            }
            KeyProtection::PublicKey { identifier } => identifier,
        };
        let unknown = || EstError::KeyEncryption("no key of this identifier is known");
        let certificate = Certificate::from_der(certificate.ok_or_else(unknown)?).map_err(|_| unknown())?;
        let key = certificate.public_key().clone();
        let named = certificate.subject_key_id().as_ref() == Some(&identifier)
            || key.key_identifier().as_slice() == identifier;
        if !named {
            return Err(unknown());
        }
        let preferences = Preferences::of(request);
        let means = match key.algorithm() {
            KeyAlgorithm::Rsa { .. } => Means::Transport(preferences.key_transport()?),
            KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => {
                let (derivation, wrap) = preferences.key_agreement()?;
                Means::Agreement(derivation, wrap)
            }
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Unsupported => {
                return Err(EstError::KeyEncryption(
                    "nothing can be encrypted to a key of this type",
                ));
            }
        };
        Ok(Self::PublicKey {
            key,
            id: RecipientId::KeyIdentifier(identifier),
            means,
            cipher: preferences.content_cipher()?,
        })
    }

    /// The key, encrypted; `None` when it is not to be.
    pub(super) fn seal(&self, pair: &KeyPair, origin: &dyn KeyOrigin) -> Result<Option<Vec<u8>>, EstError> {
        let Self::PublicKey {
            key,
            id,
            means,
            cipher,
        } = self
        else {
            return Ok(None);
        };
        let id = id.clone();
        let recipient = match means {
            Means::Transport(transport) => Recipient::KeyTransport {
                id,
                key,
                transport: *transport,
            },
            Means::Agreement(derivation, wrap) => Recipient::KeyAgreement {
                id,
                key,
                derivation: *derivation,
                wrap: *wrap,
            },
        };
        let signed = signed(pair, origin)?;
        let sealed = protected_key::seal(&signed, &recipient, *cipher);
        sealed.map(Some).map_err(EstError::Encryption)
    }
}

/// The key in a package, signed by who made it (RFC 5958 section 4).
fn signed(pair: &KeyPair, origin: &dyn KeyOrigin) -> Result<Secret, EstError> {
    let certificates = origin.certificates();
    let own = certificates.first().ok_or(EstError::KeyGone)?;
    let draft = protected_key::draft(pair.pkcs8(), (RecipientId::of(own), origin.algorithm()));
    let signature = origin.sign(&draft.to_be_signed()).ok_or(EstError::KeyGone)?;
    let ders: Vec<&[u8]> = certificates.iter().map(Certificate::der).collect();
    Ok(Secret::new(draft.assemble_bare(&signature, &ders)))
}
