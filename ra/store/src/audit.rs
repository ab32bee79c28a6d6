//! The audit log of a store that may be in use, for whoever verifies it: nothing is written, no lock is taken.

use std::sync::Arc;

use portreeve_ra::ports::{AuditLog, StoreError};

use crate::error::OpenError;
use crate::open::StoreUrl;
use crate::postgres::database as postgres;
use crate::row::{column, octets};
use crate::schema::SchemaStatus;
use crate::sqlite;

/// The raw value that is the wrapped keyset.
pub(crate) const KEYSET: &str = "keyset";

/// What is needed to verify an audit log: the log, the wrapped keyset, and which installation it is.
pub struct AuditDatabase {
    /// The log.
    pub log: Arc<dyn AuditLog>,
    /// The wrapped keyset, which has the public keys.
    pub keyset: Vec<u8>,
    /// The installation's id.
    pub installation: [u8; 16],
}

impl StoreUrl {
    /// Opens the audit log to read it. The store must have the present schema.
    pub async fn audit(&self) -> Result<AuditDatabase, OpenError> {
        match self.status().await? {
            SchemaStatus::Current { .. } => {}
            SchemaStatus::Pending { found, known } => return Err(OpenError::Pending { found, known }),
            other => return Err(not_ours(other)),
        }
        match self {
            Self::Sqlite(directory) => {
                let readers = sqlite::audit_reader(directory).await?;
                let value = sqlx::query(sqlite::READ_VALUE).bind(KEYSET);
                let keyset = readers.row(value).await?.map(|row| column(&row, 0)).transpose()?;
                let row = readers.row(sqlx::query("SELECT id FROM installation")).await?;
                Ok(AuditDatabase {
                    log: Arc::new(readers),
                    keyset: keyset.ok_or_else(absent)?,
                    installation: octets(&row.ok_or_else(absent)?, 0)?,
                })
            }
            Self::Postgres(url) => postgres::audit(url).await,
        }
    }
}

fn not_ours(status: SchemaStatus) -> OpenError {
    match status.version() {
        Err(error) => error,
        Ok(_) => absent().into(),
    }
}

/// The store holds no installation.
pub(crate) fn absent() -> StoreError {
    StoreError::Broken("it holds no installation".to_owned())
}
