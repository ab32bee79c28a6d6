//! Making, changing and opening a wrapped keyset.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::aead::NONCE_LEN;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use portreeve_pkix::sha256;
use portreeve_ra::ports::Random;
use portreeve_ra::{KeyId, Purpose};
use zeroize::Zeroizing;

use crate::crypto::{self, KEY_LENGTH, Key};
use crate::document::{
    Body, Document, Id, Octets, PurposeKeys, PurposeName, RING_KEYS_MAX, Ring, StoredKey, VERSION,
};
use crate::error::KeysetError;
use crate::kek::{Kek, KekSet};
use crate::keyset::{Keyset, KeysetParts, PrivateKeys};

/// A keyset as it is stored: secrets wrapped by key encryption keys, public keys in the clear, all of it
/// authenticated.
#[derive(Clone)]
pub struct WrappedKeyset(Document);

/// What a key is used for; part of what its wrapping is bound to.
#[derive(Copy, Clone)]
enum Usage {
    Sealing,
    Signing,
}

impl WrappedKeyset {
    /// New keys for every purpose.
    pub fn generate(keks: &KekSet, random: &dyn Random) -> Result<Self, KeysetError> {
        let mut purposes = BTreeMap::new();
        for purpose in Purpose::ALL {
            let kek = keks.of(purpose);
            let keys = PurposeKeys {
                kek: kek.check().to_owned(),
                sealing: new_ring(kek, purpose, Usage::Sealing, random)?,
                signing: new_ring(kek, purpose, Usage::Signing, random)?,
            };
            purposes.insert(PurposeName(purpose), keys);
        }
        let body = Body {
            shared_kek: keks.for_all().check().to_owned(),
            purposes,
        };
        Self::authenticated(body, keks)
    }

    /// Reads the stored form. Whether it is authentic shows when it is opened.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeysetError> {
        Document::parse(bytes).map(Self)
    }

    /// The stored form: JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, KeysetError> {
        self.0.to_bytes()
    }

    /// Opens the secrets of these purposes; of all others the public keys only.
    ///
    /// Fails if any of them cannot be opened with the keys given, or if the MACs of their key encryption keys and of
    /// the shared one do not verify.
    pub fn open(&self, keks: &KekSet, purposes: &[Purpose]) -> Result<Keyset, KeysetError> {
        self.verify(keks, purposes)?;
        let mut parts = KeysetParts {
            fingerprint: self.fingerprint(),
            ..KeysetParts::default()
        };
        for purpose in Purpose::ALL {
            let keys = self.0.body.purpose(purpose)?;
            for key in &keys.signing.keys {
                let public = key.public.as_ref().ok_or_else(|| bad_key(purpose))?;
                parts.public.push((purpose, key.id.0, public.0.clone()));
            }
            if purposes.contains(&purpose) {
                parts
                    .private
                    .insert(purpose, open_keys(keks.of(purpose), purpose, keys)?);
            }
        }
        Keyset::from_parts(parts)
    }

    /// Adds a sealing and a signing key to the purpose and makes them primary. The older keys go on opening and
    /// verifying. Nodes that run must open the keyset again before they can verify what the new key signs: where that
    /// matters, call [`introduce`](Self::introduce), reload all nodes, then [`promote`](Self::promote).
    pub fn rotate(&self, keks: &KekSet, purpose: Purpose, random: &dyn Random) -> Result<Self, KeysetError> {
        self.introduce(keks, purpose, random)?.promote(keks, purpose)
    }

    /// Adds a sealing and a signing key to the purpose without using them yet.
    pub fn introduce(
        &self,
        keks: &KekSet,
        purpose: Purpose,
        random: &dyn Random,
    ) -> Result<Self, KeysetError> {
        self.verify(keks, &Purpose::ALL)?;
        let mut body = self.0.body.clone();
        let keys = body.purpose_mut(purpose)?;
        for (ring, usage) in [
            (&mut keys.sealing, Usage::Sealing),
            (&mut keys.signing, Usage::Signing),
        ] {
            if ring.keys.len() >= RING_KEYS_MAX {
                return Err(KeysetError::TooManyKeys(purpose));
            }
            ring.keys.push(new_key(keks.of(purpose), purpose, usage, random)?);
        }
        Self::authenticated(body, keks)
    }

    /// Makes the newest keys of the purpose primary.
    pub fn promote(&self, keks: &KekSet, purpose: Purpose) -> Result<Self, KeysetError> {
        self.verify(keks, &Purpose::ALL)?;
        let mut body = self.0.body.clone();
        let keys = body.purpose_mut(purpose)?;
        for ring in [&mut keys.sealing, &mut keys.signing] {
            if let Some(newest) = ring.keys.last() {
                ring.primary = newest.id;
            }
        }
        Self::authenticated(body, keks)
    }

    /// The same keys under other key encryption keys.
    pub fn rewrap(&self, old: &KekSet, new: &KekSet, random: &dyn Random) -> Result<Self, KeysetError> {
        self.verify(old, &Purpose::ALL)?;
        let mut body = self.0.body.clone();
        new.for_all().check().clone_into(&mut body.shared_kek);
        for purpose in Purpose::ALL {
            let keys = body.purpose_mut(purpose)?;
            new.of(purpose).check().clone_into(&mut keys.kek);
            for (ring, usage) in [
                (&mut keys.sealing, Usage::Sealing),
                (&mut keys.signing, Usage::Signing),
            ] {
                for key in &mut ring.keys {
                    let secret = unwrap_key(old.of(purpose), purpose, usage, key)?;
                    let binding = binding(purpose, usage, key.id.0, key.public.as_ref());
                    key.wrapped = Octets(wrap(new.of(purpose), &binding, &secret, random)?);
                }
            }
        }
        Self::authenticated(body, new)
    }

    /// The purposes whose secrets this key encryption key wraps, going by what the keyset says of itself.
    pub fn purposes_under(&self, kek: &Kek) -> Vec<Purpose> {
        let under = self
            .0
            .body
            .purposes
            .iter()
            .filter(|(_, keys)| keys.kek == kek.check());
        under.map(|(name, _)| name.0).collect()
    }

    /// Names the set of keys, whatever wraps them: nodes with equal fingerprints understand each other.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut input = Vec::new();
        for (purpose, keys) in &self.0.body.purposes {
            for ring in [&keys.sealing, &keys.signing] {
                input.push(purpose.0 as u8);
                input.extend_from_slice(&ring.primary.0.0);
                input.extend_from_slice(&u64::try_from(ring.keys.len()).unwrap_or(u64::MAX).to_be_bytes());
                ring.keys
                    .iter()
                    .for_each(|key| input.extend_from_slice(&key.id.0.0));
            }
        }
        sha256(&input)
    }

    /// The key encryption keys that wrapped it, and the MAC of each that this node can check.
    fn verify(&self, keks: &KekSet, purposes: &[Purpose]) -> Result<(), KeysetError> {
        let body = &self.0.body;
        let shared = keks.for_all();
        if body.shared_kek != shared.check() {
            let (expected, given) = (body.shared_kek.clone(), shared.check().to_owned());
            return Err(KeysetError::WrongSharedKek { expected, given });
        }
        let canonical = body.canonical()?;
        self.verify_mac(shared, &canonical)?;
        for &purpose in purposes {
            let (kek, keys) = (keks.of(purpose), body.purpose(purpose)?);
            if keys.kek != kek.check() {
                let (expected, given) = (keys.kek.clone(), kek.check().to_owned());
                return Err(KeysetError::WrongKek {
                    purpose,
                    expected,
                    given,
                });
            }
            self.verify_mac(kek, &canonical)?;
        }
        Ok(())
    }

    fn verify_mac(&self, kek: &Kek, canonical: &[u8]) -> Result<(), KeysetError> {
        let mac = self.0.macs.get(kek.check()).ok_or(KeysetError::Tampered)?;
        let key = kek.derive("authenticate", &[])?;
        if crypto::hmac_matches(&key, canonical, &mac.0) {
            Ok(())
        } else {
            Err(KeysetError::Tampered)
        }
    }

    fn authenticated(body: Body, keks: &KekSet) -> Result<Self, KeysetError> {
        let canonical = body.canonical()?;
        let mut macs = BTreeMap::new();
        for kek in keks.each() {
            let key = kek.derive("authenticate", &[])?;
            macs.insert(
                kek.check().to_owned(),
                Octets(crypto::hmac_sha256(&key, &canonical).to_vec()),
            );
        }
        Ok(Self(Document {
            portreeve_keyset: VERSION,
            body,
            macs,
        }))
    }
}

fn new_ring(kek: &Kek, purpose: Purpose, usage: Usage, random: &dyn Random) -> Result<Ring, KeysetError> {
    let key = new_key(kek, purpose, usage, random)?;
    Ok(Ring {
        primary: key.id,
        keys: vec![key],
    })
}

fn new_key(kek: &Kek, purpose: Purpose, usage: Usage, random: &dyn Random) -> Result<StoredKey, KeysetError> {
    let mut secret = Zeroizing::new([0; KEY_LENGTH]);
    random.fill(secret.as_mut_slice());
    let public = public_of(usage, &secret)?;
    let id = identify(&secret, public.as_ref());
    let wrapped = Octets(wrap(
        kek,
        &binding(purpose, usage, id, public.as_ref()),
        &secret,
        random,
    )?);
    Ok(StoredKey {
        id: Id(id),
        public,
        wrapped,
    })
}

fn public_of(usage: Usage, secret: &Key) -> Result<Option<Octets>, KeysetError> {
    match usage {
        Usage::Sealing => Ok(None),
        Usage::Signing => {
            let pair =
                Ed25519KeyPair::from_seed_unchecked(secret.as_slice()).map_err(|_| KeysetError::Crypto)?;
            Ok(Some(Octets(pair.public_key().as_ref().to_vec())))
        }
    }
}

/// The first octets of the hash of the public part, or of the secret where there is none.
fn identify(secret: &Key, public: Option<&Octets>) -> KeyId {
    let digest = sha256(public.map_or(secret.as_slice(), |octets| octets.0.as_slice()));
    let mut id = [0; 8];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    KeyId(id)
}

/// What a wrapping is bound to, so that no key can take the place of another.
fn binding(purpose: Purpose, usage: Usage, id: KeyId, public: Option<&Octets>) -> Vec<u8> {
    let usage = match usage {
        Usage::Sealing => "sealing",
        Usage::Signing => "signing",
    };
    let mut out = format!("{purpose}/{usage}/{id}/").into_bytes();
    out.extend(public.iter().flat_map(|octets| octets.0.iter()));
    out
}

fn wrap(kek: &Kek, binding: &[u8], secret: &Key, random: &dyn Random) -> Result<Vec<u8>, KeysetError> {
    let mut nonce = [0; NONCE_LEN];
    random.fill(&mut nonce);
    let key = kek.derive("wrap", &[])?;
    let ciphertext =
        crypto::encrypt(&key, nonce, binding, secret.as_slice()).map_err(|_| KeysetError::Crypto)?;
    Ok([&nonce[..], &ciphertext].concat())
}

fn unwrap_key(kek: &Kek, purpose: Purpose, usage: Usage, stored: &StoredKey) -> Result<Key, KeysetError> {
    let (nonce, ciphertext) = stored
        .wrapped
        .0
        .split_first_chunk::<NONCE_LEN>()
        .ok_or_else(|| bad_key(purpose))?;
    let binding = binding(purpose, usage, stored.id.0, stored.public.as_ref());
    let key = kek.derive("wrap", &[])?;
    let secret = crypto::decrypt(&key, *nonce, &binding, ciphertext).map_err(|_| KeysetError::Tampered)?;
    let secret: Key = <[u8; KEY_LENGTH]>::try_from(secret.expose())
        .map(Zeroizing::new)
        .map_err(|_| bad_key(purpose))?;
    if public_of(usage, &secret)? != stored.public {
        return Err(KeysetError::Tampered);
    }
    Ok(secret)
}

fn open_keys(kek: &Kek, purpose: Purpose, keys: &PurposeKeys) -> Result<PrivateKeys, KeysetError> {
    let mut sealing = Vec::with_capacity(keys.sealing.keys.len());
    let mut seen = BTreeSet::new();
    for key in &keys.sealing.keys {
        if !seen.insert(key.id.0) {
            return Err(bad_key(purpose));
        }
        sealing.push((key.id.0, unwrap_key(kek, purpose, Usage::Sealing, key)?));
    }
    sealing.sort_by_key(|(id, _)| *id != keys.sealing.primary.0);
    let signing = keys
        .signing
        .keys
        .iter()
        .find(|key| key.id == keys.signing.primary);
    let signing = signing.ok_or_else(|| bad_key(purpose))?;
    Ok(PrivateKeys {
        sealing,
        signing: (signing.id.0, unwrap_key(kek, purpose, Usage::Signing, signing)?),
    })
}

fn bad_key(purpose: Purpose) -> KeysetError {
    KeysetError::Format(format!("keys of purpose {purpose}"))
}
