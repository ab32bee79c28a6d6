//! Pure protocol envelopes: JOSE for ACME.
//!
//! No I/O, no policy, no state: bytes in, a verified or refused envelope out. What a signature means is for the edge and
//! the registration authority to say.

pub mod jose;
