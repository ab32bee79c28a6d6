//! What may be lost: wake-ups, news of proposals, rate limits and heartbeats, by Redis or in process for one node; and
//! the clock, the chance and the tasks of a real process. The README has names, caps and what is lost when.

mod heads;
mod limits;
mod nodes;
mod polling;
mod redis;
mod runtime;
mod wakeups;

pub use crate::redis::{
    LinkState, REDIS_VERSION_MIN, RedisDetails, RedisError, RedisExamination, RedisNodes, RedisQueue,
    RedisRateLimiter, RedisServer, RedisSetupError, RedisStatistics, RedisTarget, RedisTlsError,
    RedisTlsFiles, RedisUrlError, RedisWakeups,
};
pub use heads::{FileHeads, HeadsError};
pub use limits::LocalRateLimiter;
pub use nodes::{NodeReport, Nodes, OnlyNode};
pub use runtime::{SystemClock, SystemRandom, TokioSpawn};
pub use wakeups::LocalWakeups;
