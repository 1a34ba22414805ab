//! The tables of `log.db`: one a topic, readable with the sqlite3 command while the log runs.
//!
//! Offsets count per topic, so the offsets of one partition skip. A topic that is kept by time is a
//! table in order of offset; a compacted topic is a table by key, whose rows carry the offset of
//! their last change.

use rusqlite::{Connection, OptionalExtension, params};
use schemas::topics::{Topic, TopicSpec};

use super::files::sql;
use crate::log::LogError;
use crate::record::{Headers, Offset, Stored};

/// Version of the layout; an older binary refuses a newer file.
const FORMAT: i64 = 1;

/// The fixed tables.
const FIXED: &str = "
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS topics (
    name TEXT PRIMARY KEY,
    compacted INTEGER NOT NULL,
    next_offset_min INTEGER NOT NULL DEFAULT 0   -- never handed out again, whatever was deleted
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS positions (
    grp TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    position INTEGER NOT NULL,
    watermarks BLOB NOT NULL,
    pins BLOB NOT NULL,
    PRIMARY KEY (grp, topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS once (
    name TEXT PRIMARY KEY,
    outcome BLOB                                 -- NULL: begun, and nobody said how it ended
) WITHOUT ROWID;
";

/// The statements of one topic's table.
#[derive(Debug)]
pub(super) struct TopicTable {
    pub(super) topic: Topic,
    pub(super) compacted: bool,
    pub(super) insert: String,
    pub(super) delete: String,
    pub(super) read: String,
    pub(super) state: String,
    pub(super) deadlines: String,
    pub(super) states: String,
}

impl TopicTable {
    pub(super) fn new(spec: &TopicSpec) -> Self {
        let name = spec.topic.0;
        let compacted = spec.retention.is_compacted();
        let columns = "offset, partition, key, value, headers, time_ms";
        let insert = if compacted {
            format!(
                "INSERT INTO \"{name}\" ({columns}, wake_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT (partition, key) DO UPDATE SET offset = excluded.offset, \
                 value = excluded.value, headers = excluded.headers, time_ms = excluded.time_ms, \
                 wake_at_ms = excluded.wake_at_ms"
            )
        } else {
            format!("INSERT INTO \"{name}\" ({columns}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")
        };
        Self {
            topic: spec.topic,
            compacted,
            insert,
            delete: format!("DELETE FROM \"{name}\" WHERE partition = ?1 AND key = ?2"),
            read: format!(
                "SELECT {columns} FROM \"{name}\" WHERE offset >= ?1 AND offset < ?2 \
                 ORDER BY offset LIMIT ?3"
            ),
            state: format!(
                "SELECT value, wake_at_ms FROM \"{name}\" WHERE partition = ?1 AND key = ?2"
            ),
            deadlines: format!(
                "SELECT key, wake_at_ms FROM \"{name}\" \
                 WHERE partition = ?1 AND wake_at_ms IS NOT NULL"
            ),
            states: format!(
                "SELECT key, value, wake_at_ms FROM \"{name}\" \
                 WHERE partition = ?1 AND key > ?2 AND value IS NOT NULL ORDER BY key LIMIT ?3"
            ),
        }
    }

    fn create(&self) -> String {
        let name = self.topic.0;
        if self.compacted {
            format!(
                "CREATE TABLE IF NOT EXISTS \"{name}\" (partition INTEGER NOT NULL, key BLOB NOT NULL, \
                 offset INTEGER NOT NULL, value BLOB, headers BLOB, time_ms INTEGER NOT NULL, \
                 wake_at_ms INTEGER, PRIMARY KEY (partition, key)) WITHOUT ROWID; \
                 CREATE INDEX IF NOT EXISTS \"{name}-offset\" ON \"{name}\" (offset);"
            )
        } else {
            format!(
                "CREATE TABLE IF NOT EXISTS \"{name}\" (offset INTEGER PRIMARY KEY, \
                 partition INTEGER NOT NULL, key BLOB NOT NULL, value BLOB, headers BLOB, \
                 time_ms INTEGER NOT NULL);"
            )
        }
    }

    /// Creates the table if it is missing; gives the next offset.
    pub(super) fn ensure(&self, connection: &Connection) -> Result<Offset, LogError> {
        let name = self.topic.0;
        let failed = |error: rusqlite::Error| sql(&format!("create topic {name}"), &error);
        connection.execute_batch(&self.create()).map_err(failed)?;
        connection
            .execute(
                "INSERT INTO topics (name, compacted) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
                params![name, self.compacted],
            )
            .map_err(failed)?;
        let (compacted, least): (bool, i64) = connection
            .query_row(
                "SELECT compacted, next_offset_min FROM topics WHERE name = ?1",
                [name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .map_err(failed)?;
        if compacted != self.compacted {
            return Err(LogError::Fatal(format!(
                "topic {name} is {}compacted in this directory and should {}be: it was made by \
                 another release; use that one, or start with an empty --data-dir",
                if compacted { "" } else { "not " },
                if self.compacted { "" } else { "not " },
            )));
        }
        let last: Option<i64> = connection
            .query_row(&format!("SELECT max(offset) FROM \"{name}\""), [], |row| row.get(0))
            .map_err(failed)?;
        Ok(last.map_or(0, |last| last + 1).max(least).cast_unsigned())
    }
}

/// Creates the fixed tables and holds the file to its format and its partition count.
pub(super) fn prepare(connection: &Connection, partitions: u32) -> Result<(), LogError> {
    connection.execute_batch(FIXED).map_err(|error| sql("create the log's tables", &error))?;
    hold_to(connection, "format", FORMAT, "it was written by another release: use that one")?;
    hold_to(
        connection,
        "partitions",
        i64::from(partitions),
        "partition counts never change in place: set log.partitions back",
    )
}

fn hold_to(connection: &Connection, name: &str, value: i64, remedy: &str) -> Result<(), LogError> {
    let failed = |error: rusqlite::Error| sql("read the log's format", &error);
    let found: Option<i64> = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .optional()
        .map_err(failed)?;
    match found {
        Some(found) if found != value => Err(LogError::Fatal(format!(
            "this directory has {name} {found}, not {value}; {remedy}"
        ))),
        Some(_) => Ok(()),
        None => connection
            .execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", params![name, value])
            .map(|_| ())
            .map_err(failed),
    }
}

/// Reads records of a topic in order of offset: at most `records_max` and about `bytes_max`, but one
/// if there is one.
pub(super) fn read(
    connection: &Connection,
    table: &TopicTable,
    from: Offset,
    end: Offset,
    records_max: usize,
    bytes_max: usize,
) -> Result<Vec<Stored>, LogError> {
    let failed = |error: rusqlite::Error| sql(&format!("read topic {}", table.topic), &error);
    let mut statement = connection.prepare_cached(&table.read).map_err(failed)?;
    let limit = i64::try_from(records_max).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![from.cast_signed(), end.cast_signed(), limit], |row| {
            let headers: Option<Vec<u8>> = row.get(4)?;
            Ok(Stored {
                topic: table.topic,
                offset: row.get::<_, i64>(0)?.cast_unsigned(),
                partition: row.get(1)?,
                key: row.get::<_, Vec<u8>>(2)?.into(),
                value: row.get::<_, Option<Vec<u8>>>(3)?.map(Into::into),
                headers: headers.map(|bytes| Headers::from_bytes(&bytes)).unwrap_or_default(),
                time_ms: row.get(5)?,
            })
        })
        .map_err(failed)?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    for record in rows {
        let record = record.map_err(failed)?;
        bytes += record.size();
        if bytes > bytes_max && !records.is_empty() {
            break;
        }
        records.push(record);
    }
    Ok(records)
}
