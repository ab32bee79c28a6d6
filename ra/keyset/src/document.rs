//! The stored form of a keyset.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_ra::{KeyId, Purpose};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::KeysetError;

/// Largest accepted document.
pub(crate) const DOCUMENT_LENGTH_MAX: usize = 256 * 1024;
/// Most keys of one ring.
pub(crate) const RING_KEYS_MAX: usize = 64;
pub(crate) const VERSION: u32 = 1;

/// The whole document.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    pub(crate) portreeve_keyset: u32,
    pub(crate) body: Body,
    /// By check value of the key encryption key: its MAC over the body.
    pub(crate) macs: BTreeMap<String, Octets>,
}

#[derive(Deserialize)]
struct VersionOnly {
    portreeve_keyset: u32,
}

/// Everything that is authenticated.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    /// Check value of the shared key encryption key.
    pub(crate) shared_kek: String,
    pub(crate) purposes: BTreeMap<PurposeName, PurposeKeys>,
}

/// The keys of one purpose.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PurposeKeys {
    /// Check value of the key encryption key that wraps them.
    pub(crate) kek: String,
    pub(crate) sealing: Ring,
    pub(crate) signing: Ring,
}

/// Several keys for one use; one of them is used for new work.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ring {
    pub(crate) primary: Id,
    /// Oldest first.
    pub(crate) keys: Vec<StoredKey>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredKey {
    pub(crate) id: Id,
    /// Ed25519 public key; absent for sealing keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public: Option<Octets>,
    /// Nonce and AES-256-GCM ciphertext of the 32 secret octets.
    pub(crate) wrapped: Octets,
}

/// Octets, written in base64.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Octets(pub(crate) Vec<u8>);

/// A key id, written in hexadecimal.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(crate) struct Id(pub(crate) KeyId);

/// A purpose, written as its word.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PurposeName(pub(crate) Purpose);

impl Document {
    /// Reads and checks the shape; authenticity is checked when it is opened.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, KeysetError> {
        if bytes.len() > DOCUMENT_LENGTH_MAX {
            return Err(KeysetError::Format(format!(
                "more than {DOCUMENT_LENGTH_MAX} octets"
            )));
        }
        let broken = |error: serde_json::Error| KeysetError::Format(error.to_string());
        let version = serde_json::from_slice::<VersionOnly>(bytes)
            .map_err(broken)?
            .portreeve_keyset;
        if version != VERSION {
            return Err(KeysetError::Version(version));
        }
        let document: Self = serde_json::from_slice(bytes).map_err(broken)?;
        document.body.check_shape()?;
        Ok(document)
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, KeysetError> {
        serde_json::to_vec_pretty(self).map_err(|error| KeysetError::Format(error.to_string()))
    }
}

impl Body {
    /// The octets that are authenticated: compact JSON, members in the order of the types, maps sorted.
    pub(crate) fn canonical(&self) -> Result<Vec<u8>, KeysetError> {
        serde_json::to_vec(self).map_err(|error| KeysetError::Format(error.to_string()))
    }

    pub(crate) fn purpose(&self, purpose: Purpose) -> Result<&PurposeKeys, KeysetError> {
        self.purposes
            .get(&PurposeName(purpose))
            .ok_or_else(|| missing(purpose))
    }

    pub(crate) fn purpose_mut(&mut self, purpose: Purpose) -> Result<&mut PurposeKeys, KeysetError> {
        self.purposes
            .get_mut(&PurposeName(purpose))
            .ok_or_else(|| missing(purpose))
    }

    fn check_shape(&self) -> Result<(), KeysetError> {
        for purpose in Purpose::ALL {
            let keys = self.purpose(purpose)?;
            for ring in [&keys.sealing, &keys.signing] {
                let count = ring.keys.iter().filter(|key| key.id == ring.primary).count();
                if count != 1 || ring.keys.len() > RING_KEYS_MAX {
                    return Err(KeysetError::Format(format!("keys of purpose {purpose}")));
                }
            }
        }
        Ok(())
    }
}

fn missing(purpose: Purpose) -> KeysetError {
    KeysetError::Format(format!("purpose {purpose} is missing"))
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut id = [0; 8];
        let text = String::deserialize(deserializer)?;
        hex::decode_to_slice(text, &mut id).map_err(serde::de::Error::custom)?;
        Ok(Self(KeyId(id)))
    }
}

impl Serialize for PurposeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.as_str())
    }
}

impl<'de> Deserialize<'de> for PurposeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = Purpose::ALL.into_iter().find(|purpose| purpose.as_str() == text);
        known
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown purpose {text}")))
    }
}
