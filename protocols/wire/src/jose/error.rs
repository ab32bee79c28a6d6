//! Why an envelope was refused.

use portreeve_pkix::DecodeError;

/// Why a JWS was refused; each variant is one answer of the protocol.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// The body is larger than is accepted. ACME: `malformed`.
    #[error("body larger than {limit} bytes")]
    TooLarge {
        /// The most bytes accepted.
        limit: usize,
    },
    /// The envelope or its header does not have the required form. ACME: `malformed`.
    #[error("malformed JWS: {0}")]
    Malformed(&'static str),
    /// The algorithm is not one that is accepted here. ACME: `badSignatureAlgorithm`.
    #[error("signature algorithm {0:?} is not accepted")]
    UnsupportedAlgorithm(String),
    /// The algorithm cannot be used with this key. ACME: `malformed`.
    #[error("signature algorithm does not fit the key")]
    AlgorithmMismatch,
    /// The `jwk` is not a usable public key. ACME: `badPublicKey`.
    #[error("public key refused: {0}")]
    BadPublicKey(#[source] JwkFlaw),
    /// The signature does not verify. ACME: `malformed`.
    #[error("signature does not verify")]
    BadSignature,
}

/// What is wrong with a JSON Web Key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkFlaw {
    /// The key is not a JSON object.
    #[error("not a JSON object")]
    NotAnObject,
    /// A required member is absent or no string.
    #[error("member {0:?} is missing or no string")]
    Member(&'static str),
    /// A member is not canonical base64url, or has the wrong length.
    #[error("member {0:?} has the wrong form or length")]
    Encoding(&'static str),
    /// Key type or curve that is not supported.
    #[error("unsupported key type or curve")]
    Unsupported,
    /// The key contains private parts, which must never be sent.
    #[error("contains private key material")]
    Private,
    /// The numbers make no key: a point off its curve, a modulus beyond the limit.
    #[error("{0}")]
    Key(#[from] DecodeError),
}
