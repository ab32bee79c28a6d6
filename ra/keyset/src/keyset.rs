//! An open keyset.

use std::collections::{BTreeMap, HashMap};

use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, ParsedPublicKey};
use portreeve_pkix::Secret;
use portreeve_ra::ports::{EventSigner, KeyError, Sealer};
use portreeve_ra::{KeyId, Purpose};

use crate::crypto::{self, Key, Root, TAG_LENGTH};
use crate::error::KeysetError;

/// First octet of everything sealed.
const SEALED_VERSION: u8 = 1;
/// Random octets that, with the sealing key, make the key of one message.
const SALT_LENGTH: usize = 20;
/// Version, key id, salt, nonce.
const SEALED_HEADER_LENGTH: usize = 1 + 8 + SALT_LENGTH + NONCE_LEN;

/// The open keys of a node: secrets of its purposes, public keys of all.
pub struct Keyset {
    private: BTreeMap<Purpose, OpenKeys>,
    public: HashMap<(Purpose, KeyId), ParsedPublicKey>,
    signing_keys: Vec<(Purpose, KeyId, [u8; 32])>,
    fingerprint: [u8; 32],
}

struct OpenKeys {
    /// The primary first.
    sealing: Vec<(KeyId, Root)>,
    /// Absent where the purpose is only for sealing.
    signing: Option<(KeyId, Ed25519KeyPair)>,
}

/// Unwrapped keys on their way into a [`Keyset`].
#[derive(Default)]
pub(crate) struct KeysetParts {
    pub(crate) private: BTreeMap<Purpose, PrivateKeys>,
    pub(crate) public: Vec<(Purpose, KeyId, Vec<u8>)>,
    pub(crate) fingerprint: [u8; 32],
}

/// The secrets of one purpose.
pub(crate) struct PrivateKeys {
    /// The primary first.
    pub(crate) sealing: Vec<(KeyId, Key)>,
    pub(crate) signing: (KeyId, Key),
}

impl Keyset {
    pub(crate) fn from_parts(parts: KeysetParts) -> Result<Self, KeysetError> {
        let mut private = BTreeMap::new();
        for (purpose, keys) in parts.private {
            let sealing = keys
                .sealing
                .iter()
                .map(|(id, secret)| (*id, Root::new(secret)))
                .collect();
            let (id, seed) = &keys.signing;
            let pair =
                Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).map_err(|_| KeysetError::Crypto)?;
            private.insert(
                purpose,
                OpenKeys {
                    sealing,
                    signing: Some((*id, pair)),
                },
            );
        }
        let mut public = HashMap::new();
        let mut signing_keys = Vec::with_capacity(parts.public.len());
        for (purpose, id, octets) in parts.public {
            let bad = || KeysetError::Format(format!("public key {id} of purpose {purpose}"));
            let key = ParsedPublicKey::new(&ED25519, &octets).map_err(|_| bad())?;
            public.insert((purpose, id), key);
            signing_keys.push((purpose, id, octets.try_into().map_err(|_| bad())?));
        }
        Ok(Self {
            private,
            public,
            signing_keys,
            fingerprint: parts.fingerprint,
        })
    }

    /// The same without the signing key of this purpose: what it seals, opens and makes MACs with stays.
    #[must_use]
    pub fn without_voice(mut self, purpose: Purpose) -> Self {
        if let Some(keys) = self.private.get_mut(&purpose) {
            keys.signing = None;
        }
        self
    }

    /// Names the set of keys; equal on all nodes that understand each other.
    pub const fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    /// The public keys that sign, the oldest of each purpose first.
    pub fn signing_keys(&self) -> &[(Purpose, KeyId, [u8; 32])] {
        &self.signing_keys
    }

    /// The purposes whose secrets this node has.
    pub fn purposes(&self) -> impl Iterator<Item = Purpose> {
        self.private.keys().copied()
    }

    fn keys(&self, purpose: Purpose) -> Result<&OpenKeys, KeyError> {
        self.private.get(&purpose).ok_or(KeyError::Absent(purpose))
    }
}

impl Sealer for Keyset {
    fn seal(&self, purpose: Purpose, associated: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (id, root) = self
            .keys(purpose)?
            .sealing
            .first()
            .ok_or(KeyError::Absent(purpose))?;
        let mut header = vec![SEALED_VERSION];
        header.extend_from_slice(&id.0);
        let mut chance = [0; SALT_LENGTH + NONCE_LEN];
        aws_lc_rs::rand::fill(&mut chance).map_err(|_| KeyError::Invalid)?;
        header.extend_from_slice(&chance);
        let (salt, nonce) = chance.split_last_chunk::<NONCE_LEN>().ok_or(KeyError::Invalid)?;
        let key = root.derive("seal", salt).map_err(|_| KeyError::Invalid)?;
        let bound = bind(purpose, &header, associated);
        let ciphertext = crypto::encrypt(&key, *nonce, &bound, plain).map_err(|_| KeyError::Invalid)?;
        header.extend_from_slice(&ciphertext);
        Ok(header)
    }

    fn open(&self, purpose: Purpose, associated: &[u8], sealed: &[u8]) -> Result<Secret, KeyError> {
        let keys = self.keys(purpose)?;
        let (header, ciphertext) = sealed
            .split_at_checked(SEALED_HEADER_LENGTH)
            .ok_or(KeyError::Invalid)?;
        let [SEALED_VERSION, rest @ ..] = header else {
            return Err(KeyError::Invalid);
        };
        let (id, chance) = rest.split_first_chunk::<8>().ok_or(KeyError::Invalid)?;
        let (salt, nonce) = chance.split_last_chunk::<NONCE_LEN>().ok_or(KeyError::Invalid)?;
        let (_, root) = keys
            .sealing
            .iter()
            .find(|(known, _)| known.0 == *id)
            .ok_or(KeyError::Invalid)?;
        if ciphertext.len() < TAG_LENGTH {
            return Err(KeyError::Invalid);
        }
        let key = root.derive("seal", salt).map_err(|_| KeyError::Invalid)?;
        let bound = bind(purpose, header, associated);
        crypto::decrypt(&key, *nonce, &bound, ciphertext).map_err(|_| KeyError::Invalid)
    }

    fn mac(&self, purpose: Purpose, label: &str, input: &[u8]) -> Result<[u8; 32], KeyError> {
        let (_, root) = self
            .keys(purpose)?
            .sealing
            .first()
            .ok_or(KeyError::Absent(purpose))?;
        let key = root
            .derive("mac", label.as_bytes())
            .map_err(|_| KeyError::Invalid)?;
        Ok(crypto::hmac_sha256(&key, input))
    }

    fn check_mac(&self, purpose: Purpose, label: &str, input: &[u8], tag: &[u8]) -> Result<(), KeyError> {
        for (_, root) in &self.keys(purpose)?.sealing {
            let key = root
                .derive("mac", label.as_bytes())
                .map_err(|_| KeyError::Invalid)?;
            if crypto::hmac_matches(&key, input, tag) {
                return Ok(());
            }
        }
        Err(KeyError::Invalid)
    }
}

impl EventSigner for Keyset {
    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<(KeyId, [u8; 64]), KeyError> {
        let signing = self.keys(purpose)?.signing.as_ref();
        let (id, pair) = signing.ok_or(KeyError::Absent(purpose))?;
        let signature = pair.try_sign(message).map_err(|_| KeyError::Invalid)?;
        let octets = <[u8; 64]>::try_from(signature.as_ref()).map_err(|_| KeyError::Invalid)?;
        Ok((*id, octets))
    }

    fn verify(
        &self,
        purpose: Purpose,
        key: KeyId,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), KeyError> {
        let key = self.public.get(&(purpose, key)).ok_or(KeyError::Invalid)?;
        key.verify_sig(message, signature).map_err(|_| KeyError::Invalid)
    }
}

/// Everything that is bound to sealed bytes. The header has a fixed length, so no two inputs run together.
fn bind(purpose: Purpose, header: &[u8], associated: &[u8]) -> Vec<u8> {
    [&[purpose as u8], header, associated].concat()
}
