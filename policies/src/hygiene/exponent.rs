//! The public exponent of an RSA key.

/// Exactly 65537: small exponents break with bad padding, and others occur in faulty or contrived keys only.
pub(super) fn is_allowed(exponent: &[u8]) -> bool {
    exponent == [1, 0, 1]
}
