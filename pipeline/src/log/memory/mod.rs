//! The log in memory: for tests of stages and of the runner, and the reference the other backends
//! are held to. Fakes several members, rebalances, expired sessions and skipped offsets.
//!
//! Nothing survives the process; a "crash" is a member dropped without a word.

mod group;
mod member;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use schemas::topics::{Topic, TopicSpec};
use smol_str::SmolStr;
use tokio::sync::watch;

use self::group::GroupState;
use self::member::MemoryMember;
use super::{AppendError, Durable, From, Group, Log, LogError, Member, Tail};
use crate::ledger::{Claim, LedgerError, OnceKey, OnceLedger};
use crate::partition;
use crate::record::{Offset, Record, Stored};

/// A log that lives as long as the process.
#[derive(Clone)]
pub struct MemoryLog {
    shared: Arc<Shared>,
}

struct Shared {
    inner: Mutex<Inner>,
    /// Bumped with every change that a waiting member or tail may want to see.
    changed: watch::Sender<u64>,
    partitions: u32,
    /// Distance of neighbouring offsets: more than 1 fakes a log with gaps.
    stride: Offset,
    record_bytes_max: AtomicUsize,
}

#[derive(Default)]
struct Inner {
    topics: HashMap<Topic, BTreeMap<u32, Vec<Stored>>>,
    groups: HashMap<SmolStr, GroupState>,
    ledger: HashMap<OnceKey, Option<Vec<u8>>>,
    busy: bool,
}

impl MemoryLog {
    /// A log whose topics have `partitions` partitions.
    #[must_use]
    pub fn new(partitions: u32) -> Self {
        Self::with_gaps(partitions, 1)
    }

    /// The same, with neighbouring offsets `stride` apart.
    #[must_use]
    pub fn with_gaps(partitions: u32, stride: Offset) -> Self {
        Self {
            shared: Arc::new(Shared {
                inner: Mutex::default(),
                changed: watch::Sender::new(0),
                partitions: partitions.max(1),
                stride: stride.max(1),
                record_bytes_max: AtomicUsize::new(usize::MAX),
            }),
        }
    }

    /// Makes appends answer `Busy`, or stop doing so.
    pub fn set_busy(&self, busy: bool) {
        self.shared.inner.lock().busy = busy;
    }

    /// Takes no larger records from now on, as brokers have it.
    pub fn set_record_bytes_max(&self, bytes_max: usize) {
        self.shared.record_bytes_max.store(bytes_max, Ordering::Relaxed);
    }

    /// Ends the session of the member of `group` that holds `partition`, as if it had not been heard
    /// of for too long. The member itself does not know.
    pub fn expire(&self, group: &str, partition: u32) {
        if let Some(state) = self.shared.inner.lock().groups.get_mut(group) {
            state.expire_holder_of(partition);
        }
        self.shared.touch();
    }

    /// Every record of `topic`, partition by partition.
    #[must_use]
    pub fn records(&self, topic: Topic) -> Vec<Stored> {
        let inner = self.shared.inner.lock();
        inner
            .topics
            .get(&topic)
            .map_or_else(Vec::new, |partitions| partitions.values().flatten().cloned().collect())
    }
}

impl Shared {
    fn touch(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn append(&self, inner: &mut Inner, records: Vec<Record>) -> Vec<(u32, Offset)> {
        let mut placed = Vec::with_capacity(records.len());
        for record in records {
            let partition =
                record.partition.unwrap_or_else(|| partition::of(&record.key, self.partitions));
            let log = inner.topics.entry(record.topic).or_default().entry(partition).or_default();
            let offset = log.last().map_or(0, |last| last.offset + self.stride);
            log.push(Stored {
                topic: record.topic,
                partition,
                offset,
                key: record.key,
                value: record.value,
                headers: record.headers,
                time_ms: record.time_ms,
            });
            placed.push((partition, offset));
        }
        placed
    }
}

impl Inner {
    /// Records of a partition from `from` on.
    fn read(&self, topic: Topic, partition: u32, from: Offset) -> &[Stored] {
        let records = self.topics.get(&topic).and_then(|topic| topic.get(&partition));
        let records = records.map_or(&[][..], Vec::as_slice);
        let start = records.partition_point(|record| record.offset < from);
        records.get(start..).unwrap_or_default()
    }

    fn end(&self, topic: Topic, partition: u32) -> Offset {
        self.read(topic, partition, 0).last().map_or(0, |last| last.offset + 1)
    }
}

#[async_trait]
impl Log for MemoryLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let mut inner = self.shared.inner.lock();
        for spec in topics {
            inner.topics.entry(spec.topic).or_default();
        }
        Ok(())
    }

    fn partitions(&self) -> u32 {
        self.shared.partitions
    }

    fn record_bytes_max(&self) -> usize {
        self.shared.record_bytes_max.load(Ordering::Relaxed)
    }

    async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        let mut inner = self.shared.inner.lock();
        if inner.busy {
            return Err(AppendError::Busy { retry_after: Duration::from_millis(100) });
        }
        let bytes_max = self.record_bytes_max();
        if records.iter().any(|record| record.size() > bytes_max) {
            return Err(AppendError::TooLarge { bytes_max });
        }
        let placed = self.shared.append(&mut inner, records);
        drop(inner);
        self.shared.touch();
        Ok(Durable(placed))
    }

    async fn join(&self, group: &Group) -> Result<Box<dyn Member>, LogError> {
        Ok(Box::new(MemoryMember::join(Arc::clone(&self.shared), group)))
    }

    async fn tail(&self, topics: &[Topic], from: From) -> Result<Box<dyn Tail>, LogError> {
        let inner = self.shared.inner.lock();
        let mut positions = HashMap::new();
        for topic in topics {
            for partition in 0..self.shared.partitions {
                let at = match &from {
                    From::Now => inner.end(*topic, partition),
                    From::Start => 0,
                    From::Positions(at) => at.get(&(*topic, partition)).copied().unwrap_or(0),
                };
                positions.insert((*topic, partition), at);
            }
        }
        let changed = self.shared.changed.subscribe();
        drop(inner);
        Ok(Box::new(MemoryTail { shared: Arc::clone(&self.shared), positions, changed }))
    }

    async fn lag(&self, group: &Group) -> Result<u64, LogError> {
        let inner = self.shared.inner.lock();
        let lag: usize = (0..self.shared.partitions)
            .map(|partition| {
                let state = inner.groups.get(&group.name);
                let position = state.map_or(0, |state| state.position(partition));
                inner.read(group.input, partition, position).len()
            })
            .sum();
        Ok(lag as u64)
    }
}

#[async_trait]
impl OnceLedger for MemoryLog {
    async fn claim(&self, key: &OnceKey) -> Result<Claim, LedgerError> {
        let mut inner = self.shared.inner.lock();
        Ok(match inner.ledger.get(key) {
            None => {
                inner.ledger.insert(key.clone(), None);
                Claim::Won
            }
            Some(None) => Claim::Open,
            Some(Some(outcome)) => Claim::Settled(outcome.clone()),
        })
    }

    async fn settle(&self, key: &OnceKey, outcome: Vec<u8>) -> Result<(), LedgerError> {
        self.shared.inner.lock().ledger.insert(key.clone(), Some(outcome));
        Ok(())
    }

    async fn release(&self, key: &OnceKey) -> Result<(), LedgerError> {
        self.shared.inner.lock().ledger.remove(key);
        Ok(())
    }
}

struct MemoryTail {
    shared: Arc<Shared>,
    positions: HashMap<(Topic, u32), Offset>,
    changed: watch::Receiver<u64>,
}

/// Records a tail hands out at once at most.
const TAIL_RECORDS_MAX: usize = 1_000;

#[async_trait]
impl Tail for MemoryTail {
    async fn next(&mut self) -> Result<Vec<Stored>, LogError> {
        loop {
            self.changed.mark_unchanged();
            let mut found = Vec::new();
            {
                let inner = self.shared.inner.lock();
                for ((topic, partition), position) in &mut self.positions {
                    let room = TAIL_RECORDS_MAX - found.len();
                    for record in inner.read(*topic, *partition, *position).iter().take(room) {
                        *position = record.offset + 1;
                        found.push(record.clone());
                    }
                }
            }
            if !found.is_empty() {
                return Ok(found);
            }
            if self.changed.changed().await.is_err() {
                return Err(LogError::Fatal("the log is gone".to_owned()));
            }
        }
    }
}
