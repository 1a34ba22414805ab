//! Writing rows: upserts in the order of the conversation, never by a clock.

use pipeline::Offset;
use rusqlite::{Connection, Transaction, params};
use schemas::Avro;
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;

use super::tables::unreadable;
use super::{customers, deleted};
use crate::rows::{AcceptedRow, CheckRow, ConversationRow, EventRow, Row};
use crate::store::columns::{rank, sealed_to_bytes};
use crate::store::{day_of, turns_to_text};

/// Applies rows in one transaction.
pub(super) fn all(connection: &mut Connection, rows: &[Row]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for row in rows {
        match row {
            Row::Accepted(row) => accepted(&transaction, row)?,
            Row::Event(row) => event(&transaction, row)?,
            Row::Check(row) => check(&transaction, row)?,
            Row::Minute(row) => minute(&transaction, row)?,
            Row::Link(row) => customers::link(&transaction, row)?,
            Row::Alias(row) => customers::alias(&transaction, row)?,
            Row::Deleted(row) => deleted::message(&transaction, *row)?,
        }
    }
    transaction.commit()
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

fn event(transaction: &Transaction<'_>, row: &EventRow) -> rusqlite::Result<()> {
    let conversation = &row.conversation;
    transaction
        .prepare_cached(
            "INSERT INTO history (conversation, seq, at_ms, record) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            conversation.conversation_id.as_bytes(),
            conversation.seq,
            row.at_ms,
            row.record,
        ])?;
    if let Some((message_id, kind)) = row.message {
        transaction
            .prepare_cached(
                "INSERT INTO messages \
                 (id, tenant, contact, channel, kind, accepted_at_ms, conversation, seq) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET \
                 conversation = excluded.conversation, seq = excluded.seq, text_sealed = NULL",
            )?
            .execute(params![
                message_id.as_bytes(),
                row.key.tenant,
                row.key.contact.as_bytes(),
                conversation.channel.as_str(),
                kind.as_str(),
                row.at_ms,
                conversation.conversation_id.as_bytes(),
                conversation.seq,
            ])?;
    }
    stand(transaction, &row.key.contact.0, conversation)
}

/// Where the conversation stands. What only some lines tell keeps the latest line's word.
fn stand(
    transaction: &Transaction<'_>,
    contact: &[u8],
    row: &ConversationRow,
) -> rusqlite::Result<()> {
    let turn = row.turn.as_ref();
    transaction.prepare_cached(UPSERT_CONVERSATION)?.execute(params![
        row.conversation_id.as_bytes(),
        row.tenant,
        contact,
        row.protocol,
        row.channel.as_str(),
        row.state.as_str(),
        row.owner,
        row.queue,
        rank(row.priority),
        row.sla_due_ms,
        row.opened_at_ms,
        row.updated_at_ms,
        row.seq,
        row.contact_sealed.as_ref().map(sealed_to_bytes),
        row.last_text_sealed.as_ref().map(sealed_to_bytes),
        row.last_text_sealed.as_ref().map_or(0, |_| row.seq),
        turn.map_or(0, |_| row.seq),
        turn.and_then(|turn| turn.intent.as_deref()),
        turn.and_then(|turn| turn.confidence),
        turn.and_then(|turn| turn.sentiment.as_deref()),
        turn.map(|turn| turn.route.as_str()),
        turn.map(|turn| turn.reason.as_str()),
    ])?;
    Ok(())
}

const UPSERT_CONVERSATION: &str = "
INSERT INTO conversations (id, tenant, contact, protocol, channel, state, owner, queue, priority,
    sla_due_ms, opened_at_ms, updated_at_ms, seq, contact_sealed, last_text_sealed, last_text_seq,
    turn_seq, intent, confidence, sentiment, route, reason)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20,
    ?21, ?22)
ON CONFLICT (id) DO UPDATE SET
    state = iif(excluded.seq > seq, excluded.state, state),
    owner = iif(excluded.seq > seq, excluded.owner, owner),
    queue = iif(excluded.seq > seq, excluded.queue, queue),
    priority = iif(excluded.seq > seq, excluded.priority, priority),
    sla_due_ms = iif(excluded.seq > seq, excluded.sla_due_ms, sla_due_ms),
    updated_at_ms = iif(excluded.seq > seq, excluded.updated_at_ms, updated_at_ms),
    contact_sealed = coalesce(contact_sealed, excluded.contact_sealed),
    last_text_sealed = iif(excluded.last_text_seq > last_text_seq,
        excluded.last_text_sealed, last_text_sealed),
    last_text_seq = max(last_text_seq, excluded.last_text_seq),
    intent = iif(excluded.turn_seq > turn_seq, excluded.intent, intent),
    confidence = iif(excluded.turn_seq > turn_seq, excluded.confidence, confidence),
    sentiment = iif(excluded.turn_seq > turn_seq, excluded.sentiment, sentiment),
    route = iif(excluded.turn_seq > turn_seq, excluded.route, route),
    reason = iif(excluded.turn_seq > turn_seq, excluded.reason, reason),
    turn_seq = max(turn_seq, excluded.turn_seq),
    seq = max(seq, excluded.seq)";

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

/// First record not applied, by partition.
pub(super) fn positions(
    connection: &Connection,
    topic: Topic,
) -> rusqlite::Result<Vec<(u32, Offset)>> {
    connection
        .prepare_cached("SELECT partition, position FROM positions WHERE topic = ?1")?
        .query_map([topic.0], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))?
        .collect()
}

/// Writes down that everything below `positions` is applied.
pub(super) fn pass(
    connection: &mut Connection,
    topic: Topic,
    positions: &[(u32, Offset)],
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for (partition, position) in positions {
        transaction
            .prepare_cached(
                "INSERT INTO positions (topic, partition, position) VALUES (?1, ?2, ?3) \
                 ON CONFLICT DO UPDATE SET position = excluded.position",
            )?
            .execute(params![topic.0, partition, position.cast_signed()])?;
    }
    transaction.commit()
}
