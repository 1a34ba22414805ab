//! What writer, barrier, members and tails share: the ends of the topics, the rings and the epochs.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};
use rusqlite::Connection;
use schemas::topics::Topic;
use smol_str::SmolStr;
use tokio::sync::watch;

use super::failure::Failure;
use super::files;
use super::tables::{self, TopicTable};
use crate::log::LogError;
use crate::log::ring::Ring;
use crate::record::{Offset, Record, Stored};
use crate::telemetry::metrics::Metrics;

/// A topic at work.
pub(super) struct TopicState {
    pub(super) table: TopicTable,
    ring: Mutex<Ring>,
    /// End of what is committed: what stages may read.
    pub(super) visible: watch::Sender<Offset>,
    /// End of what survives a power cut: what everybody else may read.
    pub(super) durable: watch::Sender<Offset>,
}

impl TopicState {
    pub(super) fn new(table: TopicTable, next: Offset, ring_bytes: usize) -> Self {
        Self {
            table,
            ring: Mutex::new(Ring::new(ring_bytes, next)),
            visible: watch::Sender::new(next),
            durable: watch::Sender::new(next),
        }
    }

    /// Makes committed records visible.
    pub(super) fn show(&self, records: Vec<Stored>, end: Offset) {
        let mut ring = self.ring.lock();
        records.into_iter().for_each(|record| ring.push(record));
        drop(ring);
        self.visible.send_replace(end);
    }

    /// Records from `from` on and below `end`, from memory if it reaches back that far.
    pub(super) fn read(
        &self,
        cold: &mut Cold,
        from: Offset,
        end: Offset,
        records_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Stored>, LogError> {
        if from >= end {
            return Ok(Vec::new());
        }
        if let Some(records) = self.ring.lock().read(from, end, records_max, bytes_max) {
            return Ok(records);
        }
        tables::read(cold.connection()?, &self.table, from, end, records_max, bytes_max)
    }
}

/// A read connection, opened when memory does not reach back far enough.
pub(super) struct Cold {
    path: PathBuf,
    connection: Option<Connection>,
}

impl Cold {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, connection: None }
    }

    pub(super) fn connection(&mut self) -> Result<&Connection, LogError> {
        if self.connection.is_none() {
            self.connection = Some(files::reader(&self.path)?);
        }
        self.connection.as_ref().ok_or_else(|| LogError::Fatal("no connection".to_owned()))
    }
}

/// What the parts of an embedded log share.
pub(super) struct Shared {
    pub(super) database: PathBuf,
    pub(super) partitions: u32,
    pub(super) ring_bytes: usize,
    pub(super) metrics: Arc<Metrics>,
    pub(super) failure: Failure,
    /// Held by whoever checkpoints, until a failure is noted.
    pub(super) checkpointing: Mutex<()>,
    topics: RwLock<HashMap<Topic, Arc<TopicState>>>,
    epochs: Mutex<HashMap<SmolStr, u64>>,
    queued_bytes: AtomicUsize,
    queued_bytes_max: usize,
}

impl Shared {
    pub(super) fn new(
        database: PathBuf,
        partitions: u32,
        queued_bytes_max: usize,
        ring_bytes: usize,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            database,
            partitions,
            ring_bytes,
            metrics,
            failure: Failure::none(),
            checkpointing: Mutex::default(),
            topics: RwLock::default(),
            epochs: Mutex::default(),
            queued_bytes: AtomicUsize::new(0),
            queued_bytes_max,
        }
    }

    pub(super) fn topic(&self, topic: Topic) -> Result<Arc<TopicState>, LogError> {
        self.topics.read().get(&topic).cloned().ok_or_else(|| {
            LogError::Fatal(format!("topic {topic} was not created: call ensure first"))
        })
    }

    pub(super) fn add_topic(&self, state: TopicState) {
        self.topics.write().entry(state.table.topic).or_insert_with(|| Arc::new(state));
    }

    pub(super) fn has_topic(&self, topic: Topic) -> bool {
        self.topics.read().contains_key(&topic)
    }

    /// A new member of `group`: those before it are fenced.
    pub(super) fn next_epoch(&self, group: &SmolStr) -> u64 {
        let mut epochs = self.epochs.lock();
        let epoch = epochs.entry(group.clone()).or_default();
        *epoch += 1;
        *epoch
    }

    pub(super) fn is_current(&self, group: &SmolStr, epoch: u64) -> bool {
        self.epochs.lock().get(group) == Some(&epoch)
    }

    /// Reserves room in the queue; `false` when there is none.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let mut queued = self.queued_bytes.load(Ordering::Relaxed);
        loop {
            // A single append larger than the whole budget still goes through when nothing waits.
            if queued > 0 && queued + bytes > self.queued_bytes_max {
                return false;
            }
            match self.queued_bytes.compare_exchange_weak(
                queued,
                queued + bytes,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    self.metrics.log_queue(queued + bytes);
                    return true;
                }
                Err(now) => queued = now,
            }
        }
    }

    pub(super) fn refund(&self, bytes: usize) {
        let before = self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.metrics.log_queue(before.saturating_sub(bytes));
    }
}

/// Size of records for the queue's budget.
pub(super) fn size_of(records: &[Record]) -> usize {
    records.iter().map(Record::size).sum()
}
