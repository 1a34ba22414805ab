//! The store: what people's queries are answered from. SQLite and ScyllaDB pass one conformance
//! suite ([`crate::testkit`]).
//!
//! Invariants: applying a row twice, or after a later one of the same conversation, changes nothing;
//! a query never shows half a row; no column holds readable text of customers.

mod columns;
#[cfg(feature = "scylla")]
pub mod cql;
pub mod sqlite;
#[cfg(feature = "scylla")]
pub mod view;

use async_trait::async_trait;
use pipeline::Offset;
use schemas::conversation::{Conversation, ConversationState};
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;

use crate::customers::LinkRow;
use crate::rows::{AcceptedRow, CheckRow, ConversationRow, Row};

/// For how many days after a conversation opened its turns are shown to be looked at.
pub const CHECK_DAYS: i64 = 14;

/// The day a conversation opened, out of its id (since 1970, UTC).
fn day_of(id: ConversationId) -> i64 {
    let [.., a, b, c, d] = id.0;
    i64::from(u32::from_be_bytes([a, b, c, d])) / 86_400
}

/// The days whose conversations are shown at `now_ms` (Unix), latest first.
fn check_days(now_ms: i64) -> impl Iterator<Item = i64> {
    let today = now_ms.div_euclid(86_400_000);
    (0..=CHECK_DAYS).map(move |ago| today - ago)
}

/// Whether people have, or wait for, a conversation in this state.
fn held(state: ConversationState) -> bool {
    use ConversationState::{Assigned, Queued, WaitingCustomer};
    matches!(state, Queued | Assigned | WaitingCustomer)
}

/// Turns as a column holds them.
fn turns_to_text(turns: &[i64]) -> String {
    turns.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn turns_from_text(text: &str) -> Vec<i64> {
    text.split(',').filter_map(|turn| turn.parse().ok()).collect()
}

/// Why the store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Worth another try.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// An operator must look: wrong format, broken file.
    #[error("the store cannot be used: {0}")]
    Broken(String),
}

/// Which conversations to list. Conditions left out hold always.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<ConversationState>,
    /// In this queue.
    pub queue: Option<String>,
    /// Of this agent.
    pub owner: Option<String>,
    /// Those that changed before this moment (Unix, ms): for the next page.
    pub updated_before_ms: Option<i64>,
}

/// In which order conversations are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// What people should look at first: deadline, then priority, then age.
    Urgency,
    /// What changed last comes first.
    Recent,
}

/// How a queue stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueRow {
    /// Its name.
    pub queue: String,
    /// How many conversations wait.
    pub waiting: u64,
    /// How many are with an agent.
    pub assigned: u64,
    /// When the oldest that waits began (Unix, ms).
    pub oldest_ms: Option<i64>,
    /// How many waiting are past their deadline.
    pub overdue: u64,
}

/// A message and where it is in the history.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRow {
    /// As the door accepted it.
    pub accepted: AcceptedRow,
    /// The line of the history that holds it, once there is one.
    pub line: Option<(ConversationId, i64)>,
}

/// The store.
#[async_trait]
pub trait Store: Send + Sync {
    /// Applies rows, all or none.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing was applied, or it may be applied again without harm.
    async fn apply(&self, rows: Vec<Row>) -> Result<(), StoreError>;

    /// First record of `topic` not applied, by partition; `None` when the store leaves that to the
    /// log.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn positions(&self, topic: Topic) -> Result<Option<Vec<(u32, Offset)>>, StoreError>;

    /// Everything of `topic` below these positions is applied.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn pass(&self, topic: Topic, positions: &[(u32, Offset)]) -> Result<(), StoreError>;

    /// One conversation.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn conversation(&self, id: ConversationId)
    -> Result<Option<ConversationRow>, StoreError>;

    /// The contact's latest conversation.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn latest_of(&self, contact: &LineKey) -> Result<Option<ConversationRow>, StoreError>;

    /// The contact's conversations that opened before `behind` (`None`: all), those that opened last first,
    /// at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn conversations_of(
        &self,
        contact: &LineKey,
        behind: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError>;

    /// The links that were ever made at the contact, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn links_of(&self, contact: &LineKey) -> Result<Vec<LinkRow>, StoreError>;

    /// Other contacts that go by one of the contact's names, least key first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn alike(&self, contact: &LineKey, limit: usize) -> Result<Vec<ContactKey>, StoreError>;

    /// The history of a conversation behind `after_seq`, at most `limit` lines, with their times
    /// (Unix, ms).
    ///
    /// # Errors
    /// [`StoreError`].
    async fn history(
        &self,
        id: ConversationId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Conversation)>, StoreError>;

    /// Conversations of `tenant`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn conversations(
        &self,
        tenant: &str,
        filter: &Filter,
        order: Order,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError>;

    /// How the queues of `tenant` stand at `now_ms` (Unix).
    ///
    /// # Errors
    /// [`StoreError`].
    async fn queues(&self, tenant: &str, now_ms: i64) -> Result<Vec<QueueRow>, StoreError>;

    /// How many conversations are to be looked at before this one, in its queue.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn ahead_of(&self, id: ConversationId) -> Result<Option<u64>, StoreError>;

    /// One message.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn message(&self, id: MessageId) -> Result<Option<MessageRow>, StoreError>;

    /// Conversations of `tenant` with turns people are to look at, those that opened last first; at
    /// most `limit`, and none that opened more than [`CHECK_DAYS`] before `now_ms` (Unix).
    ///
    /// # Errors
    /// [`StoreError`].
    async fn checks(
        &self,
        tenant: &str,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<CheckRow>, StoreError>;

    /// What was counted from minute `from` to before minute `to` (since 1970, UTC), by minute.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn minutes(
        &self,
        tenant: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<MinuteMetrics>, StoreError>;
}
