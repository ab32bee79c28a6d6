//! Logs: one event per decision, to the standard error stream.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, TelemetrySection};

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter is not one.
    #[error("telemetry.log_filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Logging was started before.
    #[error("logging was started before: {0}")]
    Started(#[from] tracing_subscriber::util::TryInitError),
}

/// Starts logging for the whole process.
pub fn start_logs(section: &TelemetrySection) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&section.log_filter)?;
    // A log that cannot be written, for example on a full disk, is lost: told on standard error, as is usual, it would
    // end the task that logs.
    let builder = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .log_internal_errors(false);
    match section.log_format {
        LogFormat::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .finish()
            .try_init()?,
        LogFormat::Pretty => builder.with_ansi(colours()).compact().finish().try_init()?,
    }
    Ok(())
}

fn colours() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) && std::io::stderr().is_terminal()
}
