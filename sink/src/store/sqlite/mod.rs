//! The store in one SQLite file, `store.db`, readable with the sqlite3 command while it runs.
//!
//! A view: deleting it loses nothing, the next start makes it anew from the log. Commits are not
//! synced; what a power cut takes is taken up again from the positions written after the rows.

mod apply;
mod customers;
mod deleted;
mod lines;
mod queries;
mod tables;
mod together;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::Mutex;
use pipeline::Offset;
use rusqlite::Connection;
use schemas::conversation::Conversation;
use schemas::ids::{ContactKey, ConversationId, LineKey, MessageId};
use schemas::state::MinuteMetrics;
use schemas::topics::Topic;
use tokio::sync::Semaphore;

use self::together::{Portion, Together, Wanted};
use super::{Filter, MessageRow, Order, QueueRow, Store, StoreError};
use crate::customers::LinkRow;
use crate::rows::{CheckRow, ConversationRow, Row};

/// Reads at once, each on a connection of its own. More would not be faster, and each costs memory.
const READERS_MAX: usize = 4;

/// The store.
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    writer: Mutex<Connection>,
    together: Together,
    readers: Mutex<Vec<Connection>>,
    reading: Semaphore,
}

impl SqliteStore {
    /// Opens the store at `path`, creating it if there is none.
    ///
    /// # Errors
    /// [`StoreError::Broken`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let writer = tables::open(path)?;
        let shared = Shared {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            together: Together::new(),
            readers: Mutex::default(),
            reading: Semaphore::new(READERS_MAX),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// When the oldest conversation began (Unix, ms).
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn oldest_ms(&self) -> Result<Option<i64>, StoreError> {
        self.read(queries::oldest_ms).await
    }

    /// Writes everything into the one file, so that it may be moved.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], also while somebody still reads.
    pub async fn gather(&self) -> Result<(), StoreError> {
        let busy = self
            .write(|connection| {
                connection
                    .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
            })
            .await?;
        if busy == 0 { Ok(()) } else { Err(StoreError::Unavailable("it is being read".to_owned())) }
    }

    /// Takes over the minute metrics of the store at `other` that this one does not have. Gives how
    /// many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn carry_minutes(&self, other: &Path) -> Result<usize, StoreError> {
        let other = other.to_string_lossy().into_owned();
        self.write(move |connection| {
            connection.execute("ATTACH ?1 AS other", [other])?;
            let carried = connection
                .execute("INSERT OR IGNORE INTO minutes SELECT * FROM other.minutes", [])?;
            connection.execute("DETACH other", [])?;
            Ok(carried)
        })
        .await
    }

    /// What was counted for `tenant` from minute `from` to before minute `to`, as it was counted: a
    /// row for each source partition.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn minute_rows(
        &self,
        tenant: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<MinuteMetrics>, StoreError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| queries::minute_rows(connection, &tenant, from, to)).await
    }

    /// The first minute anything was counted in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn first_minute(&self) -> Result<Option<i64>, StoreError> {
        self.read(|connection| {
            connection.query_row("SELECT min(minute) FROM minutes", [], |row| row.get(0))
        })
        .await
    }

    /// Runs `work` on the writing connection, off the async workers.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || work(&mut shared.writer.lock())).await;
        done.map_err(|_| broke_down())?.map_err(|error| tables::unavailable(&error))
    }

    /// Has it written, with what others want written.
    async fn write_together(&self, wanted: Wanted) -> Result<(), StoreError> {
        let write = |portion: Portion| {
            self.write(move |connection| {
                portion.write(connection);
                Ok(())
            })
        };
        self.shared.together.write(wanted, write).await
    }

    /// Runs `work` on a reading connection, off the async workers.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let turn = self.shared.reading.acquire().await;
        let _turn = turn.map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let shared = Arc::clone(&self.shared);
        let done = tokio::task::spawn_blocking(move || {
            let idle = shared.readers.lock().pop();
            let connection = match idle {
                Some(connection) => connection,
                None => tables::reader(&shared.path)?,
            };
            let found = work(&connection).map_err(|error| tables::unavailable(&error));
            shared.readers.lock().push(connection);
            found
        });
        done.await.map_err(|_| broke_down())?
    }
}

/// Not in the words of the library: they repeat a panic's, which may hold a customer's.
fn broke_down() -> StoreError {
    StoreError::Unavailable("its work broke down".to_owned())
}

#[async_trait]
impl Store for SqliteStore {
    async fn apply(&self, rows: Vec<Row>) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        self.write_together(Wanted::Rows(rows)).await
    }

    async fn positions(&self, topic: Topic) -> Result<Option<Vec<(u32, Offset)>>, StoreError> {
        self.read(move |connection| queries::positions(connection, topic)).await.map(Some)
    }

    async fn pass(&self, topic: Topic, positions: &[(u32, Offset)]) -> Result<(), StoreError> {
        self.write_together(Wanted::Positions(topic, positions.to_vec())).await
    }

    async fn conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<ConversationRow>, StoreError> {
        self.read(move |connection| queries::conversation(connection, id)).await
    }

    async fn latest_of(&self, contact: &LineKey) -> Result<Option<ConversationRow>, StoreError> {
        let contact = contact.clone();
        self.read(move |connection| queries::latest_of(connection, &contact)).await
    }

    async fn conversations_of(
        &self,
        contact: &LineKey,
        behind: Option<ConversationId>,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let contact = contact.clone();
        self.read(move |connection| queries::conversations_of(connection, &contact, behind, limit))
            .await
    }

    async fn links_of(&self, contact: &LineKey) -> Result<Vec<LinkRow>, StoreError> {
        let contact = contact.clone();
        self.read(move |connection| customers::links_of(connection, &contact)).await
    }

    async fn alike(&self, contact: &LineKey, limit: usize) -> Result<Vec<ContactKey>, StoreError> {
        let contact = contact.clone();
        self.read(move |connection| customers::alike(connection, &contact, limit)).await
    }

    async fn history(
        &self,
        id: ConversationId,
        after_seq: i64,
        limit: usize,
    ) -> Result<Vec<(i64, Conversation)>, StoreError> {
        self.read(move |connection| queries::history(connection, id, after_seq, limit)).await
    }

    async fn conversations(
        &self,
        tenant: &str,
        filter: &Filter,
        order: Order,
        limit: usize,
    ) -> Result<Vec<ConversationRow>, StoreError> {
        let (tenant, filter) = (tenant.to_owned(), filter.clone());
        self.read(move |connection| {
            queries::conversations(connection, &tenant, &filter, order, limit)
        })
        .await
    }

    async fn queues(&self, tenant: &str, now_ms: i64) -> Result<Vec<QueueRow>, StoreError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| queries::queues(connection, &tenant, now_ms)).await
    }

    async fn ahead_of(&self, id: ConversationId) -> Result<Option<u64>, StoreError> {
        self.read(move |connection| queries::ahead_of(connection, id)).await
    }

    async fn message(&self, id: MessageId) -> Result<Option<MessageRow>, StoreError> {
        self.read(move |connection| queries::message(connection, id)).await
    }

    async fn checks(
        &self,
        tenant: &str,
        now_ms: i64,
        limit: usize,
    ) -> Result<Vec<CheckRow>, StoreError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| queries::checks(connection, &tenant, now_ms, limit)).await
    }

    async fn minutes(
        &self,
        tenant: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<MinuteMetrics>, StoreError> {
        let tenant = tenant.to_owned();
        self.read(move |connection| queries::minutes(connection, &tenant, from, to)).await
    }
}
