//! What an error of PostgreSQL means.

use std::time::Duration;

use portreeve_ra::ports::StoreError;
use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::error::OpenError;

/// When to come back after the database was lost or had no room.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(2);

/// What an error means for the statement and for the connection it was sent on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A part of a commit met a conflict; code and place are those of the function that says so.
    Conflict {
        /// Which part.
        code: String,
        /// Which item of that part, from 1.
        place: usize,
    },
    /// Two transactions stood in each other's way: nothing was written, and it may be tried again.
    Tangled(String),
    /// The server has no time or room, or may not write: the connection is good.
    Busy(String),
    /// The connection is lost; whether what was sent took effect is not known.
    Lost(String),
    /// The statement is wrong, not allowed, or a value cannot be read.
    Broken(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(database) => match database.try_downcast_ref::<PgDatabaseError>() {
                Some(postgres) => Self::from_server(postgres),
                None => Self::Broken(error.to_string()),
            },
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Lost(error.to_string()),
            _ => Self::Broken(error.to_string()),
        }
    }
}

impl Failure {
    fn from_server(error: &PgDatabaseError) -> Self {
        let code = error.code();
        if code.starts_with("PV") {
            let place = error.detail().and_then(|place| place.parse().ok());
            return Self::Conflict {
                code: code.to_owned(),
                place: place.unwrap_or(0),
            };
        }
        let ended = matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
        Self::from_code(code, ended, format!("{} ({code})", error.message()))
    }

    /// By SQLSTATE (<https://www.postgresql.org/docs/current/errcodes-appendix.html>).
    fn from_code(code: &str, ended: bool, reason: String) -> Self {
        match code {
            // serialization_failure, deadlock_detected
            "40001" | "40P01" => Self::Tangled(reason),
            // read_only_sql_transaction: the host is no longer the one that is written to
            "25006" => Self::Lost(reason),
            // lock_not_available, query_canceled by a timeout
            "55P03" | "57014" => Self::Busy(reason),
            // connection exceptions; shutdown, crash, not yet up, idle for too long
            _ if code.starts_with("08") || code.starts_with("57P") => Self::Lost(reason),
            // idle_in_transaction_session_timeout and its like
            "25P03" | "25P04" => Self::Lost(reason),
            // Whatever else ended the session: a password that is no longer right, a database that is gone.
            _ if ended => Self::Lost(reason),
            // insufficient resources (disk, memory), errors of the system
            _ if code.starts_with("53") || code.starts_with("58") => Self::Busy(reason),
            _ => Self::Broken(reason),
        }
    }

    /// Whether the connection must not be used again.
    pub(crate) const fn ends_connection(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Lost(_) | Failure::Busy(_) | Failure::Tangled(_) => Self::Unavailable {
                retry_after: RETRY_AFTER,
            },
            Failure::Broken(reason) => Self::Broken(reason),
            Failure::Conflict { code, place } => Self::Broken(format!("conflict {code} at {place}")),
        }
    }
}

/// The answer to a failure while a store is opened: words, since there is nobody yet to come back.
pub(crate) fn opening(failure: Failure) -> OpenError {
    match failure {
        Failure::Lost(reason) | Failure::Busy(reason) | Failure::Tangled(reason) => {
            OpenError::Unreachable { reason }
        }
        broken => OpenError::Store(broken.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        let rows = [
            ("deadlock", "40P01", false, "tangled"),
            ("serialization", "40001", false, "tangled"),
            ("shut down", "57P01", true, "lost"),
            ("crash of another process", "57P02", true, "lost"),
            ("starting up", "57P03", true, "lost"),
            ("connection failure", "08006", true, "lost"),
            ("standby", "25006", false, "lost"),
            ("too many connections", "53300", true, "lost"),
            ("disk full", "53100", false, "busy"),
            ("input or output error", "58030", false, "busy"),
            ("statement timeout", "57014", false, "busy"),
            ("lock timeout", "55P03", false, "busy"),
            ("password", "28P01", true, "lost"),
            ("not allowed", "42501", false, "broken"),
            ("unique", "23505", false, "broken"),
            ("no such table", "42P01", false, "broken"),
        ];
        for (name, code, ended, expected) in rows {
            let found = match Failure::from_code(code, ended, String::new()) {
                Failure::Conflict { .. } => "conflict",
                Failure::Tangled(_) => "tangled",
                Failure::Busy(_) => "busy",
                Failure::Lost(_) => "lost",
                Failure::Broken(_) => "broken",
            };
            assert_eq!(found, expected, "{name}");
        }
    }
}
