//! PKIX types: certificates, requests, names, extensions; parse, compare, encode.
//!
//! Everything received from a peer enters through a `from_der` or `parse` of this crate and leaves as a type that
//! cannot hold what the rest of the gateway must not see: names are checked, points lie on their curve, counts and
//! sizes are bounded. Received bytes are kept beside the typed view, so signatures are always checked over what was
//! received and never over something encoded again.
//!
//! The reader in [`der`] is strict and linear: a scan of the whole input (lengths, depth, element count) comes before
//! any typed decoding, so the cost of malformed input is bounded by its size. No code here performs I/O or panics.

pub mod ber;
pub mod bundle;
pub mod certificate;
pub mod chain;
pub mod decode;
pub mod der;
pub mod digest;
pub mod dn;
pub mod dns;
pub mod duration;
pub mod encode;
pub mod error;
pub mod extension;
pub mod key;
pub mod key_pair;
pub mod mac;
pub mod names;
pub mod oid;
pub mod pem;
pub mod renewal;
pub mod request;
pub mod secret;
pub mod serial;
pub mod signature;
pub mod signed;
mod text;
pub mod time;

pub use certificate::Certificate;
pub use chain::{IssuerChain, PathError};
pub use digest::sha256;
pub use dn::{Attribute, DistinguishedName};
pub use dns::{DnsName, DnsNameError};
pub use error::{DecodeError, Flaw};
pub use extension::{BasicConstraints, Extension, KeyUsage};
pub use key::{KeyAlgorithm, PublicKey};
pub use key_pair::{KeyPair, KeyPairError};
pub use mac::{BadMac, MacAlgorithm};
pub use names::{GeneralName, Identifier};
pub use oid::Oid;
pub use renewal::{same_names, same_subject};
pub use request::{Capability, CertificationRequest, ChangeSubjectName, PossessionError, RequestAttribute};
pub use secret::Secret;
pub use serial::SerialNumber;
pub use signature::{BadSignature, SignatureAlgorithm};
pub use time::Timestamp;
