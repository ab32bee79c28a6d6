//! JSON Web Signatures as ACME uses them (RFC 7515, RFC 8555 section 6.2).
//!
//! Only the flattened JSON form with a protected header is read. Every ambiguity two parsers could read differently is
//! refused: members that occur twice, base64url with padding or loose bits, unprotected headers, several signatures.
//! Whether nonce, URL and account are right is the edge's to judge; whether a key is strong enough is policy's.

mod algorithm;
mod base64url;
mod error;
mod jwk;
mod jws;
mod sign;
pub mod strict_json;

pub use algorithm::Algorithm;
pub use error::{JoseError, JwkFlaw};
pub use jwk::Jwk;
pub use jws::{BODY_BYTES_MAX, Jws, ProtectedHeader};
pub use sign::{SigningError, SigningKey, sign};
