//! The control socket: the operator API for whoever may use the host's Unix socket; and the client of the API, there and
//! elsewhere.

mod client;
mod https;
mod place;
mod serve;

pub use client::{ClientError, ControlClient, Done, OnlyIf};
pub use https::{HttpsCredential, HttpsOptions};
pub use place::{PATH_BYTES_MAX, socket_for};
pub use serve::{ControlError, ControlSocket};
