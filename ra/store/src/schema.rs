//! What a database has of the schema, and whether this program may go on from there. The same on either engine.

use portreeve_pkix::digest::sha256;

use crate::error::OpenError;

/// One step of the schema. One that has been released is never edited.
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

impl Migration {
    pub(crate) fn digest(&self) -> [u8; 32] {
        sha256(self.sql.as_bytes())
    }
}

/// What a database has of the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SchemaStatus {
    /// Nothing: no database, or one without a table.
    Empty,
    /// All of it.
    Current {
        /// The version.
        version: u32,
    },
    /// The first part of it.
    Pending {
        /// The version found.
        found: u32,
        /// The version this program needs.
        known: u32,
    },
    /// More than this program knows.
    Newer {
        /// The version found.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Something else.
    Foreign {
        /// How that shows.
        reason: &'static str,
    },
    /// A migration that was applied differs from the one this program has.
    Altered {
        /// Which.
        version: u32,
    },
}

/// What a migration run did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The version before; 0 for an empty database.
    pub from: u32,
    /// The version now.
    pub to: u32,
}

/// The newest version in a list of migrations; the first has number 1.
pub(crate) fn known(migrations: &[Migration]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

impl SchemaStatus {
    /// Compares what was applied, by version, with what this program has.
    pub(crate) fn of(applied: &[(u32, Vec<u8>)], migrations: &[Migration]) -> Self {
        let known = known(migrations);
        let found = applied.last().map_or(0, |(version, _)| *version);
        if found > known {
            return Self::Newer { found, known };
        }
        for (expected, (migration, (version, digest))) in (1_u32..).zip(migrations.iter().zip(applied)) {
            if *version != expected || *digest != migration.digest() {
                return Self::Altered { version: expected };
            }
        }
        if found < known {
            return Self::Pending { found, known };
        }
        Self::Current { version: found }
    }

    /// The version to migrate from, if this program may write to the database at all.
    pub(crate) fn version(&self) -> Result<u32, OpenError> {
        match *self {
            Self::Empty => Ok(0),
            Self::Current { version } | Self::Pending { found: version, .. } => Ok(version),
            Self::Newer { found, known } => Err(OpenError::Newer { found, known }),
            Self::Foreign { reason } => Err(OpenError::Foreign { reason }),
            Self::Altered { version } => Err(OpenError::Altered { version }),
        }
    }
}
