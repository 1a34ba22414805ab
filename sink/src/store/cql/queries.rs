//! Answers that need one conversation, message, contact or span of minutes.

use futures::TryStreamExt;
use futures::stream::{self, StreamExt};
use pipeline::Offset;
use schemas::Avro;
use schemas::conversation::{Conversation, ConversationEvent};
use schemas::ids::{ConversationId, LineKey, MessageId};
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;

use super::Shared;
use super::apply::span_of;
use super::cells::{MessageCells, StandCells, block_of};
use super::connect::unreadable;
use crate::rows::{AcceptedRow, CheckRow, ConversationRow};
use crate::store::{MessageRow, StoreError, check_days, turns_from_text};

/// Partitions read at once.
pub(super) const READS_MAX: usize = 16;

pub(super) async fn conversation(
    shared: &Shared,
    id: ConversationId,
) -> Result<Option<ConversationRow>, StoreError> {
    let found: Option<StandCells> =
        shared.first(&shared.statements.stand_of, (id.as_bytes(),)).await?;
    found.map_or(Ok(None), |cells| cells.row(id))
}

pub(super) async fn latest_of(
    shared: &Shared,
    contact: &LineKey,
) -> Result<Option<ConversationRow>, StoreError> {
    let key = (&contact.tenant, contact.contact.as_bytes());
    let found: Option<(Option<Vec<u8>>,)> = shared.first(&shared.statements.latest_of, key).await?;
    match found.and_then(|(id,)| id).as_deref().and_then(ConversationId::from_slice) {
        Some(id) => conversation(shared, id).await,
        None => Ok(None),
    }
}

/// Lines are numbered without gaps, so the blocks are read from the first one wanted until one is
/// not full or the limit is reached.
pub(super) async fn history(
    shared: &Shared,
    id: ConversationId,
    after_seq: i64,
    limit: usize,
) -> Result<Vec<(i64, Conversation)>, StoreError> {
    let mut lines = Vec::new();
    let mut after_seq = after_seq.max(0);
    while lines.len() < limit {
        let block = block_of(after_seq + 1);
        let rest = i32::try_from(limit - lines.len()).unwrap_or(i32::MAX);
        let key = (id.as_bytes(), block, after_seq, rest);
        let found: Vec<(i64, Vec<u8>)> = shared.rows(&shared.statements.lines_of, key).await?;
        for (at_ms, record) in found {
            let line = Conversation::from_bytes(&record).map_err(|error| unreadable(&error))?;
            after_seq = line.seq;
            lines.push((at_ms, line));
        }
        if block_of(after_seq + 1) == block {
            break; // the block goes on, so what came last is the last there is
        }
    }
    Ok(lines)
}

/// The line is told only when it is there: the two are written at once, but one may come first. Then
/// the history holds the text, and the message does not show it any more.
pub(super) async fn message(
    shared: &Shared,
    id: MessageId,
) -> Result<Option<MessageRow>, StoreError> {
    let found: Option<MessageCells> =
        shared.first(&shared.statements.message_of, (id.as_bytes(),)).await?;
    let Some(cells) = found else { return Ok(None) };
    let line = cells.line()?;
    let accepted = cells.accepted(id)?;
    let Some((conversation, seq)) = line else {
        return Ok(accepted.map(|accepted| MessageRow { accepted, line: None }));
    };
    let key = (conversation.as_bytes(), block_of(seq), seq);
    let held: Option<(i64, Vec<u8>)> = shared.first(&shared.statements.line_of, key).await?;
    let Some((at_ms, record)) = held else {
        return Ok(accepted.map(|accepted| MessageRow { accepted, line: None }));
    };
    // No door told of it, or that has been forgotten: the line knows as much.
    let accepted = match accepted {
        Some(accepted) => AcceptedRow {
            accepted_at_ms: accepted.accepted_at_ms.min(at_ms),
            text_sealed: None,
            ..accepted
        },
        None => accepted_by(id, at_ms, &record)?,
    };
    Ok(Some(MessageRow { accepted, line }))
}

/// The line of the history that holds a message.
pub(super) async fn line_of(
    shared: &Shared,
    id: MessageId,
) -> Result<Option<(ConversationId, i64)>, StoreError> {
    let found: Option<MessageCells> =
        shared.first(&shared.statements.message_of, (id.as_bytes(),)).await?;
    found.map_or(Ok(None), |cells| cells.line())
}

/// A message as the line that holds it knows it.
fn accepted_by(
    message_id: MessageId,
    accepted_at_ms: i64,
    record: &[u8],
) -> Result<AcceptedRow, StoreError> {
    let line = Conversation::from_bytes(record).map_err(|error| unreadable(&error))?;
    let ConversationEvent::MessageReceived(received) = line.event else {
        return Err(unreadable(&"a message's line holds no message"));
    };
    Ok(AcceptedRow {
        message_id,
        key: LineKey { tenant: line.tenant, contact: line.conversation_id.contact() },
        channel: line.channel,
        kind: received.head.kind,
        accepted_at_ms,
        text_sealed: None,
    })
}

pub(super) async fn checks(
    shared: &Shared,
    tenant: &str,
    now_ms: i64,
    limit: usize,
) -> Result<Vec<CheckRow>, StoreError> {
    type Cells = (Vec<u8>, Option<i64>, Option<i64>, Option<String>);
    let mut found = Vec::new();
    for day in check_days(now_ms) {
        let rows: Vec<Cells> = shared.rows(&shared.statements.checks_of, (tenant, day)).await?;
        for (id, seq, at_ms, turns) in rows {
            let turns = turns_from_text(&turns.unwrap_or_default());
            let Some(conversation_id) = ConversationId::from_slice(&id) else { continue };
            if !turns.is_empty() {
                found.push(CheckRow {
                    conversation_id,
                    tenant: tenant.to_owned(),
                    seq: seq.unwrap_or_default(),
                    at_ms: at_ms.unwrap_or_default(),
                    turns,
                });
            }
        }
        if found.len() >= limit {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// The partitions of a minute are summed up.
pub(super) async fn minutes(
    shared: &Shared,
    tenant: &str,
    from: i64,
    to: i64,
) -> Result<Vec<MinuteMetrics>, StoreError> {
    if to <= from {
        return Ok(Vec::new());
    }
    let spans = span_of(from)..=span_of(to - 1);
    let parts: Vec<Vec<(Vec<u8>,)>> = stream::iter(spans)
        .map(|span| shared.rows(&shared.statements.minutes_of, (tenant, span, from, to)))
        .buffered(READS_MAX)
        .try_collect()
        .await?;
    let mut summed: Vec<MinuteMetrics> = Vec::new();
    for (counted,) in parts.into_iter().flatten() {
        let part = MinuteMetrics::from_bytes(&counted).map_err(|error| unreadable(&error))?;
        match summed.last_mut().filter(|last| last.minute == part.minute) {
            None => summed.push(part),
            Some(minute) => {
                for (name, value) in part.values {
                    *minute.values.entry(name).or_default() += value;
                }
            }
        }
    }
    Ok(summed)
}

pub(super) async fn positions(
    shared: &Shared,
    topic: Topic,
) -> Result<Vec<(u32, Offset)>, StoreError> {
    let found: Vec<(i32, i64)> = shared.rows(&shared.statements.positions_of, (topic.0,)).await?;
    Ok(found
        .into_iter()
        .map(|(at, position)| (at.cast_unsigned(), position.cast_unsigned()))
        .collect())
}
