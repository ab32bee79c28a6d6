//! The fingerprint of CVE-2017-15361 ("Return of Coppersmith's Attack").
//!
//! The faulty generator made primes `k * M + (65537^a mod M)`, where M is the product of the first primes; for every
//! key size M contains all primes up to 167. The modulus is a product of two such primes, so modulo each of those
//! primes it is a power of 65537. Where 65537 generates all of the multiplicative group this says nothing; over all of
//! them another key passes by chance about once in 2^27.

use super::residue::{PRIMES, residues};

/// The primes of M at every key size.
const LARGEST: u32 = 167;
const GENERATOR: u32 = 65_537;

/// Whether the modulus bears the fingerprint.
pub(super) fn marks(modulus: &[u8]) -> bool {
    let end = PRIMES.partition_point(|prime| *prime <= LARGEST);
    let primes = PRIMES.get(..end).unwrap_or_default();
    residues(modulus, primes).all(|(prime, residue)| is_power(residue, prime))
}

/// Whether the residue is a power of the generator; walks the group of at most 166 elements.
fn is_power(residue: u32, prime: u32) -> bool {
    let generator = GENERATOR % prime;
    let mut power = 1;
    loop {
        if power == residue % prime {
            return true;
        }
        power = power * generator % prime;
        if power <= 1 {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_the_generator() {
        // 65537 is 10 modulo 11, of order 2; 4 modulo 13, of order 6; 3 modulo 7, a generator.
        let rows: [(u32, &[u32]); 4] = [
            (11, &[1, 10]),
            (13, &[1, 3, 4, 9, 10, 12]),
            (7, &[1, 2, 3, 4, 5, 6]),
            (2, &[1]),
        ];
        for (prime, expected) in rows {
            let powers: Vec<u32> = (0..prime).filter(|residue| is_power(*residue, prime)).collect();
            assert_eq!(powers, expected, "{prime}");
        }
    }

    #[test]
    fn chance_is_small() {
        let end = PRIMES.partition_point(|prime| *prime <= LARGEST);
        let chance: f64 = PRIMES[1..end]
            .iter()
            .map(|prime| (1..*prime).filter(|r| is_power(*r, *prime)).count() as f64 / f64::from(prime - 1))
            .product();
        assert!(chance < 2f64.powi(-27), "{}", chance.log2());
    }
}
