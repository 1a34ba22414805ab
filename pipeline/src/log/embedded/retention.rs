//! Old records go, a portion at a time and never faster than they have been taken account of.

use std::collections::HashMap;

use rusqlite::{Transaction, params};
use schemas::topics::Topic;

use super::files::sql;
use super::tables::TopicTable;
use crate::log::LogError;

/// Deletes the oldest records of `topic` as long as they are older than `before_ms` and every group
/// that reads the topic is past them; at most `records_max`, and never the newest, whose offset must
/// not be handed out again. Gives how many went.
pub(super) fn forget(
    transaction: &Transaction<'_>,
    table: &TopicTable,
    before_ms: i64,
    records_max: usize,
) -> Result<usize, LogError> {
    let topic = table.topic;
    let failed = |error: rusqlite::Error| sql(&format!("forget old records of {topic}"), &error);
    let groups = positions(transaction, topic).map_err(failed)?;
    let mut oldest = transaction
        .prepare_cached(&format!(
            "SELECT offset, partition, time_ms FROM \"{topic}\" \
             WHERE offset < (SELECT max(offset) FROM \"{topic}\") ORDER BY offset LIMIT ?1"
        ))
        .map_err(failed)?;
    let rows = oldest
        .query_map([i64::try_from(records_max).unwrap_or(i64::MAX)], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, u32>(1)?, row.get::<_, i64>(2)?))
        })
        .map_err(failed)?;
    let mut last = None;
    for row in rows {
        let (offset, partition, time_ms) = row.map_err(failed)?;
        // A compacted topic's reader is past a key once it has seen a later record of any.
        let past = groups
            .values()
            .all(|group| group.get(&partition).is_some_and(|position| *position > offset));
        if time_ms >= before_ms || !past {
            break;
        }
        last = Some(offset);
    }
    let Some(last) = last else { return Ok(0) };
    transaction
        .prepare_cached(&format!("DELETE FROM \"{topic}\" WHERE offset <= ?1"))
        .and_then(|mut statement| statement.execute([last]))
        .map_err(failed)
}

/// Position by partition of every group that reads `topic`.
fn positions(
    transaction: &Transaction<'_>,
    topic: Topic,
) -> rusqlite::Result<HashMap<String, HashMap<u32, i64>>> {
    let mut groups: HashMap<String, HashMap<u32, i64>> = HashMap::new();
    let mut statement = transaction
        .prepare_cached("SELECT grp, partition, position FROM positions WHERE topic = ?1")?;
    let mut rows = statement.query(params![topic.0])?;
    while let Some(row) = rows.next()? {
        groups.entry(row.get(0)?).or_default().insert(row.get(1)?, row.get(2)?);
    }
    Ok(groups)
}
