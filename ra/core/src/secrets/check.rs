//! Does somebody know a secret? And what stands against finding out by trying.
//!
//! Secrets that we make have at least 128 bits of chance, so that trying does not help whoever tries; the limits keep
//! that from costing us, and show it to operators. Three things are counted, and only when the secret was wrong:
//!
//! * what one network tries with one reference, known or not: after [`TRIES`] it is told to come back later;
//! * what one network tries at all: after [`TRIES_OF_NETWORK`] it is told so before anything is looked up;
//! * what everybody tries with one secret: after [`TRIES_OF_ALL`] it is locked for [`LOCKED_FOR`].
//!
//! To lock a secret somebody must know its reference, and try from many networks. A lock ends by itself, never touches
//! what was bound by the secret before, and is recorded at most once in its time.

use std::net::IpAddr;
use std::time::Duration;

use portreeve_pkix::{MacAlgorithm, Secret, sha256};
use subtle::ConstantTimeEq;

use super::{Secrets, associated, reference_key};
use crate::accounts::may_grow;
use crate::domain::{
    Actor, Event, KnownSecret, Origin, RateLimit, Refusal, SecretCheck, SecretEvent, SecretKind, SecretProof,
    SecretState, StreamId, StreamKind, network,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{Admission, Batch};
use crate::steps::{Verified, verify};

/// Wrong attempts of one network with one reference.
const TRIES: RateLimit = RateLimit {
    requests: 30,
    period: Duration::from_secs(3_600),
    burst: 5,
};

/// Wrong attempts of one network.
const TRIES_OF_NETWORK: RateLimit = RateLimit {
    requests: 300,
    period: Duration::from_secs(3_600),
    burst: 50,
};

/// Wrong attempts with one secret.
const TRIES_OF_ALL: RateLimit = RateLimit {
    requests: 100,
    period: Duration::from_secs(24 * 3_600),
    burst: 100,
};

/// How long a secret is locked.
const LOCKED_FOR: Duration = Duration::from_secs(15 * 60);

impl Secrets {
    /// The secret of this kind and reference, if the proof is right and the secret is live or spent. Everything else is
    /// refused in the same way: unknown, wrong, revoked, expired, locked. What a spent one still is good for, the caller
    /// must decide.
    pub(crate) async fn authentic(
        &self,
        kind: SecretKind,
        reference: &str,
        proof: &SecretProof,
        origin: &Origin,
    ) -> Result<Verified<KnownSecret>, Error> {
        let from = origin.address.map(network);
        let keys = [
            (key_of_network(from), TRIES_OF_NETWORK),
            (key_of_try(kind, reference, from), TRIES),
        ];
        for (key, limit) in &keys {
            // Costs nothing: asks whether one more would be admitted.
            if let Admission::RetryAfter(wait) = self.limiter.admit(key, *limit, 0).await {
                return Err(Refusal::RateLimited(wait).into());
            }
        }
        let found = self.find_or_pretend(kind, reference).await?;
        let right = found.as_ref().map_or_else(
            || self.never_right(proof),
            |known| self.is_right(known.value(), proof),
        );
        match found {
            Some(known) if right => match known.value().state(self.ledger.now()) {
                SecretState::Live | SecretState::Spent => Ok(known),
                SecretState::Revoked | SecretState::Locked | SecretState::Expired | SecretState::Pending => {
                    Err(Refusal::NotAuthorized.into())
                }
            },
            found => {
                for (key, limit) in &keys {
                    self.limiter.admit(key, *limit, 1).await;
                }
                if let Some(known) = found {
                    self.count_wrong(&known, origin).await?;
                }
                Err(Refusal::NotAuthorized.into())
            }
        }
    }

    /// An unknown reference costs as many reads as a known one.
    async fn find_or_pretend(
        &self,
        kind: SecretKind,
        reference: &str,
    ) -> Result<Option<Verified<KnownSecret>>, Error> {
        if let Some(known) = self.find(kind, reference).await? {
            return Ok(Some(known));
        }
        let nothing = StreamId::derived(StreamKind::Secret, &[&reference_key(kind, reference)]);
        let _ = verify::secret(self.ledger.history(nothing).await?);
        Ok(None)
    }

    fn is_right(&self, known: &KnownSecret, proof: &SecretProof) -> bool {
        match (&known.secret.check, proof) {
            (SecretCheck::Sha256(hash), SecretProof::Value(value)) => {
                sha256(value.expose()).ct_eq(hash).into()
            }
            (SecretCheck::Sealed(sealed), proof) => {
                let opened = self.sealer.open(super::SEALED_FOR, &associated(known.id), sealed);
                match (opened, proof) {
                    (Ok(secret), SecretProof::Value(value)) => secret == *value,
                    (
                        Ok(secret),
                        SecretProof::Mac {
                            algorithm,
                            input,
                            tag,
                        },
                    ) => algorithm.verify(&secret, input, tag).is_ok(),
                    (Err(error), _) => {
                        tracing::error!(secret = %known.id, %error, "a sealed secret does not open");
                        false
                    }
                }
            }
            // What people choose is checked where they sign in, and a hash makes no MAC.
            (SecretCheck::Argon2id(_), _) | (SecretCheck::Sha256(_), SecretProof::Mac { .. }) => false,
        }
    }

    /// Takes as long as with a secret that is there, and is never right.
    fn never_right(&self, proof: &SecretProof) -> bool {
        let mut other = vec![0; 32];
        self.ledger.random.fill(&mut other);
        let other = Secret::new(other);
        match proof {
            SecretProof::Value(value) => drop(sha256(value.expose()).ct_eq(&sha256(other.expose()))),
            SecretProof::Mac {
                algorithm,
                input,
                tag,
            } => {
                let _: Result<(), _> = MacAlgorithm::verify(*algorithm, &other, input, tag);
            }
        }
        false
    }

    /// Counts a wrong attempt, and locks the secret after too many.
    async fn count_wrong(&self, known: &Verified<KnownSecret>, origin: &Origin) -> Result<(), Error> {
        let id = known.value().id;
        tracing::warn!(secret = %id, address = ?origin.address, "wrong secret");
        let key = format!("secret|{id}");
        let Admission::RetryAfter(_) = self.limiter.admit(&key, TRIES_OF_ALL, 1).await else {
            return Ok(());
        };
        let now = self.ledger.now();
        if known.value().state(now) == SecretState::Locked || may_grow(known.next()).is_err() {
            return Ok(());
        }
        let until = now.saturating_add(LOCKED_FOR);
        let event = Event::Secret(SecretEvent::Locked { until });
        let voice = self.ledger.voice();
        let saying = Saying::new(voice, Actor::Node, origin.clone(), "too many wrong attempts");
        let batch = Batch {
            records: vec![self.ledger.record(known.next(), saying, &[event])?],
            ..Batch::default()
        };
        match self.ledger.store.commit(batch).await {
            Ok(()) => tracing::warn!(secret = %id, %until, "secret locked"),
            // Somebody used or locked it at the same moment: the next wrong attempt will.
            Err(error) => tracing::debug!(secret = %id, %error, "secret not locked"),
        }
        Ok(())
    }
}

fn key_of_network(from: Option<IpAddr>) -> String {
    format!("secrets|{}", shown(from))
}

/// References are hashed: they come from strangers and may be long.
fn key_of_try(kind: SecretKind, reference: &str, from: Option<IpAddr>) -> String {
    let reference = hex::encode(reference_key(kind, reference));
    format!("secrets|{reference}|{}", shown(from))
}

fn shown(from: Option<IpAddr>) -> String {
    from.map_or_else(|| "nowhere".to_owned(), |address| address.to_string())
}
