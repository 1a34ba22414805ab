//! A partition's states on this machine: an SQLite file beside the changelog, which stays the truth.
//!
//! Invariants: a file holds exactly what the changelog holds below `applied`, or it is thrown away;
//! one holder at a time. A lost file costs the time of reading the changelog again, nothing else.

use std::fs::{File, create_dir_all, remove_file};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};

use super::changelog::Left;
use crate::log::{LogError, StateReader, StateRow};
use crate::record::Offset;

/// Brokers forget tombstones after a day (`delete.retention.ms`): a file that has not heard of
/// anything for nearly as long may have missed some, and would bring the dead back.
const AGE_MS_MAX: i64 = 20 * 3_600_000;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS states (key BLOB PRIMARY KEY, value BLOB NOT NULL, wake_at_ms INTEGER)
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS deadlines ON states (wake_at_ms, key) WHERE wake_at_ms IS NOT NULL;
CREATE TABLE IF NOT EXISTS meta (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    cluster TEXT NOT NULL,
    applied INTEGER NOT NULL,
    time_ms INTEGER NOT NULL,
    left_at BLOB NOT NULL
);
";

/// How far a cache has come in the changelog.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// First offset not applied.
    pub(super) applied: Offset,
    /// When that was (Unix, ms).
    pub(super) time_ms: i64,
    /// Where the partition was left.
    pub(super) left: Left,
}

/// States of one partition.
pub(super) struct Cache {
    connection: Mutex<Connection>,
    cluster: String,
    /// Keeps others out of the file.
    _held: Option<File>,
}

fn broken(error: &rusqlite::Error) -> LogError {
    LogError::Fatal(format!("the state cache cannot be used: {error}; remove its directory"))
}

impl Cache {
    /// Opens `partition`'s file in `dir`; in memory without a directory, or while a member that is
    /// on its way out still holds the file.
    pub(super) fn open(
        dir: Option<&Path>,
        partition: u32,
        cluster: &str,
    ) -> Result<Self, LogError> {
        let file = match dir {
            None => None,
            Some(dir) => lock(dir, partition)?,
        };
        let (held, connection) = match file {
            None => (None, Connection::open_in_memory().and_then(prepared)),
            Some((held, path)) => {
                let opened = Connection::open(&path).and_then(prepared);
                (Some(held), opened.or_else(|_| afresh(&path)))
            }
        };
        let connection = connection.map_err(|error| broken(&error))?;
        Ok(Self { connection: Mutex::new(connection), cluster: cluster.to_owned(), _held: held })
    }

    /// How far it has come, if that can be gone on from: the changelog holds `low` to `end`, and it
    /// is `now_ms`. Otherwise it is emptied.
    pub(super) fn mark(
        &self,
        (low, end): (Offset, Offset),
        now_ms: i64,
    ) -> Result<Option<Mark>, LogError> {
        let connection = self.connection.lock();
        let read = |row: &rusqlite::Row<'_>| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, i64>(1)?.cast_unsigned(),
                row.get::<_, i64>(2)?,
                row.get::<_, Vec<u8>>(3)?,
            ))
        };
        let found = connection
            .query_row("SELECT cluster, applied, time_ms, left_at FROM meta", [], read)
            .optional()
            .map_err(|error| broken(&error))?;
        let mark = found.and_then(|(cluster, applied, time_ms, left)| {
            let fits = cluster == self.cluster
                && (low..=end).contains(&applied)
                && now_ms - time_ms <= AGE_MS_MAX;
            let left = Left::from_bytes(&left).filter(|_| fits)?;
            Some(Mark { applied, time_ms, left })
        });
        if mark.is_none() {
            connection
                .execute_batch("DELETE FROM states; DELETE FROM meta")
                .map_err(|error| broken(&error))?;
        }
        Ok(mark)
    }

    /// Applies changes and how far that is, together.
    pub(super) fn apply<'a>(
        &self,
        changes: impl Iterator<Item = (&'a Bytes, Option<&'a StateRow>)>,
        mark: &Mark,
    ) -> Result<(), LogError> {
        let mut connection = self.connection.lock();
        let written = || -> Result<(), rusqlite::Error> {
            let transaction = connection.transaction()?;
            {
                let mut put = transaction
                    .prepare_cached("INSERT OR REPLACE INTO states VALUES (?1, ?2, ?3)")?;
                let mut drop = transaction.prepare_cached("DELETE FROM states WHERE key = ?1")?;
                for (key, row) in changes {
                    match row {
                        Some(row) => put.execute(params![&key[..], &row.value[..], row.wake_at_ms]),
                        None => drop.execute(params![&key[..]]),
                    }?;
                }
            }
            transaction.execute(
                "INSERT OR REPLACE INTO meta VALUES (1, ?1, ?2, ?3, ?4)",
                params![
                    self.cluster,
                    mark.applied.cast_signed(),
                    mark.time_ms,
                    mark.left.to_bytes()
                ],
            )?;
            transaction.commit()
        };
        written().map_err(|error| broken(&error))
    }
}

impl StateReader for Cache {
    fn get(&self, key: &[u8]) -> Result<Option<StateRow>, LogError> {
        let connection = self.connection.lock();
        let mut query = connection
            .prepare_cached("SELECT value, wake_at_ms FROM states WHERE key = ?1")
            .map_err(|error| broken(&error))?;
        let row = query.query_row([key], |row| {
            Ok(StateRow { value: row.get::<_, Vec<u8>>(0)?.into(), wake_at_ms: row.get(1)? })
        });
        row.optional().map_err(|error| broken(&error))
    }

    fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError> {
        let connection = self.connection.lock();
        let found = || -> Result<Vec<(Bytes, i64)>, rusqlite::Error> {
            let mut query = connection
                .prepare("SELECT key, wake_at_ms FROM states WHERE wake_at_ms IS NOT NULL")?;
            let rows =
                query.query_map([], |row| Ok((row.get::<_, Vec<u8>>(0)?.into(), row.get(1)?)))?;
            rows.collect()
        };
        found().map_err(|error| broken(&error))
    }

    fn rows(&self, after: &[u8], rows_max: usize) -> Result<Vec<(Bytes, StateRow)>, LogError> {
        let connection = self.connection.lock();
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let found = || -> Result<Vec<(Bytes, StateRow)>, rusqlite::Error> {
            let mut query = connection.prepare_cached(
                "SELECT key, value, wake_at_ms FROM states WHERE key > ?1 ORDER BY key LIMIT ?2",
            )?;
            let rows = query.query_map(params![after, limit], |row| {
                let value = Bytes::from(row.get::<_, Vec<u8>>(1)?);
                let state = StateRow { value, wake_at_ms: row.get(2)? };
                Ok((Bytes::from(row.get::<_, Vec<u8>>(0)?), state))
            })?;
            rows.collect()
        };
        found().map_err(|error| broken(&error))
    }
}

/// The file of `partition` and the lock on it; `None` while somebody else has it.
fn lock(dir: &Path, partition: u32) -> Result<Option<(File, PathBuf)>, LogError> {
    let failed = |error: std::io::Error| {
        LogError::Fatal(format!("no state cache in {}: {error}", dir.display()))
    };
    create_dir_all(dir).map_err(failed)?;
    let held = File::create(dir.join(format!("{partition}.lock"))).map_err(failed)?;
    match held.try_lock() {
        Ok(()) => Ok(Some((held, dir.join(format!("{partition}.db"))))),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A file that cannot be read is begun again.
fn afresh(path: &Path) -> Result<Connection, rusqlite::Error> {
    for end in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        let _ = remove_file(PathBuf::from(name));
    }
    prepared(Connection::open(path)?)
}

/// After a power cut a file may have lost its latest transactions, never half of one.
fn prepared(connection: Connection) -> Result<Connection, rusqlite::Error> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(value: &'static str, wake_at_ms: Option<i64>) -> StateRow {
        StateRow { value: Bytes::from_static(value.as_bytes()), wake_at_ms }
    }

    fn mark(applied: Offset) -> Mark {
        Mark { applied, time_ms: 1_000, left: Left { position: 7, ..Left::default() } }
    }

    #[test]
    fn a_file_goes_on_where_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Bytes::from("a"), Bytes::from("b"));
        let cache = Cache::open(Some(dir.path()), 3, "c").unwrap();
        assert_eq!(cache.mark((0, 10), 1_000).unwrap(), None);
        let rows = (row("1", Some(5)), row("2", None));
        cache.apply([(&a, Some(&rows.0)), (&b, Some(&rows.1))].into_iter(), &mark(4)).unwrap();
        cache.apply([(&b, None)].into_iter(), &mark(6)).unwrap();
        // Somebody who comes while it is held works without the file.
        let other = Cache::open(Some(dir.path()), 3, "c").unwrap();
        assert_eq!(other.mark((0, 10), 1_000).unwrap(), None);
        drop(cache);
        let cache = Cache::open(Some(dir.path()), 3, "c").unwrap();
        assert_eq!(cache.mark((0, 10), 1_000).unwrap(), Some(mark(6)));
        assert_eq!(cache.get(b"a").unwrap(), Some(rows.0));
        assert_eq!(cache.get(b"b").unwrap(), None);
        assert_eq!(cache.deadlines().unwrap(), [(a, 5)]);
    }

    #[test]
    fn what_the_changelog_does_not_bear_out_is_thrown_away() {
        let ends_and_times = [((7, 10), 1_000), ((0, 5), 1_000), ((0, 10), 1_001 + AGE_MS_MAX)];
        for (ends, now_ms) in ends_and_times {
            let cache = Cache::open(None, 0, "c").unwrap();
            cache
                .apply([(&Bytes::from("a"), Some(&row("1", None)))].into_iter(), &mark(6))
                .unwrap();
            assert_eq!(cache.mark(ends, now_ms).unwrap(), None, "{ends:?} {now_ms}");
            assert_eq!(cache.get(b"a").unwrap(), None);
        }
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::open(Some(dir.path()), 0, "one cluster").unwrap();
        cache.apply(std::iter::empty(), &mark(6)).unwrap();
        drop(cache);
        let cache = Cache::open(Some(dir.path()), 0, "another").unwrap();
        assert_eq!(cache.mark((0, 10), 1_000).unwrap(), None);
    }

    #[test]
    fn a_damaged_file_is_begun_again() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("0.db"),
            b"this is no database, and long enough to tell so ".repeat(50),
        )
        .unwrap();
        let cache = Cache::open(Some(dir.path()), 0, "c").unwrap();
        assert_eq!(cache.mark((0, 10), 1_000).unwrap(), None);
        cache.apply([(&Bytes::from("a"), Some(&row("1", None)))].into_iter(), &mark(6)).unwrap();
        assert!(cache.get(b"a").unwrap().is_some());
    }
}
