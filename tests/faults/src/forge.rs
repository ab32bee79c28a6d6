//! Records as an intruder makes them: in their right place, with everything right but the signature.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::{
    Actor, Circumstances, Event, KeyId, NodeId, Origin, Place, Purpose, Record, StreamId, Unsigned,
};

use crate::FaultError;
use crate::database::now_millis;

/// Whose signature a forged record bears.
#[derive(Copy, Clone, Debug)]
pub enum Signed<'a> {
    /// That of a key the intruder made, under its own id.
    ByOwnKey,
    /// That of a key the intruder made, under the id of the key that signed this record.
    AsIfBy(&'a Record),
    /// The one of this record.
    CopiedFrom(&'a Record),
}

/// A record of these events that follows `before` in a stream.
pub fn record(
    (stream, before): (StreamId, &[Record]),
    (purpose, events): (Purpose, &[Event]),
    signed: Signed<'_>,
) -> Result<Record, FaultError> {
    let position = u64::try_from(before.len()).unwrap_or(u64::MAX).saturating_add(1);
    let place = Place {
        stream,
        position,
        previous: before.last().map_or([0; 32], Record::hash),
    };
    let circumstances = Circumstances {
        purpose,
        at: Timestamp::from_unix_millis(now_millis()),
        actor: Actor::Node,
        origin: Origin::node(NodeId::from_bytes([7; 16])),
        reason: "policy permits".to_owned(),
    };
    let unsigned = Unsigned::new(place, circumstances, events, [7; 16])?;
    let unreadable = || FaultError::Unreadable("key of the intruder");
    let own = Ed25519KeyPair::generate().map_err(|_| unreadable())?;
    let signature = own.sign(&unsigned.signed_bytes());
    let signature: [u8; 64] = signature.as_ref().try_into().map_err(|_| unreadable())?;
    let (key, signature) = match signed {
        Signed::ByOwnKey => (own_id(&own), signature),
        Signed::AsIfBy(record) => (record.key(), signature),
        Signed::CopiedFrom(record) => (record.key(), *record.signature()),
    };
    Ok(unsigned.sign_with(key, signature))
}

fn own_id(pair: &Ed25519KeyPair) -> KeyId {
    let digest = sha256(pair.public_key().as_ref());
    let mut id = [0; 8];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    KeyId(id)
}
