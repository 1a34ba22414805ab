//! What doors ask of the store, answered from the store's queries.

use std::sync::Arc;

use async_trait::async_trait;
use ingest::door::{History, HistoryError, QueuePlace, Trace};
use pipeline::clock::Clock;
use schemas::conversation::{Conversation, ConversationState};
use schemas::ids::{ConversationId, LineKey, MessageId};
use sink::{Store, StoreError};

/// Lines of a conversation looked at.
const LINES_MAX: usize = 1_000;
/// Minutes of the past an estimate is made from.
const ESTIMATE_MINUTES: i64 = 60;

/// The store, as doors see it.
pub(super) struct StoredHistory {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
}

#[allow(clippy::needless_pass_by_value)] // the shape map_err wants
fn failed(error: StoreError) -> HistoryError {
    HistoryError(error.to_string())
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
                self.store.history(row.conversation_id, 0, LINES_MAX).await.map_err(failed)
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn place(&self, id: ConversationId) -> Result<Option<QueuePlace>, HistoryError> {
        let Some(ahead) = self.store.ahead_of(id).await.map_err(failed)? else { return Ok(None) };
        let Some(row) = self.store.conversation(id).await.map_err(failed)? else { return Ok(None) };
        let to = self.clock.now_ms().div_euclid(60_000) + 1;
        let minutes =
            self.store.minutes(&row.tenant, to - ESTIMATE_MINUTES, to).await.map_err(failed)?;
        let looked_after: i64 =
            minutes.iter().filter_map(|minute| minute.values.get("resolved/human")).sum();
        // People ended so many conversations in the last hour: at that pace, one after the other.
        let eta_s = (looked_after > 0)
            .then(|| (ahead + 1) * (ESTIMATE_MINUTES * 60 / looked_after).unsigned_abs())
            // Beyond what was looked at it is no estimate any more.
            .filter(|eta_s| *eta_s <= ESTIMATE_MINUTES.unsigned_abs() * 60);
        Ok(Some(QueuePlace { position: ahead + 1, eta_s }))
    }
}
