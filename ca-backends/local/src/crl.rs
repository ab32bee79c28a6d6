//! Revocation lists (RFC 5280 section 5).

use std::future::poll_fn;
use std::task::Poll;

use portreeve_pkix::der::{self, tag};
use portreeve_pkix::{Certificate, Extension, Oid, SerialNumber, SignatureAlgorithm, Timestamp, encode};
use portreeve_ra::RevocationReason;

use crate::draft::authority_key_identifier;

/// Version 2 (RFC 5280 section 5.1.2.1).
const VERSION_2: u8 = 1;
/// Room for an entry: 20 octets of serial, a time and a reason.
const ENTRY_LENGTH: usize = 56;
/// Entries between two chances for other tasks; less than a millisecond of work.
const ENTRIES_AT_A_TIME: usize = 2048;

/// Everything but the entries.
pub(crate) struct Head<'a> {
    pub(crate) issuer: &'a Certificate,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) number: u64,
    pub(crate) this_update: Timestamp,
    pub(crate) next_update: Timestamp,
}

/// The TBSCertList, built entry by entry: a million of them need no tree of objects.
pub(crate) async fn tbs(head: &Head<'_>, revoked: &[(SerialNumber, Timestamp, RevocationReason)]) -> Vec<u8> {
    let mut entries = Vec::with_capacity(revoked.len().saturating_mul(ENTRY_LENGTH));
    let mut entry = Entry::default();
    for some in revoked.chunks(ENTRIES_AT_A_TIME) {
        for (serial, at, reason) in some {
            entry.push(&mut entries, serial, (*at, *reason));
        }
        let_others_run().await;
    }
    // An empty list is left out (RFC 5280 section 5.1.2.6).
    let entries_header = if entries.is_empty() {
        Vec::new()
    } else {
        der::header(tag::SEQUENCE, entries.len())
    };
    let before = [
        der::unsigned_integer(&[VERSION_2]),
        head.algorithm.algorithm_identifier_der(),
        head.issuer.subject_der().to_vec(),
        encode::time(head.this_update.floor_to_second()),
        encode::time(head.next_update.floor_to_second()),
        entries_header,
    ]
    .concat();
    let extensions = encode::extensions(&[
        authority_key_identifier(head.issuer),
        Extension::non_critical(Oid::CRL_NUMBER, encode::crl_number(head.number)),
    ]);
    let after = der::constructed(tag::context_constructed(0), &[extensions]);
    der::constructed(tag::SEQUENCE, &[&before, &entries, &after])
}

/// The parts of the last entry that the next one often has as well.
#[derive(Default)]
struct Entry {
    at: Option<Timestamp>,
    time: Vec<u8>,
    reason: Option<RevocationReason>,
    extensions: Vec<u8>,
}

impl Entry {
    /// Appends `SEQUENCE { serial, time, [extensions] }`.
    fn push(
        &mut self,
        out: &mut Vec<u8>,
        serial: &SerialNumber,
        (at, reason): (Timestamp, RevocationReason),
    ) {
        let at = at.floor_to_second();
        if self.at.replace(at) != Some(at) {
            self.time = encode::time(at);
        }
        if self.reason.replace(reason) != Some(reason) {
            self.extensions = entry_extensions(reason);
        }
        let octets = serial.as_bytes();
        // A set top bit would make the INTEGER negative.
        let pad = octets.first().is_some_and(|first| first & 0x80 != 0);
        let serial_length = octets.len() + usize::from(pad);
        // At most 20 + 17 + 14 octets: every length fits the short form.
        let length = 2 + serial_length + self.time.len() + self.extensions.len();
        out.extend_from_slice(&[tag::SEQUENCE, short(length), tag::INTEGER, short(serial_length)]);
        if pad {
            out.push(0);
        }
        out.extend_from_slice(octets);
        out.extend_from_slice(&self.time);
        out.extend_from_slice(&self.extensions);
    }
}

fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// Unspecified is the absence of a reason (RFC 5280 section 5.3.1).
fn entry_extensions(reason: RevocationReason) -> Vec<u8> {
    match reason {
        RevocationReason::Unspecified => Vec::new(),
        known => {
            let code = encode::reason_code(known.number());
            encode::extensions(&[Extension::non_critical(Oid::REASON_CODE, code)])
        }
    }
}

/// Returns when every task that is ready now had its turn.
async fn let_others_run() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
