//! `telemetry`: logs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Logs. They go to the standard error stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySection {
    /// One JSON object per line, or lines for people.
    pub log_format: LogFormat,
    /// What is logged: a level, or `target=level` pairs separated by commas.
    pub log_filter: String,
}

/// The form of a log line.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object.
    #[default]
    Json,
    /// For people.
    Pretty,
}

impl Default for TelemetrySection {
    fn default() -> Self {
        Self {
            log_format: LogFormat::default(),
            log_filter: "info".to_owned(),
        }
    }
}

impl TelemetrySection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        tracing_subscriber::EnvFilter::try_new(&self.log_filter)
            .map(|_| ())
            .map_err(|error| invalid("telemetry.log_filter", error.to_string()))
    }
}
