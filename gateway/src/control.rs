//! The control socket: the operator API for whoever may use the host's Unix socket.

mod client;
mod place;
mod serve;

pub use client::{ClientError, ControlClient};
pub use place::{PATH_BYTES_MAX, socket_for};
pub use serve::{ControlError, ControlSocket};
