//! What doors ask of the store, answered from the store's queries.

use std::sync::Arc;

use async_trait::async_trait;
use ingest::door::{History, HistoryError, QueuePlace, Trace};
use pipeline::clock::Clock;
use schemas::conversation::{Conversation, ConversationState};
use schemas::ids::{ConversationId, LineKey, MessageId};
use sink::{Store, StoreError};

use super::estimate;

/// Lines of a conversation read at once.
const LINES_MAX: usize = 1_000;

/// The store, as doors see it.
pub(super) struct StoredHistory {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
}

#[allow(clippy::needless_pass_by_value)] // the shape map_err wants
fn failed(error: StoreError) -> HistoryError {
    HistoryError(error.to_string())
}

impl StoredHistory {
    /// All lines of a conversation, however many: whoever resumes needs the last of them most.
    async fn whole(&self, id: ConversationId) -> Result<Vec<(i64, Conversation)>, HistoryError> {
        let mut lines: Vec<(i64, Conversation)> = Vec::new();
        loop {
            let seen = lines.last().map_or(0, |(_, line)| line.seq);
            let page = self.store.history(id, seen, LINES_MAX).await.map_err(failed)?;
            let is_last = page.len() < LINES_MAX;
            lines.extend(page);
            if is_last {
                return Ok(lines);
            }
        }
    }
}

#[async_trait]
impl History for StoredHistory {
    async fn trace(&self, id: MessageId) -> Result<Option<Trace>, HistoryError> {
        let Some(found) = self.store.message(id).await.map_err(failed)? else { return Ok(None) };
        let history = match found.line {
            None => Vec::new(),
            Some((conversation, seq)) => {
                self.store.history(conversation, seq - 1, LINES_MAX).await.map_err(failed)?
            }
        };
        Ok(Some(Trace {
            key: found.accepted.key,
            accepted_at_ms: found.accepted.accepted_at_ms,
            history,
        }))
    }

    async fn latest_of(&self, contact: &LineKey) -> Result<Vec<(i64, Conversation)>, HistoryError> {
        let latest = self.store.latest_of(contact).await.map_err(failed)?;
        match latest {
            // A conversation that is over is not gone on with.
            Some(row) if row.state != ConversationState::Closed => {
                self.whole(row.conversation_id).await
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn place(&self, id: ConversationId) -> Result<Option<QueuePlace>, HistoryError> {
        let Some(ahead) = self.store.ahead_of(id).await.map_err(failed)? else { return Ok(None) };
        let Some(row) = self.store.conversation(id).await.map_err(failed)? else { return Ok(None) };
        let to = self.clock.now_ms().div_euclid(60_000) + 1;
        let from = to - estimate::MINUTES;
        let minutes = self.store.minutes(&row.tenant, from, to).await.map_err(failed)?;
        let name = format!("taken/{}", row.queue.as_deref().unwrap_or_default());
        let taken: i64 = minutes.iter().filter_map(|minute| minute.values.get(&name)).sum();
        let position = ahead + 1;
        Ok(Some(QueuePlace { position, wait: estimate::wait(position, taken) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline::clock::SystemClock;
    use schemas::Avro;
    use sink::rows::Row;
    use sink::store::sqlite::SqliteStore;
    use sink::testkit::Story;

    #[tokio::test]
    async fn a_long_conversation_is_resumed_to_its_last_line() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(&dir.path().join("store.db")).unwrap());
        let story = Story::new(1);
        store.apply(story.rows()).await.unwrap();
        let rows = story.rows();
        let last = rows.iter().rev().find_map(|row| match row {
            Row::Event(last) => Some(last),
            _ => None,
        });
        let lines = i64::try_from(2 * LINES_MAX).unwrap();
        let more = (story.records() + 1..=lines).map(|seq| {
            let mut row = last.unwrap().clone();
            let mut record = Conversation::from_bytes(&row.record).unwrap();
            (record.seq, row.conversation.seq) = (seq, seq);
            row.record = record.to_bytes().unwrap();
            Row::Event(row)
        });
        store.apply(more.collect()).await.unwrap();
        let history = StoredHistory { store, clock: Arc::new(SystemClock) };
        let known = history.latest_of(&story.key).await.unwrap();
        let seqs: Vec<i64> = known.iter().map(|(_, line)| line.seq).collect();
        assert_eq!(seqs, (1..=lines).collect::<Vec<_>>());
    }
}
