//! Keys with known properties, made from a seed.
//!
//! Their factors are not proven to be primes; none of the tests under test depends on that.

use num_bigint::BigUint;
use portreeve_pkix::{PublicKey, sha256};

use super::residue::{PRIMES, residues};

/// A number of so many bits with both the highest two bits and the lowest bit set, determined by the seed.
pub(crate) fn number(seed: &str, bits: u64) -> BigUint {
    let mut bytes = Vec::new();
    let mut counter = 0_u32;
    while (bytes.len() as u64) * 8 < bits {
        bytes.extend_from_slice(&sha256(format!("{seed}/{counter}").as_bytes()));
        counter += 1;
    }
    let mut number = BigUint::from_bytes_be(&bytes) % (BigUint::from(1_u32) << bits);
    for bit in [bits - 1, bits - 2, 0] {
        number.set_bit(bit, true);
    }
    number
}

/// The next number from here on without small factors, in steps.
pub(crate) fn without_small_factors(mut number: BigUint, step: &BigUint) -> BigUint {
    while residues(&number.to_bytes_be(), &PRIMES).any(|(_, residue)| residue == 0) {
        number += step;
    }
    number
}

/// A stand-in for a prime of so many bits.
pub(crate) fn prime(seed: &str, bits: u64) -> BigUint {
    without_small_factors(number(seed, bits), &BigUint::from(2_u32))
}

/// A modulus of so many bits (an even number) without any of the weaknesses.
pub(crate) fn sound_modulus(seed: &str, bits: u64) -> BigUint {
    prime(&format!("{seed}/p"), bits / 2) * prime(&format!("{seed}/q"), bits / 2)
}

/// A modulus whose factors follow each other.
pub(crate) fn close_modulus(seed: &str, bits: u64) -> BigUint {
    let two = BigUint::from(2_u32);
    let p = prime(seed, bits / 2);
    let q = without_small_factors(&p + &two, &two);
    p * q
}

/// A modulus as the generator of CVE-2017-15361 made them: `k * M + (65537^a mod M)` for both factors.
pub(crate) fn roca_modulus(seed: &str, bits: u64) -> BigUint {
    roca_prime(&format!("{seed}/p"), bits / 2) * roca_prime(&format!("{seed}/q"), bits / 2)
}

fn roca_prime(seed: &str, bits: u64) -> BigUint {
    // M of 1024-bit keys: the first 71 primes. Larger keys have larger products, which this one divides.
    let m: BigUint = PRIMES
        .iter()
        .take(71)
        .map(|prime| BigUint::from(*prime))
        .product();
    let power = BigUint::from(65_537_u32).modpow(&number(seed, 128), &m);
    let k = number(seed, bits) / &m;
    without_small_factors(k * &m + power, &m)
}

/// The key with this modulus and the exponent 65537.
pub(crate) fn rsa(modulus: &BigUint) -> PublicKey {
    PublicKey::from_rsa(&modulus.to_bytes_be(), &[1, 0, 1]).expect("RSA key")
}
