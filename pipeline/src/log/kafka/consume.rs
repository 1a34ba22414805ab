//! The consumer's thread: polls, gathers batches, and hands over partitions when the group moves
//! them. Draining inside an async consumer's callbacks can deadlock; here the thread waits inside the
//! callback while the member finishes its work elsewhere.
//!
//! Invariant: the thread polls as often as the group wants it to, however slow the member is: with
//! enough handed over it pauses its partitions instead of waiting.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::KafkaError;
use schemas::topics::Topic;
use tokio::sync::mpsc;

use super::changelog::{LEFT, is_passing};
use super::client::{is_fenced, log_error};
use super::resume::resume;
use super::waiting::{POLL, Taken, Waiting};
use super::wire;
use crate::log::{Lease, LogError};
use crate::record::Stored;

/// How long a member may take to give up partitions; below the session time-out.
pub(super) const REVOKE_WITHIN: Duration = Duration::from_secs(4);
/// How long giving everything back may take; a broker that is away is not waited for longer.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);
/// Records gathered at once.
const BATCH_MAX: usize = 512;
/// Bytes handed over and not yet taken before the partitions are paused.
const QUEUED_BYTES_MAX: usize = 8 << 20;

/// What the thread tells the member.
pub(super) enum Told {
    Assigned(Vec<Lease>),
    /// The thread waits in the callback until the member answers.
    Revoked(Vec<Lease>, std_mpsc::Sender<()>),
    Records(Vec<Stored>),
    Failed(LogError),
}

/// Which partitions are held, and by which right.
#[derive(Default)]
pub(super) struct Epochs {
    held: Mutex<HashMap<u32, u64>>,
    next: Mutex<u64>,
    /// Restored, so that they may be read.
    reading: Mutex<HashSet<u32>>,
    /// Not read further before the schema of a record is known.
    waiting: Mutex<HashSet<u32>>,
}

impl Epochs {
    fn assign(&self, partition: u32) -> Lease {
        let mut next = self.next.lock();
        *next += 1;
        self.held.lock().insert(partition, *next);
        Lease { partition, epoch: *next }
    }

    pub(super) fn lease(&self, partition: u32) -> Option<Lease> {
        self.held.lock().get(&partition).map(|epoch| Lease { partition, epoch: *epoch })
    }

    fn revoke(&self, partition: u32) {
        self.held.lock().remove(&partition);
        self.reading.lock().remove(&partition);
        self.waiting.lock().remove(&partition);
    }

    /// `partition` is read from now on.
    pub(super) fn reads(&self, partition: u32) {
        self.reading.lock().insert(partition);
    }

    /// Whether `partition` waits since it was last assigned.
    fn waits(&self, partition: u32) -> bool {
        self.waiting.lock().contains(&partition)
    }

    fn list(&self, topic: &str) -> TopicPartitionList {
        let (reading, waiting) = (self.reading.lock(), self.waiting.lock());
        wire::partitions(topic, reading.difference(&waiting).copied())
    }

    pub(super) fn holds(&self, lease: Lease) -> bool {
        self.held.lock().get(&lease.partition) == Some(&lease.epoch)
    }
}

/// Hears of rebalances.
pub(super) struct Heard {
    pub(super) epochs: Epochs,
    /// Bytes handed over and not yet taken.
    pub(super) queued_bytes: AtomicUsize,
    told: mpsc::UnboundedSender<Told>,
    stop: Arc<AtomicBool>,
}

impl Heard {
    pub(super) fn new(told: mpsc::UnboundedSender<Told>, stop: Arc<AtomicBool>) -> Self {
        Self { epochs: Epochs::default(), queued_bytes: AtomicUsize::new(0), told, stop }
    }
}

impl ClientContext for Heard {}

impl ConsumerContext for Heard {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Revoke(list) = rebalance else { return };
        let partitions: Vec<u32> =
            list.elements().iter().map(|element| element.partition().unsigned_abs()).collect();
        let leases: Vec<Lease> =
            partitions.iter().filter_map(|partition| self.epochs.lease(*partition)).collect();
        // What is lost already nobody waits for. The member hears of it all the same: one that had
        // nothing to commit would go on as if the partitions were still its own.
        let lost = consumer.assignment_lost();
        let forget = || partitions.iter().for_each(|partition| self.epochs.revoke(*partition));
        if lost {
            forget();
        }
        if !leases.is_empty() && !self.stop.load(Ordering::Relaxed) {
            let (done, finished) = std_mpsc::channel();
            if self.told.send(Told::Revoked(leases, done)).is_ok() && !lost {
                let _ = finished.recv_timeout(REVOKE_WITHIN);
            }
        }
        forget();
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let Rebalance::Assign(list) = rebalance else { return };
        if list.count() == 0 {
            return;
        }
        // Nothing is read before the member has restored what it needs and says from where.
        if let Err(error) = consumer.pause(list) {
            tracing::error!(%error, "partitions could not be paused");
        }
        let leases = list
            .elements()
            .iter()
            .map(|element| self.epochs.assign(element.partition().unsigned_abs()))
            .collect();
        let _ = self.told.send(Told::Assigned(leases));
    }
}

/// What the thread reads, and who hears of it.
pub(super) struct Reads {
    pub(super) consumer: Arc<BaseConsumer<Heard>>,
    pub(super) topic: Topic,
    /// As the brokers know it.
    pub(super) name: String,
    pub(super) told: mpsc::UnboundedSender<Told>,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) frozen: Arc<AtomicBool>,
    pub(super) waiting: Waiting,
}

impl Reads {
    /// Polls until told to stop, and leaves the group.
    pub(super) fn run(mut self) {
        self.read();
        self.leave();
    }

    /// Gives everything back while the client can still be told so. Closed with an assignment under way
    /// it waits for ever for the answer to it (librdkafka issue 4884), and the brokers for the session
    /// to end.
    fn leave(&self) {
        let until = Instant::now() + LEAVE_WITHIN;
        self.consumer.unsubscribe();
        let holds = || self.consumer.assignment().is_ok_and(|list| list.count() > 0);
        // What was under way is heard of by polling.
        while (self.consumer.poll(POLL).is_some() || holds()) && Instant::now() < until {}
    }

    /// What was read and not handed over is read again by the next holder.
    fn read(&mut self) {
        let consumer = Arc::clone(&self.consumer);
        let mut batch: Vec<Stored> = Vec::new();
        let mut held_back = false;
        while !self.stop.load(Ordering::Relaxed) {
            if self.frozen.load(Ordering::Relaxed) {
                std::thread::sleep(POLL);
                continue;
            }
            held_back = self.hold_back(held_back);
            self.look_again(&mut batch, held_back);
            match consumer.poll(self.waiting.poll_within(&batch)) {
                Some(Ok(message)) => {
                    let mut stored = wire::stored(self.topic, &message);
                    // Where others left partitions of a changelog is nobody's input, but a place in
                    // the topic like any other: positions pass over it.
                    if wire::header(&message, LEFT).is_some() {
                        stored.value = None;
                    }
                    batch.extend(self.take(stored));
                    if batch.len() < BATCH_MAX {
                        continue;
                    }
                }
                Some(Err(error)) if is_passing(&error) => {
                    tracing::warn!(%error, "reading goes on");
                }
                Some(Err(error)) => {
                    let _ = self.told.send(Told::Failed(self.failed(&error)));
                    return;
                }
                None => {}
            }
            if !batch.is_empty() && !self.hand_over(std::mem::take(&mut batch)) {
                return;
            }
        }
    }

    /// Takes a record in; one whose schema is not known yet stops its partition.
    fn take(&mut self, record: Stored) -> Option<Stored> {
        let partition = record.partition;
        self.forget();
        match self.waiting.take(record) {
            Taken::Ready(record) => return Some(record),
            Taken::Waits { first: false } => {}
            Taken::Waits { first: true } => {
                self.consumer.context().epochs.waiting.lock().insert(partition);
                let list = wire::partitions(&self.name, [partition]);
                if let Err(error) = self.consumer.pause(&list) {
                    tracing::warn!(%error, partition, "a partition could not be stopped");
                }
            }
        }
        None
    }

    /// Hands on what need not wait any longer, and has its partitions read again.
    fn look_again(&mut self, batch: &mut Vec<Stored>, held_back: bool) {
        if self.waiting.is_empty() {
            return;
        }
        self.forget();
        let epochs = &self.consumer.context().epochs;
        let (ready, done) = self.waiting.ready();
        batch.extend(ready);
        for (_, partition) in done {
            epochs.waiting.lock().remove(&partition);
            // Who holds everything back also goes on with everything.
            if !held_back
                && let Err(error) =
                    resume(&self.consumer, &wire::partitions(&self.name, [partition]))
            {
                tracing::warn!(%error, partition, "a partition could not be gone on with");
            }
        }
    }

    /// What was taken away meanwhile, even if it came back, is read again from where it was left.
    fn forget(&mut self) {
        let epochs = &self.consumer.context().epochs;
        self.waiting.retain(|(_, partition)| epochs.waits(partition));
    }

    fn hand_over(&self, batch: Vec<Stored>) -> bool {
        let bytes = batch.iter().map(Stored::size).sum();
        self.consumer.context().queued_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.told.send(Told::Records(batch)).is_ok()
    }

    /// Pauses what is read while too much waits for the member, and goes on when half is gone. What
    /// the client has fetched by then is dropped by it and fetched again.
    fn hold_back(&self, held_back: bool) -> bool {
        let heard = self.consumer.context();
        let queued = heard.queued_bytes.load(Ordering::Relaxed);
        let (list, full) = match held_back {
            false if queued >= QUEUED_BYTES_MAX => (heard.epochs.list(&self.name), true),
            true if queued > QUEUED_BYTES_MAX / 2 => return true,
            true => (heard.epochs.list(&self.name), false),
            false => return false,
        };
        let done = if full { self.consumer.pause(&list) } else { resume(&self.consumer, &list) };
        if let Err(error) = done {
            tracing::warn!(%error, full, "reading could not be held back or gone on with");
            return held_back;
        }
        full
    }

    fn failed(&self, error: &KafkaError) -> LogError {
        if is_fenced(error) {
            let held = self.consumer.context().epochs.held.lock().len();
            return LogError::Fenced { group: format!("{error} ({held} partitions)") };
        }
        log_error("read", error)
    }
}
