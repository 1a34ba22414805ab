//! A log whose members' outputs a test can hold up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use schemas::topics::{DEAD_LETTERS, Topic, TopicSpec};
use tokio::sync::watch;

use super::Harness;
use crate::log::{
    AppendError, Confirmation, Durable, Event, From, Group, Lease, Limit, Log, LogError, Member,
    Restored, Tail, Unit,
};
use crate::record::{Offset, Record};

/// What becomes of outputs.
pub(super) struct Valve {
    /// Dead letters are not taken.
    pub(super) refuses: AtomicBool,
    /// Whether members hear that what they handed over is confirmed.
    pub(super) confirms: watch::Sender<bool>,
    /// How often outputs were handed over.
    pub(super) handed_over: AtomicUsize,
    /// How many may be on their way, by what the members say.
    pub(super) publications_max: AtomicUsize,
}

/// The log of `harness`, and the valve of its members.
pub(super) fn valved(harness: &dyn Harness) -> (Arc<dyn Log>, Arc<Valve>) {
    let valve = Arc::new(Valve {
        refuses: AtomicBool::new(false),
        confirms: watch::Sender::new(true),
        handed_over: AtomicUsize::new(0),
        publications_max: AtomicUsize::new(0),
    });
    (Arc::new(Valved { log: harness.log(), valve: Arc::clone(&valve) }), valve)
}

struct Valved {
    log: Arc<dyn Log>,
    valve: Arc<Valve>,
}

#[async_trait]
impl Log for Valved {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        self.log.ensure(topics).await
    }

    fn partitions(&self) -> u32 {
        self.log.partitions()
    }

    async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        self.log.append(records).await
    }

    async fn join(&self, group: &Group) -> Result<Box<dyn Member>, LogError> {
        let (member, valve) = (self.log.join(group).await?, Arc::clone(&self.valve));
        valve.publications_max.store(member.publications_max(), Ordering::Relaxed);
        Ok(Box::new(ValvedMember { member, valve }))
    }

    async fn tail(&self, topics: &[Topic], from: From) -> Result<Box<dyn Tail>, LogError> {
        self.log.tail(topics, from).await
    }

    async fn lag(&self, group: &Group) -> Result<u64, LogError> {
        self.log.lag(group).await
    }
}

struct ValvedMember {
    member: Box<dyn Member>,
    valve: Arc<Valve>,
}

#[async_trait]
impl Member for ValvedMember {
    async fn next(&mut self, limit: Limit) -> Result<Event, LogError> {
        self.member.next(limit).await
    }

    async fn restore(&mut self, lease: Lease) -> Result<Restored, LogError> {
        self.member.restore(lease).await
    }

    async fn seek(&mut self, lease: Lease, position: Offset) -> Result<(), LogError> {
        self.member.seek(lease, position).await
    }

    async fn hand_over(&mut self, outputs: Vec<Record>) -> Result<Confirmation, LogError> {
        let letter = outputs.iter().any(|output| output.topic == DEAD_LETTERS);
        if letter && self.valve.refuses.load(Ordering::Relaxed) {
            return Err(LogError::Redeliver("dead letters are refused".to_owned()));
        }
        let publishing = self.member.hand_over(outputs).await?;
        self.valve.handed_over.fetch_add(1, Ordering::Relaxed);
        let mut confirms = self.valve.confirms.subscribe();
        Ok(Box::pin(async move {
            let _ = confirms.wait_for(|confirms| *confirms).await;
            publishing.await
        }))
    }

    fn publications_max(&self) -> usize {
        self.member.publications_max()
    }

    fn commit(&mut self, unit: Unit) -> Confirmation {
        self.member.commit(unit)
    }

    async fn leave(self: Box<Self>) {
        self.member.leave().await;
    }
}
