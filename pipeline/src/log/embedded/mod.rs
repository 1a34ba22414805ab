//! The log in one SQLite file, `log.db`: what a provider on one machine runs on.
//!
//! One process owns the directory; one writer thread groups commits; one barrier thread syncs. A
//! crash of the process loses nothing; a power cut loses only what was not acknowledged, and always
//! a tail: a hop that is lost takes every later hop with it. No replication.

mod barrier;
mod checkpoint;
mod failure;
mod files;
mod look;
mod member;
mod ops;
mod retention;
mod shared;
mod tables;
mod tail;
mod writer;

pub use look::{claims, newest_ms, partitions_of, peek};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension};
use schemas::topics::{Topic, TopicSpec};
use tokio::sync::oneshot;

pub use self::checkpoint::CheckpointPolicy;
use self::files::Directory;
use self::member::{EmbeddedMember, closed};
use self::ops::Op;
use self::shared::{Shared, TopicState, size_of};
use self::tables::TopicTable;
use self::tail::EmbeddedTail;
use self::writer::Writer;
use super::{AppendError, Durable, From, Group, Log, LogError, Member, Tail};
use crate::ledger::{Claim, LedgerError, OnceKey, OnceLedger};
use crate::record::{Offset, Record};
use crate::telemetry::metrics::Metrics;

/// How much an acknowledgement promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The disk has it: it survives a power cut.
    #[default]
    Fsync,
    /// The operating system has it: it survives the process, not the machine.
    Os,
}

/// How an embedded log behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Where it lives.
    pub directory: PathBuf,
    /// Into how many partitions topics are divided; never changes for a directory.
    pub partitions: u32,
    /// What an acknowledgement promises.
    pub durability: Durability,
    /// Bytes that may wait to be appended before doors are told to come again.
    pub queued_bytes_max: usize,
    /// Newest records of each topic kept in memory, in bytes.
    pub ring_bytes: usize,
    /// When the write-ahead log's pages go back into the database.
    pub checkpoints: CheckpointPolicy,
}

impl Options {
    /// The defaults, in `directory`.
    #[must_use]
    pub fn at(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            partitions: 12,
            durability: Durability::Fsync,
            queued_bytes_max: 16 << 20,
            ring_bytes: 1 << 20,
            checkpoints: CheckpointPolicy::default(),
        }
    }
}

/// Pause a door is told to make when the queue is full.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// An open embedded log. Clones share it; the last one to go closes it.
#[derive(Clone)]
pub struct EmbeddedLog {
    open: Arc<Open>,
}

struct Open {
    shared: Arc<Shared>,
    ops: Sender<Op>,
    /// For creating topics: the writer holds the other writing connection.
    setup: Mutex<Connection>,
    threads: Vec<JoinHandle<()>>,
    _directory: Directory,
}

impl EmbeddedLog {
    /// Opens the log in `options.directory`, creating it if there is none. [`Log::ensure`] must be
    /// called before anything is appended.
    ///
    /// # Errors
    /// [`LogError::Fatal`]: in use by another process, of another format, or unreadable.
    pub fn open(options: &Options, metrics: Arc<Metrics>) -> Result<Self, LogError> {
        let directory = Directory::own(&options.directory)?;
        let database = directory.database();
        let connection = files::writer(&database)?;
        tables::prepare(&connection, options.partitions)?;
        directory.sync()?;
        let shared = Shared::new(
            database.clone(),
            options.partitions,
            options.queued_bytes_max,
            options.ring_bytes,
            metrics,
        );
        let shared = Arc::new(shared);
        let wal = match options.durability {
            Durability::Fsync => Some(directory.write_ahead_log()?),
            Durability::Os => None,
        };
        let (ops, receiver) = channel();
        let (committed, commits) = channel();
        let (checkpoints, checkpointer) = checkpoint::pair(&shared, options.checkpoints);
        let writer = files::writer(&database)?;
        let writer = Writer::new(Arc::clone(&shared), writer, committed, checkpoints);
        let barrier = Arc::clone(&shared);
        let threads = vec![
            thread("log-writer", move || writer.run(&receiver))?,
            thread("log-barrier", move || barrier::run(&barrier, wal.as_ref(), &commits))?,
            thread("log-checkpoint", move || {
                if let Err(error) = checkpointer.run() {
                    tracing::error!(%error, "no checkpoints of the log are made");
                }
            })?,
        ];
        let setup = Mutex::new(connection);
        Ok(Self { open: Arc::new(Open { shared, ops, setup, threads, _directory: directory }) })
    }

    /// Waits until the disk fails to take what it was given, and tells why. Nothing is acknowledged
    /// from then on: the process should end, so that a restart recovers.
    pub async fn disk_failed(&self) -> Arc<str> {
        self.open.shared.failure.happened().await
    }

    /// The offset behind the last record of `topic`.
    ///
    /// # Errors
    /// [`LogError::Fatal`] when there is no such topic.
    pub fn end(&self, topic: Topic) -> Result<Offset, LogError> {
        Ok(*self.open.shared.topic(topic)?.visible.borrow())
    }

    /// Drops the oldest records of `topic` as long as they are older than `before_ms` and taken
    /// account of; at most `records_max`. Gives how many went.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn forget(
        &self,
        topic: Topic,
        before_ms: i64,
        records_max: usize,
    ) -> Result<usize, LogError> {
        let (reply, answer) = oneshot::channel();
        self.open
            .ops
            .send(Op::Forget { topic, before_ms, records_max, reply })
            .map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, LogError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| LogError::Fatal(format!("no thread for {name}: {error}")))
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.ops.send(Op::Stop);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Log for EmbeddedLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let open = &self.open;
        let connection = open.setup.lock();
        for spec in topics {
            if !open.shared.has_topic(spec.topic) {
                let table = TopicTable::new(spec);
                let end = table.ensure(&connection)?;
                open.shared.add_topic(TopicState::new(table, end, open.shared.ring_bytes));
            }
        }
        Ok(())
    }

    fn partitions(&self) -> u32 {
        self.open.shared.partitions
    }

    async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        if !self.open.shared.reserve(size_of(&records)) {
            return Err(AppendError::Busy { retry_after: RETRY_AFTER });
        }
        let (reply, answer) = oneshot::channel();
        let gone = || AppendError::Failed("the log has been closed".to_owned());
        self.open
            .ops
            .send(Op::Append { records, since: Instant::now(), reply })
            .map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn join(&self, group: &Group) -> Result<Box<dyn Member>, LogError> {
        let member =
            EmbeddedMember::join(Arc::clone(&self.open.shared), self.open.ops.clone(), group)?;
        Ok(Box::new(member))
    }

    async fn tail(&self, topics: &[Topic], from: From) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(EmbeddedTail::open(&self.open.shared, topics, &from)?))
    }

    async fn lag(&self, group: &Group) -> Result<u64, LogError> {
        // One member reads all partitions in the topic's order, so what lies behind its furthest
        // position is what it has not read; what is unfinished before that is in hand.
        let end = *self.open.shared.topic(group.input)?.visible.borrow();
        let reached: Option<i64> = self
            .open
            .setup
            .lock()
            .query_row(
                "SELECT max(position) FROM positions WHERE grp = ?1 AND topic = ?2",
                [group.name.as_str(), group.input.0],
                |row| row.get(0),
            )
            .optional()
            .map_err(|error| files::sql("read positions", &error))?
            .flatten();
        Ok(end.saturating_sub(reached.unwrap_or(0).cast_unsigned()))
    }
}

impl EmbeddedLog {
    /// Notes how a claim ended; `None`: as if it had never been made.
    async fn end_claim(&self, key: &OnceKey, outcome: Option<Vec<u8>>) -> Result<(), LedgerError> {
        let (reply, answer) = oneshot::channel();
        let gone = || LedgerError("the log has been closed".to_owned());
        self.open.ops.send(Op::Settle { key: key.clone(), outcome, reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl OnceLedger for EmbeddedLog {
    async fn claim(&self, key: &OnceKey) -> Result<Claim, LedgerError> {
        let (reply, answer) = oneshot::channel();
        let gone = || LedgerError("the log has been closed".to_owned());
        self.open.ops.send(Op::Claim { key: key.clone(), reply }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    async fn settle(&self, key: &OnceKey, outcome: Vec<u8>) -> Result<(), LedgerError> {
        self.end_claim(key, Some(outcome)).await
    }

    async fn release(&self, key: &OnceKey) -> Result<(), LedgerError> {
        self.end_claim(key, None).await
    }
}
