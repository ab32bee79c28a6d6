//! What an error of SQLite means.

use std::time::Duration;

use portreeve_ra::ports::StoreError;

use crate::error::OpenError;

/// When to come back after the storage failed.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// What an error of SQLite means for the statement and the transaction it was in.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A uniqueness or another constraint stood in the way; the transaction goes on.
    Constraint(String),
    /// The statement is wrong or a value cannot be read; the transaction goes on.
    Broken(String),
    /// Full, failing or busy: the transaction is lost.
    Storage(String),
    /// The file is damaged: the transaction is lost and waiting does not help.
    Damaged(String),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        let reason = error.to_string();
        match &error {
            sqlx::Error::Database(database) => Self::from_code(database.code().as_deref(), reason),
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Self::Storage(reason),
            _ => Self::Broken(reason),
        }
    }
}

impl Failure {
    /// By extended result code (<https://sqlite.org/rescode.html>); its low octet is the primary one.
    fn from_code(code: Option<&str>, reason: String) -> Self {
        const CONSTRAINT: u32 = 19;
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL
        const STORAGE: [u32; 9] = [5, 6, 7, 8, 9, 10, 13, 14, 15];
        // CORRUPT, NOTADB
        const DAMAGED: [u32; 2] = [11, 26];
        match code
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff)
        {
            Some(CONSTRAINT) => Self::Constraint(reason),
            Some(code) if STORAGE.contains(&code) => Self::Storage(reason),
            Some(code) if DAMAGED.contains(&code) => Self::Damaged(reason),
            _ => Self::Broken(reason),
        }
    }

    /// Whether the transaction is over.
    pub(crate) const fn ends_transaction(&self) -> bool {
        matches!(self, Self::Storage(_) | Self::Damaged(_))
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Storage(_) => Self::Unavailable {
                retry_after: RETRY_AFTER,
            },
            Failure::Constraint(reason) | Failure::Broken(reason) | Failure::Damaged(reason) => {
                Self::Broken(reason)
            }
        }
    }
}

/// The store's answer to an error while reading. Storage failures are logged here, since the answer hides them.
pub(crate) fn reading(error: sqlx::Error) -> StoreError {
    let failure = Failure::from(error);
    if let Failure::Storage(reason) | Failure::Damaged(reason) = &failure {
        tracing::warn!(reason, "store cannot read");
    }
    failure.into()
}

/// The answer to an error of the first look at a file.
pub(crate) fn opening(error: sqlx::Error) -> OpenError {
    match Failure::from(error) {
        Failure::Damaged(_) => OpenError::Foreign {
            reason: "the file is damaged, or is not a database",
        },
        failure => OpenError::Store(failure.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_codes() {
        let rows = [
            ("full", "13", "storage"),
            ("failed write", "778", "storage"),
            ("failed sync", "1034", "storage"),
            ("busy", "5", "storage"),
            ("read-only file system", "8", "storage"),
            ("unique", "2067", "constraint"),
            ("primary key", "1555", "constraint"),
            ("no such table", "1", "broken"),
            ("corrupt", "11", "damaged"),
            ("not a database", "26", "damaged"),
            ("no code", "", "broken"),
        ];
        for (name, code, expected) in rows {
            let found = match Failure::from_code(Some(code), String::new()) {
                Failure::Constraint(_) => "constraint",
                Failure::Broken(_) => "broken",
                Failure::Storage(_) => "storage",
                Failure::Damaged(_) => "damaged",
            };
            assert_eq!(found, expected, "{name}");
        }
    }
}
