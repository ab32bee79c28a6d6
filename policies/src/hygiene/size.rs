//! The size of an RSA modulus.

use portreeve_pkix::key::RSA_BITS_MAX;

const BITS_MIN: u32 = 2048;

/// At least 2048 bits, at most 8192, and a multiple of 8: no generator in use makes other sizes, and an odd one is
/// a sign of a modulus that was not made by one.
pub(super) const fn is_allowed(bits: u32) -> bool {
    BITS_MIN <= bits && bits <= RSA_BITS_MAX && bits.is_multiple_of(8)
}
