//! The bodies of EST (RFC 7030, RFC 8951, RFC 9908).
//!
//! - [`body`]: base64 as it stands in requests and answers.
//! - [`CsrAttributes`]: what `/csrattrs` says; [`Requirements`] is where it comes from.
//! - [`KeyProtection`] and [`Preferences`]: how a key made by the server is to reach its owner; [`protected_key`] carries it.
//! - [`multipart`]: the two parts of an answer to `/serverkeygen`.
//!
//! Certificates themselves travel as [`certs_only`](crate::cms::certs_only).

pub mod body;
mod csr_attributes;
mod error;
mod key_protection;
pub mod multipart;
pub mod protected_key;
mod requirements;
mod template;

pub use csr_attributes::{CSR_ATTRIBUTES_BYTES_MAX, CsrAttribute, CsrAttributes};
pub use error::EstError;
pub use key_protection::{KeyProtection, Preferences};
pub use requirements::{ExtensionRequirement, KeyRequirement, Linking, Requirements, SubjectRequirement};
pub use template::RequestTemplate;
