//! Tests of public keys for known weaknesses: pure, bounded, without any profile.
//!
//! [`check_key`] serves for keys to be certified and for account keys alike. RSA tests follow the Baseline
//! Requirements (section 6.1.6): size, exponent, small factors; and those for broken generators (section 6.1.1.3):
//! ROCA and close primes. The tests are ordered by cost; the dearest is one integer square root of the modulus.
//!
//! Points that are not on their curve never become a [`PublicKey`]; of Ed25519 the points of small order, under
//! which signatures can be made without a private key, are on the embedded blocklist.

mod blocklist;
mod close_primes;
mod exponent;
mod residue;
mod roca;
mod size;
mod small_factors;

use portreeve_pkix::{KeyAlgorithm, PublicKey};
use portreeve_ra::KeyRejection;

pub use blocklist::{Blocklist, BlocklistError};

/// Refuses keys that anybody could have the private key of.
///
/// Keys of an unsupported algorithm are refused as [`KeyRejection::Algorithm`].
pub fn check_key(key: &PublicKey, blocklist: &Blocklist) -> Result<(), KeyRejection> {
    if key.algorithm() == KeyAlgorithm::Unsupported {
        return Err(KeyRejection::Algorithm(key.algorithm().to_string()));
    }
    if blocklist.contains(key) {
        return Err(KeyRejection::Blocked);
    }
    match key.rsa_components() {
        Some((modulus, exponent)) => check_rsa(key.algorithm(), modulus, exponent),
        None => Ok(()),
    }
}

fn check_rsa(algorithm: KeyAlgorithm, modulus: &[u8], exponent: &[u8]) -> Result<(), KeyRejection> {
    let KeyAlgorithm::Rsa { bits } = algorithm else {
        return Err(KeyRejection::Invalid);
    };
    if !size::is_allowed(bits) {
        return Err(KeyRejection::RsaSize(bits));
    }
    if !exponent::is_allowed(exponent) {
        return Err(KeyRejection::RsaExponent);
    }
    if small_factors::found_in(modulus) {
        return Err(KeyRejection::RsaSmallFactor);
    }
    if roca::marks(modulus) {
        return Err(KeyRejection::RsaRoca);
    }
    if close_primes::factor(modulus) {
        return Err(KeyRejection::RsaClosePrimes);
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod vectors;

#[cfg(test)]
mod tests;
