//! Logs and metrics.

mod logs;
mod metrics;
mod process;

pub use logs::{LogError, start_logs};
pub use metrics::{GatewayMetrics, Scrape};
pub use process::ProcessUsage;
