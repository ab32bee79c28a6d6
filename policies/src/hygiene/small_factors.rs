//! RSA moduli with a small factor.

use super::residue::{PRIMES, residues};

/// Whether a prime below 752 divides the modulus, as the Baseline Requirements (section 6.1.6) ask to be tested.
pub(super) fn found_in(modulus: &[u8]) -> bool {
    residues(modulus, &PRIMES).any(|(_, residue)| residue == 0)
}
