//! Nonces (RFC 8555 section 6.5): expiry, chance and a MAC, so that every node knows its own without storing them.
//!
//! A nonce is good once. Every use is remembered in memory; a use that changes something is also spent by a unique
//! row in the transaction of the change, which holds across nodes and restarts. What the bounded memory has forgotten,
//! after a restart or 65,536 later uses, could repeat only a request that changed nothing when it was made: one that read, or
//! one that was refused.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::Purpose;
use portreeve_ra::ports::{Clock, KeyError, Random, Sealer, Spend};

use crate::error::AcmeError;

const LABEL: &str = "acme nonce";
const EXPIRY: usize = 8;
const CHANCE: usize = 16;
const SIGNED: usize = EXPIRY + CHANCE;
const TAG: usize = 32;
/// Characters of a nonce.
const TEXT: usize = (SIGNED + TAG) * 4 / 3 + 1;

/// Uses that are remembered, at most.
const REMEMBERED_MAX: usize = 1 << 16;

/// Makes and checks nonces.
pub(crate) struct Nonces {
    sealer: Arc<dyn Sealer>,
    random: Arc<dyn Random>,
    clock: Arc<dyn Clock>,
    lifetime: Duration,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    set: HashSet<[u8; CHANCE]>,
    order: VecDeque<[u8; CHANCE]>,
}

/// A nonce that was made here or on another node and has not expired.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Nonce {
    expires: Timestamp,
    chance: [u8; CHANCE],
}

impl Nonces {
    pub(crate) fn new(
        sealer: Arc<dyn Sealer>,
        random: Arc<dyn Random>,
        clock: Arc<dyn Clock>,
        lifetime: Duration,
    ) -> Self {
        Self {
            sealer,
            random,
            clock,
            lifetime,
            used: Mutex::default(),
        }
    }

    /// A fresh nonce.
    pub(crate) fn issue(&self) -> Result<String, KeyError> {
        let expires = self.clock.now().saturating_add(self.lifetime).unix_seconds();
        let mut chance = [0; CHANCE];
        self.random.fill(&mut chance);
        let signed = [expires.to_be_bytes().as_slice(), &chance].concat();
        let tag = self.sealer.mac(Purpose::Edge, LABEL, &signed)?;
        Ok(URL_SAFE_NO_PAD.encode([signed.as_slice(), &tag].concat()))
    }

    /// Reads a nonce: cheap, and without any effect.
    pub(crate) fn check(&self, text: &str) -> Result<Nonce, AcmeError> {
        if text.len() != TEXT {
            return Err(AcmeError::NonceInvalid);
        }
        let octets = URL_SAFE_NO_PAD
            .decode(text)
            .map_err(|_| AcmeError::NonceInvalid)?;
        let (signed, tag) = octets.split_at_checked(SIGNED).ok_or(AcmeError::NonceInvalid)?;
        let (expires, chance) = signed
            .split_first_chunk::<EXPIRY>()
            .ok_or(AcmeError::NonceInvalid)?;
        let chance = <[u8; CHANCE]>::try_from(chance).map_err(|_| AcmeError::NonceInvalid)?;
        let expires = Timestamp::from_unix_seconds(i64::from_be_bytes(*expires));
        if expires <= self.clock.now() || self.used().set.contains(&chance) {
            return Err(AcmeError::NonceInvalid);
        }
        match self.sealer.check_mac(Purpose::Edge, LABEL, signed, tag) {
            Ok(()) => Ok(Nonce { expires, chance }),
            Err(KeyError::Invalid) => Err(AcmeError::NonceInvalid),
            Err(error @ KeyError::Absent(_)) => Err(AcmeError::Ra(error.into())),
        }
    }

    /// Uses a nonce, in the memory of this node. The row that goes with a change is given back.
    pub(crate) fn spend(&self, nonce: &Nonce) -> Result<Spend, AcmeError> {
        let mut used = self.used();
        if !used.set.insert(nonce.chance) {
            return Err(AcmeError::NonceInvalid);
        }
        used.order.push_back(nonce.chance);
        if used.order.len() > REMEMBERED_MAX
            && let Some(oldest) = used.order.pop_front()
        {
            used.set.remove(&oldest);
        }
        Ok(Spend {
            key: sha256(&nonce.chance),
            until: nonce.expires,
        })
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "nonce/tests.rs"]
mod tests;
