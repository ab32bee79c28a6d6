//! What may be lost: wake-ups and rate limits, here in process for one node; and the clock, the chance and the
//! tasks of a real process.

mod limits;
mod runtime;
mod wakeups;

pub use limits::LocalRateLimiter;
pub use runtime::{SystemClock, SystemRandom, TokioSpawn};
pub use wakeups::LocalWakeups;
