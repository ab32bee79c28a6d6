//! The keyset as its users see it.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod changing;
mod sources;
mod stored;
mod using;

use portreeve_keyset::{Kek, KekSet, Keyset, KeysetError, WrappedKeyset};
use portreeve_ra::Purpose;
use portreeve_ra::ports::Random;

struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, octets: &mut [u8]) {
        aws_lc_rs::rand::fill(octets).expect("random");
    }
}

fn kek(octet: u8) -> Kek {
    Kek::new(&[octet; 32]).expect("kek")
}

fn shared(octet: u8) -> KekSet {
    KekSet::shared(kek(octet))
}

fn generate(keks: &KekSet) -> WrappedKeyset {
    WrappedKeyset::generate(keks, &SystemRandom).expect("keyset")
}

fn open(wrapped: &WrappedKeyset, keks: &KekSet, purposes: &[Purpose]) -> Keyset {
    wrapped.open(keks, purposes).expect("opens")
}

fn reason(result: Result<Keyset, KeysetError>) -> String {
    result
        .err()
        .map_or_else(|| "opened".to_owned(), |error| error.to_string())
}
