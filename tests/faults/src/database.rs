//! The gateway's database in the hands of somebody who may read and write it, and has none of the keys.

use std::path::Path;

use portreeve_pkix::Timestamp;
use portreeve_ra::{
    EnrollmentId, Event, Incident, IncidentEvent, Record, StoredRecord, StreamId, StreamKind,
};
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{Connection, Row, SqliteConnection};

use crate::FaultError;
use crate::site::files;

const RECORDS: &str = "SELECT header, payload_digest, salt, payload, key, signature FROM record";

/// The database of a gateway, running or not.
pub struct Database(SqliteConnection);

impl Database {
    /// Opens the database below a data directory.
    pub async fn open(data_dir: &Path) -> Result<Self, FaultError> {
        let absent = || FaultError::Absent("database".to_owned());
        let file = files(data_dir, "portreeve.db")?.pop().ok_or_else(absent)?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .busy_timeout(std::time::Duration::from_secs(60));
        Ok(Self(SqliteConnection::connect_with(&options).await?))
    }

    /// Closes it, and with it the files that SQLite keeps beside an open database.
    pub async fn close(self) -> Result<(), FaultError> {
        Ok(self.0.close().await?)
    }

    /// Every record, in the order of their commits.
    pub async fn records(&mut self) -> Result<Vec<Record>, FaultError> {
        let rows = sqlx::query(sqlx::AssertSqlSafe(format!("{RECORDS} ORDER BY sequence")))
            .fetch_all(&mut self.0)
            .await?;
        rows.iter().map(record).collect()
    }

    /// The records of one stream.
    pub async fn stream(&mut self, stream: StreamId) -> Result<Vec<Record>, FaultError> {
        let sql = format!("{RECORDS} WHERE kind = ? AND stream = ? ORDER BY position");
        let query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(stream.kind.number()))
            .bind(stream.id.to_vec());
        query.fetch_all(&mut self.0).await?.iter().map(record).collect()
    }

    /// Which leaf of the audit log a record is.
    pub async fn leaf_of(&mut self, stream: StreamId, position: u32) -> Result<u64, FaultError> {
        let query = sqlx::query("SELECT leaf FROM audit_leaf WHERE kind = ? AND stream = ? AND position = ?")
            .bind(i64::from(stream.kind.number()))
            .bind(stream.id.to_vec())
            .bind(position);
        let leaf: i64 = query.fetch_one(&mut self.0).await?.try_get(0)?;
        u64::try_from(leaf).map_err(|_| FaultError::Unreadable("leaf"))
    }

    /// Adds a record, whatever it says.
    pub async fn insert(&mut self, record: &Record) -> Result<(), FaultError> {
        let (header, stored) = (record.header(), record.to_stored());
        sqlx::query(
            "INSERT INTO record (kind, stream, position, header, payload_digest, salt, payload, key, signature) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(i64::from(header.stream.kind.number()))
        .bind(header.stream.id.to_vec())
        .bind(i64::try_from(header.position).unwrap_or(i64::MAX))
        .bind(stored.header)
        .bind(stored.payload_digest)
        .bind(stored.salt)
        .bind(stored.payload)
        .bind(stored.key)
        .bind(stored.signature)
        .execute(&mut self.0)
        .await?;
        Ok(())
    }

    /// Replaces the payload of a record and the digest of it.
    pub async fn rewrite(
        &mut self,
        record: &Record,
        payload: &[u8],
        digest: &[u8],
    ) -> Result<(), FaultError> {
        let header = record.header();
        sqlx::query("UPDATE record SET payload = ?, payload_digest = ? WHERE kind = ? AND stream = ? AND position = ?")
            .bind(payload.to_vec())
            .bind(digest.to_vec())
            .bind(i64::from(header.stream.kind.number()))
            .bind(header.stream.id.to_vec())
            .bind(i64::try_from(header.position).unwrap_or(i64::MAX))
            .execute(&mut self.0)
            .await?;
        Ok(())
    }

    /// Removes what happened after a position of a stream.
    pub async fn cut_after(&mut self, stream: StreamId, position: u32) -> Result<(), FaultError> {
        sqlx::query("DELETE FROM record WHERE kind = ? AND stream = ? AND position > ?")
            .bind(i64::from(stream.kind.number()))
            .bind(stream.id.to_vec())
            .bind(position)
            .execute(&mut self.0)
            .await?;
        sqlx::query("DELETE FROM certificate WHERE enrollment = ?")
            .bind(stream.id.to_vec())
            .execute(&mut self.0)
            .await?;
        Ok(())
    }

    /// Adds background work on an enrollment that is due now.
    pub async fn add_task(&mut self, enrollment: StreamId) -> Result<(), FaultError> {
        let mut id = [0; 16];
        aws_lc_rs::rand::fill(&mut id).map_err(|_| FaultError::Unreadable("chance"))?;
        sqlx::query(
            "INSERT INTO task (id, kind, subject_kind, subject, due, ready_at, attempts, fence, holder) \
             VALUES (?, 1, ?, ?, 0, 0, 0, 0, NULL)",
        )
        .bind(id.to_vec())
        .bind(i64::from(enrollment.kind.number()))
        .bind(enrollment.id.to_vec())
        .execute(&mut self.0)
        .await?;
        Ok(())
    }

    /// Lets the index of account keys lead somewhere else.
    pub async fn redirect_key(&mut self, key: [u8; 32], account: StreamId) -> Result<u64, FaultError> {
        let query = sqlx::query("UPDATE reservation SET stream = ? WHERE space = 2 AND key = ?");
        let done = query
            .bind(account.id.to_vec())
            .bind(key.to_vec())
            .execute(&mut self.0)
            .await?;
        Ok(done.rows_affected())
    }

    /// Gives one document the sealed body and the version of another of its kind.
    pub async fn copy_document(&mut self, kind: &str, from: &[u8], to: &[u8]) -> Result<u64, FaultError> {
        let sql = "UPDATE document SET (version, sealed) = \
                   (SELECT version, sealed FROM document WHERE kind = ?1 AND id = ?2) WHERE kind = ?1 AND id = ?3";
        let query = sqlx::query(sql)
            .bind(kind.to_owned())
            .bind(from.to_vec())
            .bind(to.to_vec());
        Ok(query.execute(&mut self.0).await?.rows_affected())
    }

    /// Any statement; how many rows it changed.
    pub async fn execute(&mut self, sql: &'static str) -> Result<u64, FaultError> {
        Ok(sqlx::query(sql).execute(&mut self.0).await?.rows_affected())
    }

    /// What the list of requests says about each enrollment.
    pub async fn request_states(&mut self) -> Result<Vec<(EnrollmentId, String)>, FaultError> {
        let rows = sqlx::query("SELECT enrollment, state FROM request")
            .fetch_all(&mut self.0)
            .await?;
        rows.iter()
            .map(|row| Ok((EnrollmentId::from_bytes(octets(row, 0)?), row.try_get(1)?)))
            .collect()
    }

    /// The list of certificates: enrollment and serial number.
    pub async fn certificate_rows(&mut self) -> Result<Vec<(EnrollmentId, Vec<u8>)>, FaultError> {
        let rows = sqlx::query("SELECT enrollment, serial FROM certificate")
            .fetch_all(&mut self.0)
            .await?;
        rows.iter()
            .map(|row| Ok((EnrollmentId::from_bytes(octets(row, 0)?), row.try_get(1)?)))
            .collect()
    }

    /// The values under which an installation keeps what is needed before anything can be opened.
    pub async fn values(&mut self) -> Result<Vec<Vec<u8>>, FaultError> {
        let rows = sqlx::query("SELECT value FROM installation_value")
            .fetch_all(&mut self.0)
            .await?;
        Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
    }

    /// Background work that is left on enrollments which are not waiting for people.
    pub async fn tasks_left(&mut self) -> Result<i64, FaultError> {
        let due =
            Timestamp::from_unix_millis(now_millis()).saturating_add(std::time::Duration::from_secs(600));
        let query = sqlx::query("SELECT count(*) FROM task WHERE due < ?").bind(due.unix_millis());
        Ok(query.fetch_one(&mut self.0).await?.try_get(0)?)
    }

    /// Every incident, each once per record that raised it.
    pub async fn incidents(&mut self) -> Result<Vec<Incident>, FaultError> {
        let mut found = Vec::new();
        for record in self.records().await? {
            if record.header().stream.kind != StreamKind::Incident {
                continue;
            }
            for event in record.events()? {
                if let Event::Incident(IncidentEvent::Raised(incident)) = event {
                    found.push(incident);
                }
            }
        }
        Ok(found)
    }
}

/// Now, in milliseconds since 1970.
pub fn now_millis() -> i64 {
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

fn record(row: &SqliteRow) -> Result<Record, FaultError> {
    Ok(Record::from_stored(StoredRecord {
        header: row.try_get(0)?,
        payload_digest: row.try_get(1)?,
        salt: row.try_get(2)?,
        payload: row.try_get(3)?,
        key: row.try_get(4)?,
        signature: row.try_get(5)?,
    })?)
}

fn octets(row: &SqliteRow, index: usize) -> Result<[u8; 16], FaultError> {
    let octets: Vec<u8> = row.try_get(index)?;
    octets.try_into().map_err(|_| FaultError::Unreadable("id"))
}
