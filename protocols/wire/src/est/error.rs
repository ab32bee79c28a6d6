//! Why a body was refused.

use portreeve_pkix::{DecodeError, Oid};

/// Why a body was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EstError {
    /// The body is empty.
    #[error("body is empty")]
    Empty,
    /// The body is larger than is accepted.
    #[error("body is larger than {limit} bytes")]
    TooLarge {
        /// The most bytes accepted.
        limit: usize,
    },
    /// The body is neither base64 nor PEM nor DER.
    #[error("body is not base64")]
    NotBase64,
    /// The structure inside is wrong.
    #[error("malformed body: {0}")]
    Malformed(#[from] DecodeError),
    /// The parts of an answer are not what they must be.
    #[error("malformed multipart body: {0}")]
    Multipart(&'static str),
    /// Two ways of protecting one key.
    #[error("both a shared key and a public key are named to protect the key")]
    TwoProtections,
    /// The algorithms the requester can use are none that is used here.
    #[error("none of the algorithms for {purpose} that the request names is supported, {first} among them")]
    NoCommonAlgorithm {
        /// What the algorithm is for.
        purpose: &'static str,
        /// The first one that was named.
        first: Oid,
    },
}
