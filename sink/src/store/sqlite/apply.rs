//! Writing rows: upserts in the order of the conversation, never by a clock.

use pipeline::Offset;
use rusqlite::{Transaction, params};
use schemas::Avro;
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;

use super::lines::Lines;
use super::tables::unreadable;
use super::{customers, deleted};
use crate::rows::{AcceptedRow, CheckRow, Row};
use crate::store::columns::sealed_to_bytes;
use crate::store::{day_of, turns_to_text};

/// Applies rows, in their order.
pub(super) fn rows<'r>(
    transaction: &Transaction<'_>,
    rows: impl IntoIterator<Item = &'r Row>,
) -> rusqlite::Result<()> {
    let mut lines = Lines::default();
    for row in rows {
        match row {
            Row::Accepted(row) => accepted(transaction, row)?,
            Row::Event(row) => lines.take(row),
            Row::Check(row) => check(transaction, row)?,
            Row::Minute(row) => minute(transaction, row)?,
            Row::Link(row) => customers::link(transaction, row)?,
            Row::Alias(row) => customers::alias(transaction, row)?,
            Row::Deleted(row) => {
                // What it takes back may have been told right before.
                lines.write(transaction)?;
                deleted::message(transaction, *row)?;
            }
        }
    }
    lines.write(transaction)
}

/// The two lines that tell of a message may come in either order: each fills in its own columns.
fn accepted(transaction: &Transaction<'_>, row: &AcceptedRow) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO messages (id, tenant, contact, channel, kind, accepted_at_ms, text_sealed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET \
             accepted_at_ms = min(accepted_at_ms, excluded.accepted_at_ms)",
        )?
        .execute(params![
            row.message_id.as_bytes(),
            row.key.tenant,
            row.key.contact.as_bytes(),
            row.channel.as_str(),
            row.kind.as_str(),
            row.accepted_at_ms,
            row.text_sealed.as_ref().map(sealed_to_bytes),
        ])?;
    Ok(())
}

/// What is to be looked at after the latest line that told.
fn check(transaction: &Transaction<'_>, row: &CheckRow) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO checks (tenant, day, conversation, seq, at_ms, turns) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET seq = excluded.seq, \
             at_ms = excluded.at_ms, turns = excluded.turns WHERE excluded.seq > seq",
        )?
        .execute(params![
            row.tenant,
            day_of(row.conversation_id),
            row.conversation_id.as_bytes(),
            row.seq,
            row.at_ms,
            turns_to_text(&row.turns),
        ])?;
    Ok(())
}

/// Values only grow within a minute and partition, so the greater total is the later one.
fn minute(transaction: &Transaction<'_>, row: &MinuteMetrics) -> rusqlite::Result<()> {
    let counted = row.to_bytes().map_err(|error| unreadable(&error.to_string()))?;
    transaction
        .prepare_cached(
            "INSERT INTO minutes (tenant, minute, source_partition, total, counted) \
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE SET \
             total = excluded.total, counted = excluded.counted WHERE excluded.total > total",
        )?
        .execute(params![
            row.tenant,
            row.minute,
            row.source_partition,
            row.values.values().sum::<i64>(),
            counted
        ])?;
    Ok(())
}

/// Writes down that everything of `topic` below `positions` is applied.
pub(super) fn positions(
    transaction: &Transaction<'_>,
    topic: Topic,
    positions: &[(u32, Offset)],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO positions (topic, partition, position) VALUES (?1, ?2, ?3) \
         ON CONFLICT DO UPDATE SET position = excluded.position",
    )?;
    for (partition, position) in positions {
        statement.execute(params![topic.0, partition, position.cast_signed()])?;
    }
    Ok(())
}
