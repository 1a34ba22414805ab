//! The directory of an embedded installation: one process owns it.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::log::LogError;

/// Name of the database.
pub(super) const LOG_DB: &str = "log.db";
const LOCK: &str = "lock";
/// Readers and writers of WAL files do not wait for each other; only a checkpoint is ever waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// An owned directory; the lock ends with the process, however it ends.
pub(super) struct Directory {
    path: PathBuf,
    _lock: File,
}

impl Directory {
    /// Creates `path` if need be and takes the lock.
    pub(super) fn own(path: &Path) -> Result<Self, LogError> {
        let fatal = |what: &str, error: std::io::Error| {
            LogError::Fatal(format!("cannot {what} {}: {error}", path.display()))
        };
        fs::create_dir_all(path).map_err(|error| fatal("create", error))?;
        let mut lock = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(LOCK))
            .map_err(|error| fatal("open the lock of", error))?;
        if lock.try_lock().is_err() {
            let mut holder = String::new();
            let _ = lock.read_to_string(&mut holder);
            return Err(LogError::Fatal(format!(
                "{} is in use by process {}: stop it first, or choose another --data-dir",
                path.display(),
                if holder.is_empty() { "unknown" } else { holder.trim() },
            )));
        }
        lock.set_len(0)
            .and_then(|()| write!(lock, "{}", std::process::id()))
            .map_err(|error| fatal("write the lock of", error))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn database(&self) -> PathBuf {
        self.path.join(LOG_DB)
    }

    /// The write-ahead log, whose fdatasync makes commits durable.
    pub(super) fn write_ahead_log(&self) -> Result<File, LogError> {
        let path = self.path.join(format!("{LOG_DB}-wal"));
        File::open(&path)
            .map_err(|error| LogError::Fatal(format!("cannot open {}: {error}", path.display())))
    }

    /// Makes the directory's entries survive a power cut.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        File::open(&self.path).and_then(|directory| directory.sync_all()).map_err(|error| {
            LogError::Fatal(format!("cannot sync {}: {error}", self.path.display()))
        })
    }
}

/// A connection that writes. Commits do not sync: the barrier does.
pub(super) fn writer(path: &Path) -> Result<Connection, LogError> {
    let connection = Connection::open(path).map_err(|error| sql("open the log", &error))?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .and_then(|()| connection.pragma_update(None, "journal_mode", "WAL"))
        .and_then(|()| connection.pragma_update(None, "synchronous", "NORMAL"))
        .and_then(|()| connection.pragma_update(None, "wal_autocheckpoint", 0))
        .and_then(|()| connection.pragma_update(None, "cache_size", -8_000))
        .map_err(|error| sql("configure the log", &error))?;
    // The last connection to close must not checkpoint: after a failure of the disk nobody may.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
        .map_err(|error| sql("configure the log", &error))?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// A connection that only reads.
pub(super) fn reader(path: &Path) -> Result<Connection, LogError> {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY
        | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX
        | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|error| sql("open the log for reading", &error))?;
    connection
        .busy_timeout(BUSY_TIMEOUT)
        .and_then(|()| connection.pragma_update(None, "cache_size", -1_000))
        .map_err(|error| sql("configure reading", &error))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

/// An error of the database, in words.
pub(super) fn sql(what: &str, error: &rusqlite::Error) -> LogError {
    LogError::Fatal(format!("cannot {what}: {error}"))
}
