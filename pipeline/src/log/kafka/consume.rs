//! The consumer's thread: polls, gathers batches, and hands over partitions when the group moves
//! them. Draining inside an async consumer's callbacks can deadlock; here the thread waits inside the
//! callback while the member finishes its work elsewhere.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::time::Duration;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance};
use schemas::topics::Topic;
use tokio::sync::mpsc;

use super::changelog::{LEFT, is_passing};
use super::client::is_fenced;
use super::wire;
use crate::log::{Lease, LogError};
use crate::record::Stored;

/// How long a member may take to give up partitions; below the session time-out.
pub(super) const REVOKE_WITHIN: Duration = Duration::from_secs(4);
/// Longest wait for a message before the thread looks around.
const POLL: Duration = Duration::from_millis(100);
/// Records gathered at once.
const BATCH_MAX: usize = 512;

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
    }

    pub(super) fn holds(&self, lease: Lease) -> bool {
        self.held.lock().get(&lease.partition) == Some(&lease.epoch)
    }
}

/// Hears of rebalances.
pub(super) struct Heard {
    pub(super) epochs: Epochs,
    told: mpsc::Sender<Told>,
    stop: Arc<AtomicBool>,
}

impl Heard {
    pub(super) fn new(told: mpsc::Sender<Told>, stop: Arc<AtomicBool>) -> Self {
        Self { epochs: Epochs::default(), told, stop }
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
        // Partitions already lost cannot be finished with, only forgotten.
        if !leases.is_empty() && !consumer.assignment_lost() && !self.stop.load(Ordering::Relaxed) {
            let (done, finished) = std_mpsc::channel();
            if self.told.blocking_send(Told::Revoked(leases, done)).is_ok() {
                let _ = finished.recv_timeout(REVOKE_WITHIN);
            }
        }
        partitions.into_iter().for_each(|partition| self.epochs.revoke(partition));
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
        let _ = self.told.blocking_send(Told::Assigned(leases));
    }
}

/// Polls until told to stop; what was read and not handed over is read again by the next holder.
pub(super) fn run(
    consumer: &BaseConsumer<Heard>,
    topic: Topic,
    told: &mpsc::Sender<Told>,
    stop: &AtomicBool,
    frozen: &AtomicBool,
) {
    let mut batch: Vec<Stored> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        if frozen.load(Ordering::Relaxed) {
            std::thread::sleep(POLL);
            continue;
        }
        let wait = if batch.is_empty() { POLL } else { Duration::ZERO };
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                // Where others left partitions of a changelog is nobody's input.
                if wire::header(&message, LEFT).is_none() {
                    batch.push(wire::stored(topic, &message));
                }
                if batch.len() < BATCH_MAX {
                    continue;
                }
            }
            Some(Err(error)) if is_passing(&error) => tracing::warn!(%error, "reading goes on"),
            Some(Err(error)) => {
                let group = consumer.context().epochs.held.lock().len().to_string();
                let failed = if is_fenced(&error) {
                    LogError::Fenced { group: format!("{error} ({group} partitions)") }
                } else {
                    super::client::log_error("read", &error)
                };
                let _ = told.blocking_send(Told::Failed(failed));
                return;
            }
            None => {}
        }
        if !batch.is_empty()
            && told.blocking_send(Told::Records(std::mem::take(&mut batch))).is_err()
        {
            return;
        }
    }
}
