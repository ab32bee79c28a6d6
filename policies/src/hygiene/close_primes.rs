//! Fermat's method: RSA primes that are close to each other.

use num_bigint::BigUint;

use super::residue::modulo;

/// Steps tried; each costs an addition and a look at a few residues. Primes of independent random origin are never
/// within reach of even a trillion.
const STEPS: u32 = 200;
const FILTER_PRIMES: [u32; 9] = [3, 5, 7, 11, 13, 17, 19, 23, 29];
const FILTER: u32 = 3_234_846_615;

/// Whether the odd modulus splits as `(a - b) * (a + b)` with `a` within the first steps above its square root.
pub(super) fn factor(modulus: &[u8]) -> bool {
    let n = BigUint::from_bytes_be(modulus);
    let mut a = n.sqrt();
    if &a * &a < n {
        a += 1_u32;
    }
    let mut b_squared = &a * &a - &n;
    for _ in 0..STEPS {
        if is_square(&b_squared) {
            return true;
        }
        b_squared += (&a << 1_u32) + 1_u32;
        a += 1_u32;
    }
    false
}

fn is_square(number: &BigUint) -> bool {
    if !may_be_square(number) {
        return false;
    }
    let root = number.sqrt();
    &root * &root == *number
}

/// False for all but a few in ten thousand numbers that are no squares, so that roots are hardly ever taken.
fn may_be_square(number: &BigUint) -> bool {
    let low = number.iter_u32_digits().next().unwrap_or(0) % 64;
    if !(0..32).any(|root: u32| root * root % 64 == low) {
        return false;
    }
    let residue = modulo(number.iter_u32_digits().rev(), FILTER);
    FILTER_PRIMES
        .iter()
        .all(|prime| (0..=prime / 2).any(|root| root * root % prime == residue % prime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squares_pass_the_filter() {
        assert_eq!(FILTER_PRIMES.iter().product::<u32>(), FILTER);
        for root in 0..2_000_u32 {
            let root = BigUint::from(root) * 1_000_003_u32;
            assert!(is_square(&(&root * &root)), "{root}");
            assert!(!is_square(&(&root * &root + 2_u32)), "{root}");
        }
        let passing = (0..100_000_u32)
            .filter(|n| may_be_square(&BigUint::from(*n)))
            .count();
        assert!(passing < 500, "{passing}");
    }
}
