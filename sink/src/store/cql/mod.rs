//! The store on ScyllaDB or Cassandra (ADR 6), and the once-ledger beside it.
//!
//! Tables are made for the queries, partitions are bounded, and every write is an upsert whose
//! timestamp comes from what is written ([`stamps`]). What needs order across conversations (queues,
//! lists) comes from a view in memory ([`OpenView`]), loaded from the database and kept current by
//! following the log: whoever answers queries must feed it ([`CqlStore::view`]).
//!
//! Weaker than SQLite: rows applied together become visible one after the other, never half a row;
//! after a failure some of them may be there.

mod apply;
mod cells;
mod connect;
mod customers;
mod deleted;
mod ledger;
mod lists;
mod migrate;
mod options;
mod queries;
mod slots;
mod stamps;
mod statements;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::TryStreamExt;
use pipeline::Offset;
use pipeline::clock::Clock;
use schemas::conversation::Conversation;
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;
use scylla::client::session::Session;
use scylla::deserialize::row::DeserializeRow;
use scylla::serialize::row::SerializeRow;
use scylla::statement::prepared::PreparedStatement;

use super::view::OpenView;
use super::{Filter, MessageRow, Order, QueueRow, Store, StoreError};
use crate::customers::LinkRow;
use crate::rows::{CheckRow, ConversationRow, Row};
use connect::{Profiles, failed, unreadable};
use statements::Statements;

pub use ledger::CqlLedger;
pub use options::{Consistency, CqlOptions, Replication, Serial, Tls};

/// The store.
#[derive(Clone)]
pub struct CqlStore {
    shared: Arc<Shared>,
}

struct Shared {
    session: Session,
    statements: Statements,
    clock: Arc<dyn Clock>,
    retention: Option<Duration>,
    open_max: Duration,
    news: slots::News,
    view: Arc<OpenView>,
    loading: tokio::sync::Mutex<()>,
}

impl CqlStore {
    /// Opens the store. Its schema must be there: [`CqlStore::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Broken`] when the schema is another, [`StoreError::Unavailable`] when no node
    /// answers.
    pub async fn open(options: &CqlOptions) -> Result<Self, StoreError> {
        let profiles = Profiles::of(options);
        let session = connect::session(options, &profiles, true).await?;
        migrate::check(&session, &options.keyspace).await?;
        let statements = Statements::prepare(&session, &profiles).await?;
        let shared = Shared {
            session,
            statements,
            clock: Arc::clone(&options.clock),
            retention: options.retention,
            open_max: options.open_max,
            news: slots::News::default(),
            view: Arc::default(),
            loading: tokio::sync::Mutex::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Makes the keyspace and the tables, or brings them up to this release. Gives the versions that
    /// were run: none when there was nothing to do.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn migrate(options: &CqlOptions) -> Result<Vec<i32>, StoreError> {
        migrate::migrate(options).await
    }

    /// What queues and lists are answered from. A process that answers queries and is not the only
    /// one that writes feeds it with the topic `conversations` ([`super::view::tail_behind`]).
    #[must_use]
    pub fn view(&self) -> Arc<OpenView> {
        Arc::clone(&self.shared.view)
    }
}

impl Shared {
    async fn execute(
        &self,
        statement: &PreparedStatement,
        cells: impl SerializeRow,
    ) -> Result<(), StoreError> {
        let done = self.session.execute_unpaged(statement, cells).await;
        done.map_err(|error| failed(&error)).map(|_| ())
    }

    /// All rows of a partition, page by page.
    async fn rows<R>(
        &self,
        statement: &PreparedStatement,
        key: impl SerializeRow,
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'frame, 'meta> DeserializeRow<'frame, 'meta> + 'static,
    {
        let pages = self.session.execute_iter(statement.clone(), key).await;
        let pages = pages.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let rows = pages.rows_stream::<R>().map_err(|error| unreadable(&error))?;
        rows.try_collect().await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// The row there is at most one of.
    async fn first<R>(
        &self,
        statement: &PreparedStatement,
        key: impl SerializeRow,
    ) -> Result<Option<R>, StoreError>
    where
        R: for<'frame, 'meta> DeserializeRow<'frame, 'meta>,
    {
        let found = self.session.execute_unpaged(statement, key).await;
        let found = found.map_err(|error| failed(&error))?.into_rows_result();
        let found = found.map_err(|error| unreadable(&error))?;
        found.maybe_first_row().map_err(|error| unreadable(&error))
    }
}

#[async_trait]
impl Store for CqlStore {
    async fn apply(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        apply::all(&self.shared, &rows).await
    }

    async fn positions(&self, topic: Topic) -> Result<Option<Vec<(u32, Offset)>>, StoreError> {
        queries::positions(&self.shared, topic).await.map(Some)
    }

    async fn pass(&self, topic: Topic, positions: &[(u32, Offset)]) -> Result<(), StoreError> {
        apply::pass(&self.shared, topic, positions).await
    }

    async fn conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<ConversationRow>, StoreError> {
        queries::conversation(&self.shared, id).await
    }

    async fn latest_of(&self, contact: &LineKey) -> Result<Option<ConversationRow>, StoreError> {
        queries::latest_of(&self.shared, contact).await
    }

    async fn conversations_of(
        &self,
        contact: &LineKey,
        behind: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        customers::conversations_of(&self.shared, contact, behind, limit).await
    }

    async fn links_of(&self, contact: &LineKey) -> Result<Vec<LinkRow>, StoreError> {
        customers::links_of(&self.shared, contact).await
    }

    async fn alike(&self, contact: &LineKey, limit: usize) -> Result<Vec<ContactKey>, StoreError> {
        customers::alike(&self.shared, contact, limit).await
    }

    async fn history(
        &self,
        id: ConversationId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Conversation)>, StoreError> {
        queries::history(&self.shared, id, after_seq, limit).await
    }

    async fn conversations(
        &self,
        tenant: &str,
        filter: &Filter,
        order: Order,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        lists::conversations(&self.shared, tenant, filter, order, limit).await
    }

    async fn queues(&self, tenant: &str, now_ms: i64) -> Result<Vec<QueueRow>, StoreError> {
        lists::load(&self.shared, tenant).await?;
        Ok(self.shared.view.queues(tenant, now_ms))
    }

    async fn ahead_of(&self, id: ConversationId) -> Result<Option<u64>, StoreError> {
        let Some(row) = queries::conversation(&self.shared, id).await? else { return Ok(None) };
        lists::load(&self.shared, &row.tenant).await?;
        Ok(self.shared.view.ahead_of(&row.tenant, id))
    }

    async fn message(&self, id: MessageId) -> Result<Option<MessageRow>, StoreError> {
        queries::message(&self.shared, id).await
    }

    async fn checks(
        &self,
        tenant: &str,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<CheckRow>, StoreError> {
        queries::checks(&self.shared, tenant, now_ms, limit).await
    }

    async fn minutes(
        &self,
        tenant: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<MinuteMetrics>, StoreError> {
        queries::minutes(&self.shared, tenant, from, to).await
    }
}
