//! How far mailboxes have been read: a compacted topic, so that it is never apart from what was read.
//!
//! Reads and writes `mail-cursors`. Invariant: a cursor is written after all it covers is durable.

use std::collections::HashMap;

use pipeline::log::From;
use pipeline::{Log, Record, Stored, partition};
use schemas::Avro;
use schemas::thread::MailCursor;
use schemas::topics::MAIL_CURSORS;

/// Decides the partition of all of them, so that they are read in order.
const PARTITIONED_BY: &[u8] = b"mail-cursors";
/// A record behind which all earlier ones have been read.
const LOOK: &[u8] = b"look";
/// Mails remembered by their digests: what came in a day, in a mailbox of some size.
const RECENT_MAX: usize = 512;

/// Every mailbox's cursor, by its account and folder.
///
/// # Errors
/// In words, when the log does not answer.
pub(super) async fn all(log: &dyn Log, now_ms: i64) -> Result<HashMap<String, MailCursor>, String> {
    let mut tail =
        log.tail(&[MAIL_CURSORS], From::Start).await.map_err(|error| error.to_string())?;
    let look = record(log.partitions(), LOOK, &MailCursor::default(), now_ms)?;
    let placed = log.append(vec![look]).await.map_err(|error| error.to_string())?.0;
    let mut found = HashMap::new();
    loop {
        let records = tail.next().await.map_err(|error| error.to_string())?;
        let here = |record: &Stored| placed.contains(&(record.partition, record.offset));
        let is_end = records.iter().any(here);
        for record in records {
            let cursor = record.value.as_ref().and_then(|value| MailCursor::from_bytes(value).ok());
            let name = String::from_utf8_lossy(&record.key).into_owned();
            match cursor {
                Some(cursor) => found.insert(name, cursor),
                None => found.remove(&name),
            };
        }
        if is_end {
            return Ok(found);
        }
    }
}

/// The record of a cursor.
pub(super) fn record(
    partitions: u32,
    name: &[u8],
    cursor: &MailCursor,
    now_ms: i64,
) -> Result<Record, String> {
    let bytes = cursor.to_bytes().map_err(|error| error.to_string())?;
    let within = partition::of(PARTITIONED_BY, partitions);
    let record = Record::new(MAIL_CURSORS, name.to_vec(), bytes, now_ms);
    Ok(Record { partition: Some(within), ..record })
}

/// Whether a mail was read before under another numbering.
pub(super) fn knows(cursor: &MailCursor, digest: &[u8; 16]) -> bool {
    cursor.recent.iter().any(|known| known.as_slice() == digest)
}

/// Notes a mail that was read.
pub(super) fn note(cursor: &mut MailCursor, uid: u32, arrived_ms: i64, digest: [u8; 16]) {
    cursor.uid_next = cursor.uid_next.max(i64::from(uid) + 1);
    cursor.read_to_ms = cursor.read_to_ms.max(arrived_ms);
    if !knows(cursor, &digest) {
        cursor.recent.push(digest.to_vec().into());
    }
    let surplus = cursor.recent.len().saturating_sub(RECENT_MAX);
    cursor.recent.drain(..surplus);
}
