//! Which installation a database belongs to, and what it is opened for. The same on either engine.

use std::sync::Arc;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Clock, Random, StoreError};

use crate::row::{Columns, octets, time};

/// What a database is opened for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum MadeBy {
    /// `portreeve dev`.
    Dev,
    /// `portreeve serve`.
    Serve,
}

impl MadeBy {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Serve => "serve",
        }
    }

    pub(crate) fn from_stored(word: &str) -> Result<Self, StoreError> {
        match word {
            "dev" => Ok(Self::Dev),
            "serve" => Ok(Self::Serve),
            _ => Err(StoreError::Broken("unknown maker of the installation".to_owned())),
        }
    }
}

/// What to do when migrations wait to be applied.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum PendingMigrations {
    /// Do not open.
    Refuse,
    /// Apply them.
    Apply,
}

/// How to open a database.
#[derive(Clone)]
pub struct Options {
    /// What a new installation is marked with.
    pub made_by: MadeBy,
    /// What to do when migrations wait to be applied. An empty database counts as one.
    pub pending: PendingMigrations,
    /// The time of a store on SQLite, which is this process's own. PostgreSQL goes by the database's clock.
    pub clock: Arc<dyn Clock>,
    /// Where the id of a new installation comes from.
    pub random: Arc<dyn Random>,
}

/// Which installation a database belongs to; fixed when it was first opened.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Installation {
    /// A UUIDv7.
    pub id: [u8; 16],
    /// By which command it was made.
    pub made_by: MadeBy,
    /// When.
    pub created_at: Timestamp,
}

impl Installation {
    /// A row of `id, made_by, created_at`; the caller has read the second column.
    pub(crate) fn from_row(row: &impl Columns, made_by: &str) -> Result<Self, StoreError> {
        Ok(Self {
            id: octets(row, 0)?,
            made_by: MadeBy::from_stored(made_by)?,
            created_at: time(row, 2)?,
        })
    }

    /// The id of a new installation.
    pub(crate) fn new_id(now: Timestamp, random: &dyn Random) -> [u8; 16] {
        let mut chance = [0; 10];
        random.fill(&mut chance);
        let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &chance);
        id.into_uuid().into_bytes()
    }
}
