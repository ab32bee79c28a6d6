//! Programs as processes: started on free ports with temporary folders, watched, and stopped by their own id.

mod command;
mod gateway;
mod logged;
mod node;
mod ports;
mod wait;

pub use command::{Finished, Running, attempt, background, succeed};
pub use gateway::{DevOptions, Gateway, default_binary};
pub use node::{Node, portreeve};
pub use ports::free_port;
pub use wait::until;
