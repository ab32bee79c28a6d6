//! `audit`: where checkpoints of the audit log go.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Span, invalid};

/// The file of checkpoints when none is named.
const CHECKPOINT_FILE: &str = "audit-checkpoints";

/// The sealed audit log: where its signed checkpoints go besides the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuditSection {
    /// The file to which checkpoints are appended; empty: `audit-checkpoints` in the data directory. Keep a copy where who
    /// can write to the database cannot.
    pub checkpoint_file: PathBuf,
    /// Where else checkpoints go, by RFC 5424: `unix:/dev/log` or `udp://HOST:PORT`; empty: nowhere.
    pub syslog: String,
    /// Between two checkpoints, at least. There is one only after something new was sealed.
    pub checkpoint_every: Span,
}

/// Where syslog messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyslogTarget {
    /// A datagram socket of this machine.
    Unix(PathBuf),
    /// A host and port.
    Udp(String),
}

/// A text names no syslog server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be unix:/PATH or udp://HOST:PORT, or empty")]
pub struct BadTarget;

impl FromStr for SyslogTarget {
    type Err = BadTarget;

    fn from_str(text: &str) -> Result<Self, BadTarget> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.starts_with('/') {
                Ok(Self::Unix(path.into()))
            } else {
                Err(BadTarget)
            };
        }
        let address = text.strip_prefix("udp://").ok_or(BadTarget)?;
        let (host, port) = address.rsplit_once(':').ok_or(BadTarget)?;
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        if host.is_empty() || !is_port {
            return Err(BadTarget);
        }
        Ok(Self::Udp(address.to_owned()))
    }
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Udp(address) => write!(f, "udp://{address}"),
        }
    }
}

impl Default for AuditSection {
    fn default() -> Self {
        Self {
            checkpoint_file: PathBuf::new(),
            syslog: String::new(),
            checkpoint_every: Span::seconds(5),
        }
    }
}

impl AuditSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        self.syslog()?;
        if !(Duration::from_secs(1)..=Duration::from_secs(3_600)).contains(&self.checkpoint_every.0) {
            return Err(invalid("audit.checkpoint_every", "must lie between 1s and 1h"));
        }
        Ok(())
    }

    /// The file of checkpoints; a relative path counts from the data directory.
    pub fn checkpoint_file(&self, data_dir: &Path) -> PathBuf {
        if self.checkpoint_file.as_os_str().is_empty() {
            data_dir.join(CHECKPOINT_FILE)
        } else {
            data_dir.join(&self.checkpoint_file)
        }
    }

    /// The syslog server, if there is one.
    pub fn syslog(&self) -> Result<Option<SyslogTarget>, ConfigError> {
        if self.syslog.is_empty() {
            return Ok(None);
        }
        let target = self.syslog.parse();
        target
            .map(Some)
            .map_err(|error: BadTarget| invalid("audit.syslog", error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_servers() {
        let rows = [
            ("unix:/dev/log", true),
            ("udp://syslog.test:514", true),
            ("udp://[::1]:514", true),
            ("unix:dev/log", false),
            ("udp://syslog.test", false),
            ("udp://:514", false),
            ("udp://host:0", false),
            ("tcp://host:514", false),
            ("/dev/log", false),
        ];
        for (text, good) in rows {
            let read = text.parse::<SyslogTarget>();
            assert_eq!(read.is_ok(), good, "{text}");
            if let Ok(target) = read {
                assert_eq!(target.to_string(), text);
            }
        }
    }
}
