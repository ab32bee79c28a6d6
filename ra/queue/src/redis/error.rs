//! Why Redis does not do what is asked.

use std::time::Duration;

use redis::{ErrorKind, ServerErrorKind};

use super::target::RedisTarget;

/// Why Redis does not do what is asked. No text holds a credential.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RedisError {
    /// No connection at the moment; one is being tried for.
    #[error("there is no connection")]
    Disconnected,
    /// It cannot be reached, or the connection broke.
    #[error("{target}: {reason}")]
    Connection {
        /// Where.
        target: String,
        /// What the system or TLS said.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer within {} ms", .0.as_millis())]
    Late(Duration),
    /// User or password.
    #[error("{target}: user or password is not accepted: look at redis.url")]
    Credentials {
        /// Where.
        target: String,
    },
    /// The user may not do this.
    #[error("the Redis user may not: {0}")]
    Denied(String),
    /// The server refuses a command.
    #[error("Redis refuses: {0}")]
    Refused(String),
    /// The answer has another form than Redis gives.
    #[error("the answer cannot be understood")]
    Answer,
}

impl RedisError {
    /// An error of the client library at this server, without what a server may have repeated of a command.
    pub(crate) fn of(target: &RedisTarget, error: &redis::RedisError) -> Self {
        match error.kind() {
            ErrorKind::AuthenticationFailed => Self::credentials(target),
            ErrorKind::Io => Self::Connection {
                target: target.to_string(),
                reason: error.to_string(),
            },
            ErrorKind::Server(ServerErrorKind::NoPerm) => Self::Denied(words(error.detail())),
            ErrorKind::Server(_) | ErrorKind::Extension => match error.code() {
                Some("WRONGPASS" | "NOAUTH") => Self::credentials(target),
                code => Self::Refused(format!("{} {}", code.unwrap_or("ERR"), words(error.detail()))),
            },
            _ => Self::Answer,
        }
    }

    /// Another error at this server.
    pub(crate) fn connection(target: &RedisTarget, reason: impl ToString) -> Self {
        Self::Connection {
            target: target.to_string(),
            reason: reason.to_string(),
        }
    }

    fn credentials(target: &RedisTarget) -> Self {
        Self::Credentials {
            target: target.to_string(),
        }
    }

    /// Whether the connection can be used no more.
    pub(crate) const fn breaks(&self) -> bool {
        match self {
            Self::Connection { .. } | Self::Late(_) | Self::Answer | Self::Credentials { .. } => true,
            Self::Disconnected | Self::Denied(_) | Self::Refused(_) => false,
        }
    }
}

/// The beginning of what a server says, on one line.
fn words(detail: Option<&str>) -> String {
    let detail = detail.unwrap_or("no reason given");
    detail.chars().filter(|c| !c.is_control()).take(200).collect()
}
