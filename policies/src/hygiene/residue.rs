//! Residues of a large number modulo small primes.

/// The odd primes below 752 and 2, ascending.
pub(super) const PRIMES: [u32; 133] = primes();

const fn primes() -> [u32; 133] {
    let mut out = [0; 133];
    let mut found = 0;
    let mut candidate = 2;
    while found < out.len() {
        let mut divisor = 2;
        while divisor * divisor <= candidate && candidate % divisor != 0 {
            divisor += 1;
        }
        if divisor * divisor > candidate {
            // In a constant an index out of bounds would not compile.
            #[allow(clippy::indexing_slicing)]
            {
                out[found] = candidate;
            }
            found += 1;
        }
        candidate += 1;
    }
    out
}

/// The number, as 32-bit words from the most significant one, modulo `m`.
pub(super) fn modulo(words: impl Iterator<Item = u32>, m: u32) -> u32 {
    let m = u64::from(m.max(1));
    let residue = words.fold(0_u64, |residue, word| ((residue << 32) | u64::from(word)) % m);
    // Smaller than m, which came from 32 bits.
    u32::try_from(residue).unwrap_or(u32::MAX)
}

/// The big-endian number as 32-bit words.
pub(super) fn words(number: &[u8]) -> impl Iterator<Item = u32> + '_ {
    let (head, tail) = number.split_at(number.len() % 4);
    let first = head.iter().fold(0, |word, byte| (word << 8) | u32::from(*byte));
    let (quads, _) = tail.as_chunks::<4>();
    std::iter::once(first).chain(quads.iter().map(|quad| u32::from_be_bytes(*quad)))
}

/// The primes with the residues of the number. Three primes share one pass over the number, for the product of
/// three primes below 752 fits into 32 bits.
pub(super) fn residues<'a>(number: &'a [u8], primes: &'a [u32]) -> impl Iterator<Item = (u32, u32)> + 'a {
    primes.chunks(3).flat_map(move |group| {
        let shared = modulo(words(number), group.iter().product());
        group.iter().map(move |prime| (*prime, shared % prime))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    #[test]
    fn primes_are_the_primes_below_752() {
        let sieved: Vec<u32> = (2..752).filter(|n| (2..*n).all(|d| n % d != 0)).collect();
        assert_eq!(PRIMES.to_vec(), sieved);
    }

    proptest! {
        #[test]
        fn agrees_with_long_division(number in proptest::collection::vec(any::<u8>(), 0..70)) {
            let big = BigUint::from_bytes_be(&number);
            for (prime, residue) in residues(&number, &PRIMES) {
                prop_assert_eq!(BigUint::from(residue), &big % prime);
            }
        }
    }
}
