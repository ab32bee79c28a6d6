//! Verifies records with the public keys of the installation's keyset, without the gateway's code.

use std::collections::HashMap;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_ra::Record;
use serde_json::Value;

/// Public keys of record signing, by purpose and key id.
#[derive(Debug, Default)]
pub struct PublicKeys(HashMap<(String, String), Vec<u8>>);

impl PublicKeys {
    /// The keys in the first of these values that is a keyset.
    pub fn find(values: &[Vec<u8>]) -> Option<Self> {
        let keysets = values
            .iter()
            .filter_map(|value| serde_json::from_slice::<Value>(value).ok());
        keysets.filter_map(|keyset| Self::of(&keyset)).next()
    }

    fn of(keyset: &Value) -> Option<Self> {
        let mut keys = HashMap::new();
        for (purpose, rings) in keyset.pointer("/body/purposes")?.as_object()? {
            for key in rings.pointer("/signing/keys")?.as_array()? {
                let id = key.get("id")?.as_str()?.to_owned();
                let public = STANDARD.decode(key.get("public")?.as_str()?).ok()?;
                keys.insert((purpose.clone(), id), public);
            }
        }
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Whether a record was signed by a key of the purpose it names, and the purpose may say what the record says.
    pub fn verify(&self, record: &Record) -> bool {
        let header = record.header();
        let name = (header.purpose.as_str().to_owned(), record.key().to_string());
        let signed = self.0.get(&name).is_some_and(|key| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(&record.signed_bytes(), record.signature())
                .is_ok()
        });
        signed && header.kinds.iter().all(|kind| header.purpose.may_say(*kind))
    }
}
