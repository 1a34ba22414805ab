//! What customers take back: the lines stay, what was said goes.
//!
//! It is rare, so the lines are read first. A line is written once more, without the text, by a timestamp just
//! above its own: the line as it was, applied again, loses against it. Nothing is deleted, so no tombstone comes
//! of it.

use schemas::Avro;
use schemas::conversation::Conversation;
use schemas::ids::{ConversationId, MessageId};

use super::cells::block_of;
use super::{Shared, queries, stamps};
use crate::rows::{self, DeletedRow};
use crate::store::StoreError;

/// Lines read at once.
const LINES_MAX: usize = 1_000;

/// Takes the text of a message out of everything that tells of it.
pub(super) async fn message(shared: &Shared, row: DeletedRow) -> Result<(), StoreError> {
    let id = row.message_id;
    let now_ms = shared.clock.now_ms();
    let Some(ttl_s) = stamps::ttl_s(shared.retention, row.at_ms, now_ms) else { return Ok(()) };
    let cells = (id.as_bytes(), Vec::<u8>::new(), stamps::taken_back(), ttl_s);
    shared.execute(&shared.statements.taken_back, cells).await?;
    match queries::line_of(shared, id).await? {
        Some((conversation, first)) => lines(shared, conversation, first, id).await,
        None => Ok(()),
    }
}

/// Takes it out of the lines from `first` on: those before it know nothing of the message.
async fn lines(
    shared: &Shared,
    conversation: ConversationId,
    first: i64,
    id: MessageId,
) -> Result<(), StoreError> {
    let mut after = first - 1;
    let (mut changed, mut last_text_is_its) = (Vec::new(), false);
    loop {
        let lines = queries::history(shared, conversation, after, LINES_MAX).await?;
        let Some((_, last)) = lines.last() else { break };
        after = last.seq;
        for (at_ms, mut line) in lines {
            let had_text = rows::has_text(&line);
            let is_its = rows::take_back(&mut line, id);
            last_text_is_its = if had_text { is_its } else { last_text_is_its };
            changed.extend(is_its.then_some((at_ms, line)));
        }
    }
    // First what is told by the lines as they were: after them nobody would know that it is to be done.
    if last_text_is_its {
        no_last_text(shared, conversation, after + 1, changed.last().map_or(0, |(at, _)| *at))
            .await?;
    }
    for (at_ms, line) in &changed {
        write(shared, *at_ms, line).await?;
    }
    Ok(())
}

/// A text that is written with the line of `next_seq` wins: of equal timestamps the greater value does.
async fn no_last_text(
    shared: &Shared,
    conversation: ConversationId,
    next_seq: i64,
    at_ms: i64,
) -> Result<(), StoreError> {
    let ttl_s = stamps::ttl_s(shared.retention, at_ms, shared.clock.now_ms());
    let Some(ttl_s) = ttl_s else { return Ok(()) };
    let stamp = stamps::line(conversation, next_seq);
    let cells = (conversation.as_bytes(), 0_i32, Vec::<u8>::new(), stamp, ttl_s);
    shared.execute(&shared.statements.no_last_text, cells).await
}

async fn write(shared: &Shared, at_ms: i64, line: &Conversation) -> Result<(), StoreError> {
    let ttl_s = stamps::ttl_s(shared.retention, at_ms, shared.clock.now_ms());
    let Some(ttl_s) = ttl_s else { return Ok(()) };
    let record = line.to_bytes().map_err(|error| StoreError::Broken(error.to_string()))?;
    let (id, seq) = (line.conversation_id, line.seq);
    let cells = (id.as_bytes(), block_of(seq), seq, record, stamps::line(id, seq + 1), ttl_s);
    shared.execute(&shared.statements.reworded, cells).await
}
