//! Pure protocol envelopes: JOSE for ACME, CMS, the bodies of EST.
//!
//! No I/O, no policy, no state: bytes in, a verified or refused envelope out. What a signature means is for the edge and
//! the registration authority to say.

pub mod cms;
pub mod est;
pub mod jose;
