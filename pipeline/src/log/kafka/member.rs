//! A member of a group on Kafka.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::changelog::{self, Left};
use super::client::log_error;
use super::commit::{self, Caches, Committer};
use super::consume::{Heard, REVOKE_WITHIN, Reads, Told};
use super::publish::Publisher;
use super::resume::resume;
use super::waiting::Waiting;
use super::wire::{number, partitions};
use super::{REQUEST_WITHIN, Shared, blocking};
use crate::log::{
    Confirmation, Event, Group, Lease, Limit, LogError, Member, NoState, Restored, StateReader,
    Unit,
};
use crate::record::{Offset, Record, Stored};

/// Pause before a seek the client was not ready for is asked again.
const SEEK_PAUSE: Duration = Duration::from_millis(2);

pub(super) struct KafkaMember {
    shared: Arc<Shared>,
    group: Group,
    consumer: Arc<BaseConsumer<Heard>>,
    told: mpsc::UnboundedReceiver<Told>,
    /// Read and not yet asked for, and what was told behind it.
    waiting: VecDeque<Stored>,
    behind: Option<Told>,
    publisher: Publisher,
    committer: Committer,
    /// Outputs go through the transaction that covers them.
    transactional: bool,
    caches: Caches,
    stop: Arc<AtomicBool>,
    reading: Option<JoinHandle<()>>,
    /// Answers the thread that waits for partitions to be given up.
    revoking: Option<std_mpsc::Sender<()>>,
    /// Assigned partitions that are not read yet, and from where they will be.
    starting: HashMap<u32, Offset>,
    /// Restores them.
    reader: changelog::Reader,
    fenced: Arc<AtomicBool>,
}

impl KafkaMember {
    pub(super) fn join(shared: Arc<Shared>, group: Group) -> Result<Self, LogError> {
        let (sender, told) = mpsc::unbounded_channel();
        let (stop, frozen) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let heard = Heard::new(sender.clone(), Arc::clone(&stop));
        let failed = |error| log_error("join a group", &error);
        let consumer: BaseConsumer<Heard> =
            shared.clients.member(&group).create_with_context(heard).map_err(failed)?;
        let input = shared.clients.topic_name(group.input);
        consumer.subscribe(&[&input]).map_err(failed)?;
        let consumer = Arc::new(consumer);
        let mut name = [0u8; 8];
        getrandom::fill(&mut name)
            .map_err(|error| LogError::Fatal(format!("no random bytes: {error}")))?;
        // What touches the world commits positions only; its outcomes are appended, not published.
        let transactional = shared.clients.transactional() && !group.durable_only;
        let caches = Caches::default();
        let committer = Committer::start(
            &shared.clients,
            Arc::clone(&consumer),
            &group,
            &HEXLOWER.encode(&name),
            (Arc::clone(&caches), transactional),
            shared.registry.clone(),
        )?;
        #[cfg(feature = "testkit")]
        shared.freezers.lock().push((group.name.clone(), Arc::clone(&frozen)));
        let reads = Reads {
            consumer: Arc::clone(&consumer),
            topic: group.input,
            name: input,
            told: sender,
            stop: Arc::clone(&stop),
            frozen,
            waiting: Waiting::new(shared.registry.clone()),
        };
        let reading = std::thread::Builder::new()
            .name(format!("{}-consume", group.name))
            .spawn(move || reads.run())
            .map_err(|error| LogError::Fatal(format!("no thread to read on: {error}")))?;
        Ok(Self {
            publisher: Publisher::new(Arc::clone(&shared)),
            shared,
            group,
            consumer,
            told,
            waiting: VecDeque::new(),
            behind: None,
            committer,
            transactional,
            caches,
            stop,
            reading: Some(reading),
            revoking: None,
            starting: HashMap::new(),
            reader: changelog::Reader::default(),
            fenced: Arc::default(),
        })
    }

    /// Takes over what has been read by now, up to the next event of another kind: a member that is
    /// behind takes many small batches at once, and publishes once for all of them.
    fn gather(&mut self, limit: Limit) {
        while self.behind.is_none() && self.waiting.len() < limit.records_max {
            match self.told.try_recv() {
                Ok(Told::Records(records)) => self.waiting.extend(records),
                Ok(other) => self.behind = Some(other),
                Err(_) => return,
            }
        }
    }

    /// As much of what was read as `limit` allows.
    fn records(&mut self, limit: Limit) -> Option<Event> {
        let mut bytes = 0;
        let mut taken = Vec::new();
        while let Some(next) = self.waiting.front() {
            let over = taken.len() >= limit.records_max || bytes + next.size() > limit.bytes_max;
            if over && !taken.is_empty() {
                break;
            }
            bytes += next.size();
            taken.extend(self.waiting.pop_front());
        }
        self.consumer.context().queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        (!taken.is_empty()).then_some(Event::Records(taken))
    }

    /// What `leases` cover is read by somebody else from now on.
    fn let_go(&mut self, leases: &[Lease]) {
        for Lease { partition, .. } in leases {
            self.starting.remove(partition);
            self.caches.lock().remove(partition);
        }
        let held: HashSet<u32> = leases.iter().map(|lease| lease.partition).collect();
        let mut dropped = 0;
        self.waiting.retain(|record| {
            let keep = !held.contains(&record.partition);
            dropped += if keep { 0 } else { record.size() };
            keep
        });
        self.consumer.context().queued_bytes.fetch_sub(dropped, Ordering::Relaxed);
    }

    fn fence(&self) -> LogError {
        self.fenced.store(true, Ordering::Relaxed);
        LogError::Fenced { group: self.group.name.to_string() }
    }

    /// Partitions that have been restored are read from where they were left.
    async fn start(&mut self) -> Result<(), LogError> {
        if self.starting.is_empty() {
            return Ok(());
        }
        // Nobody waits for its end: the library looks every 100 ms whether a client is closed.
        let reader = std::mem::take(&mut self.reader);
        drop(tokio::task::spawn_blocking(move || drop(reader)));
        let name = self.shared.clients.topic_name(self.group.input);
        let starting = std::mem::take(&mut self.starting);
        let consumer = Arc::clone(&self.consumer);
        blocking(move || position(&consumer, &name, starting)).await
    }

    /// Where the group left a partition when it has no changelog: the offset's metadata tells.
    fn left(
        shared: &Shared,
        consumer: &BaseConsumer<Heard>,
        group: &Group,
        partition: u32,
    ) -> Result<Left, LogError> {
        let asked = partitions(&shared.clients.topic_name(group.input), [partition]);
        let found = consumer
            .committed_offsets(asked, REQUEST_WITHIN)
            .map_err(|error| log_error("read committed offsets", &error))?;
        let elements = found.elements();
        Ok(elements
            .first()
            .and_then(|element| commit::left_in(element.metadata()))
            .unwrap_or_default())
    }
}

/// Moves paused partitions to where they are read from, and lets them be read.
///
/// A seek is refused, partition by partition, until the client has finished assigning: it is asked
/// again, or reading would begin somewhere else.
fn position(
    consumer: &BaseConsumer<Heard>,
    topic: &str,
    mut starting: HashMap<u32, Offset>,
) -> Result<(), LogError> {
    let failed = |error| log_error("begin to read", &error);
    let until = Instant::now() + REQUEST_WITHIN;
    loop {
        let mut list = TopicPartitionList::new();
        for (partition, position) in &starting {
            let at = KafkaOffset::Offset(position.cast_signed());
            list.add_partition_offset(topic, number(*partition), at).map_err(failed)?;
        }
        let sought = consumer.seek_partitions(list, REQUEST_WITHIN).map_err(failed)?;
        let mut ready = TopicPartitionList::new();
        let mut refused = None;
        for element in sought.elements() {
            match element.error() {
                Ok(()) => {
                    ready.add_partition(topic, element.partition());
                    starting.remove(&element.partition().unsigned_abs());
                    consumer.context().epochs.reads(element.partition().unsigned_abs());
                }
                // Given away again in the meantime.
                Err(_)
                    if consumer
                        .context()
                        .epochs
                        .lease(element.partition().unsigned_abs())
                        .is_none() =>
                {
                    starting.remove(&element.partition().unsigned_abs());
                }
                Err(error) => refused = Some(error),
            }
        }
        resume(consumer, &ready).map_err(failed)?;
        match refused {
            None => return Ok(()),
            Some(error) if Instant::now() > until => return Err(failed(error)),
            Some(_) => std::thread::sleep(SEEK_PAUSE),
        }
    }
}

#[async_trait]
impl Member for KafkaMember {
    async fn next(&mut self, limit: Limit) -> Result<Event, LogError> {
        if self.fenced.load(Ordering::Relaxed) {
            return Err(self.fence());
        }
        // Asking for the next event is what says that revoked partitions are done with.
        if let Some(waiting) = self.revoking.take() {
            let _ = waiting.send(());
        }
        self.start().await?;
        self.gather(limit);
        if let Some(records) = self.records(limit) {
            return Ok(records);
        }
        let told = match self.behind.take() {
            Some(told) => Ok(Some(told)),
            None => timeout(limit.wait, self.told.recv()).await,
        };
        match told {
            Err(_) => Ok(Event::Idle),
            Ok(None) => Err(self.fence()),
            Ok(Some(Told::Records(records))) => {
                self.waiting.extend(records);
                self.gather(limit);
                Ok(self.records(limit).unwrap_or(Event::Idle))
            }
            Ok(Some(Told::Assigned(leases))) => Ok(Event::Assigned(leases)),
            Ok(Some(Told::Revoked(leases, waiting))) => {
                self.revoking = Some(waiting);
                self.let_go(&leases);
                Ok(Event::Revoked { leases, deadline: REVOKE_WITHIN })
            }
            Ok(Some(Told::Failed(LogError::Fenced { .. }))) => Err(self.fence()),
            Ok(Some(Told::Failed(error))) => Err(error),
        }
    }

    async fn restore(&mut self, lease: Lease) -> Result<Restored, LogError> {
        let (shared, group) = (Arc::clone(&self.shared), self.group.clone());
        let (consumer, caches) = (Arc::clone(&self.consumer), Arc::clone(&self.caches));
        // The file of an older lease is let go of before it is asked for again.
        caches.lock().remove(&lease.partition);
        let mut reader = std::mem::take(&mut self.reader);
        let (restored, reader) = blocking(move || {
            let (left, state): (Left, Arc<dyn StateReader>) = match group.state {
                Some(topic) => {
                    let (left, cache) =
                        changelog::restore(&shared, &mut reader, &group, topic, lease.partition)?;
                    caches.lock().insert(lease.partition, Arc::clone(&cache));
                    (left, cache)
                }
                None => {
                    (Self::left(&shared, &consumer, &group, lease.partition)?, Arc::new(NoState))
                }
            };
            let name = shared.clients.topic_name(group.input);
            let (_, end) = shared.ends(&name, lease.partition)?;
            let Left { position, watermarks, pins } = left;
            Ok((Restored { position, end, watermarks, pins, state }, reader))
        })
        .await?;
        self.reader = reader;
        self.starting.insert(lease.partition, restored.position);
        Ok(restored)
    }

    async fn seek(&mut self, lease: Lease, position: Offset) -> Result<(), LogError> {
        self.starting.insert(lease.partition, position);
        Ok(())
    }

    async fn hand_over(&mut self, outputs: Vec<Record>) -> Result<Confirmation, LogError> {
        if outputs.is_empty() {
            return Ok(Box::pin(std::future::ready(Ok(()))));
        }
        // What has no origin, a tick, waits for no commit.
        if self.transactional && outputs.iter().all(|record| record.headers.origin.is_some()) {
            return Ok(self.committer.write(outputs));
        }
        self.publisher.hand_over(outputs).await
    }

    /// A transaction holds what its commit covers and no more.
    fn publications_max(&self) -> usize {
        if self.transactional { 1 } else { self.publisher.publications_max() }
    }

    fn commit(&mut self, unit: Unit) -> Confirmation {
        let (done, fenced) = (self.committer.commit(unit), Arc::clone(&self.fenced));
        let group = self.group.name.to_string();
        Box::pin(async move {
            match done.await {
                Err(LogError::Fenced { .. }) => {
                    fenced.store(true, Ordering::Relaxed);
                    Err(LogError::Fenced { group })
                }
                done => done,
            }
        })
    }

    async fn leave(mut self: Box<Self>) {
        self.stop.store(true, Ordering::Relaxed);
        self.revoking = None;
        let reading = self.reading.take();
        // Leaving a group waits for the brokers, which an async worker must not.
        let _ = blocking(move || {
            drop(self);
            reading.map_or(Ok(()), |thread| {
                thread.join().map_err(|_| LogError::Fatal("the reading thread broke".to_owned()))
            })
        })
        .await;
    }
}

impl Drop for KafkaMember {
    /// The threads see it and end; the consumer leaves its group when the last of them lets it go.
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.revoking = None;
    }
}
