//! Reads the files of a directory, which another process may be using: takes no lock and changes
//! nothing.

use std::path::Path;

use rusqlite::{OptionalExtension as _, params};
use schemas::topics::{Topic, TopicSpec};

use super::files::{self, sql};
use super::tables::{self, TopicTable};
use crate::ledger::OnceKey;
use crate::log::LogError;
use crate::record::{Offset, Stored};

/// Reads records of a topic from offset `from` on, at most `records_max`.
///
/// # Errors
/// [`LogError::Fatal`] when there is no log in `directory`, or no such topic.
pub fn peek(
    directory: &Path,
    topic: &TopicSpec,
    from: Offset,
    records_max: usize,
) -> Result<Vec<Stored>, LogError> {
    let connection = files::reader(&directory.join(files::LOG_DB))?;
    let end = i64::MAX.cast_unsigned();
    tables::read(&connection, &TopicTable::new(topic), from, end, records_max, usize::MAX)
}

/// Into how many partitions the topics of `directory` are divided.
///
/// # Errors
/// [`LogError::Fatal`] when there is no log in `directory`.
pub fn partitions_of(directory: &Path) -> Result<u32, LogError> {
    let connection = files::reader(&directory.join(files::LOG_DB))?;
    let found: i64 = connection
        .query_row("SELECT value FROM meta WHERE name = 'partitions'", [], |row| row.get(0))
        .map_err(|error| sql("read the partition count", &error))?;
    u32::try_from(found).map_err(|_| LogError::Fatal(format!("{found} partitions make no sense")))
}

/// The time of the newest record of `topic` (Unix, ms); none when it is empty.
///
/// # Errors
/// [`LogError::Fatal`] when there is no log in `directory`, or no such topic.
pub fn newest_ms(directory: &Path, topic: Topic) -> Result<Option<i64>, LogError> {
    let connection = files::reader(&directory.join(files::LOG_DB))?;
    let newest = format!("SELECT time_ms FROM \"{topic}\" ORDER BY offset DESC LIMIT 1");
    connection
        .query_row(&newest, [], |row| row.get(0))
        .optional()
        .map_err(|error| sql("read the newest record", &error))
}

/// A key of the once-ledger and how it ended; `None`: it was begun, and nobody said.
pub type Ended = (OnceKey, Option<Vec<u8>>);

/// What the once-ledger remembers, in order of keys behind `after`, at most `claims_max`.
///
/// # Errors
/// [`LogError::Fatal`] when there is no log in `directory`.
pub fn claims(
    directory: &Path,
    after: &OnceKey,
    claims_max: usize,
) -> Result<Vec<Ended>, LogError> {
    let failed = |error: rusqlite::Error| sql("read the once-ledger", &error);
    let connection = files::reader(&directory.join(files::LOG_DB))?;
    let mut query = connection
        .prepare("SELECT name, outcome FROM once WHERE name > ?1 ORDER BY name LIMIT ?2")
        .map_err(failed)?;
    let limit = i64::try_from(claims_max).unwrap_or(i64::MAX);
    let rows = query
        .query_map(params![after.0, limit], |row| Ok((OnceKey(row.get(0)?), row.get(1)?)))
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ledger::OnceLedger;
    use crate::log::embedded::{EmbeddedLog, Options};
    use crate::telemetry::metrics::Metrics;

    #[tokio::test]
    async fn what_a_running_log_holds_can_be_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { partitions: 5, ..Options::at(dir.path()) };
        let log = EmbeddedLog::open(&options, Arc::new(Metrics::new().unwrap())).unwrap();
        assert_eq!(partitions_of(dir.path()).unwrap(), 5);
        for name in ["a", "b", "c"] {
            log.claim(&OnceKey(name.to_owned())).await.unwrap();
        }
        log.settle(&OnceKey("b".to_owned()), b"done".to_vec()).await.unwrap();
        let first = claims(dir.path(), &OnceKey(String::new()), 2).unwrap();
        assert_eq!(
            first,
            [(OnceKey("a".into()), None), (OnceKey("b".into()), Some(b"done".to_vec()))]
        );
        let rest = claims(dir.path(), &first[1].0, 2).unwrap();
        assert_eq!(rest, [(OnceKey("c".into()), None)]);
    }
}
