//! What a door asks of the store. Implemented where the parts are put together.

use async_trait::async_trait;
use schemas::conversation::Conversation;
use schemas::ids::{ConversationId, LineKey, MessageId};

/// The store does not answer.
#[derive(Debug, thiserror::Error)]
#[error("the store does not answer: {0}")]
pub struct HistoryError(pub String);

/// What the store remembers of a message.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// Whose customer wrote, and who.
    pub key: LineKey,
    /// When a door accepted it (Unix, ms).
    pub accepted_at_ms: i64,
    /// The history from the line that holds the message on, with times (Unix, ms).
    pub history: Vec<(i64, Conversation)>,
}

/// Where a conversation stands in its queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuePlace {
    /// From 1: who is next.
    pub position: u64,
    /// How long somebody will probably take to look; absent where too little is known.
    pub wait: Option<Wait>,
}

/// A wait as a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait {
    /// Hardly less, in seconds.
    pub s_min: u64,
    /// Hardly more, in seconds.
    pub s_max: u64,
}

/// What the store remembers.
#[async_trait]
pub trait History: Send + Sync {
    /// What became of a message.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn trace(&self, id: MessageId) -> Result<Option<Trace>, HistoryError>;

    /// The contact's latest conversation: its whole history with times (Unix, ms).
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn latest_of(&self, contact: &LineKey) -> Result<Vec<(i64, Conversation)>, HistoryError>;

    /// Where a conversation stands in its queue, if it waits.
    ///
    /// # Errors
    /// [`HistoryError`].
    async fn place(&self, id: ConversationId) -> Result<Option<QueuePlace>, HistoryError>;
}
