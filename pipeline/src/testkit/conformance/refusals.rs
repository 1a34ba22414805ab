//! Promises while dead letters cannot be written: what was not set aside is not passed over. Others
//! logged the failed write and committed past it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use schemas::Avro;
use schemas::ops::{DeadLetter, DeadLetterReason};
use schemas::topics::{DEAD_LETTERS, Topic, TopicSpec};
use tokio_util::sync::CancellationToken;

use super::effects::{self, Notes};
use super::{Bench, Harness, IN, all, committed, settle, tally_group, told};
use crate::log::{
    AppendError, Committing, Durable, Event, From, Group, Lease, Limit, Log, LogError, Member,
    Restored, Tail, Unit,
};
use crate::record::{Offset, Record};
use crate::runner::{EffectRunner, RunError, Setup};
use crate::testkit::tally::Told;

/// A log whose members cannot write dead letters while the switch is on.
struct Refusing {
    log: Arc<dyn Log>,
    refuses: Arc<AtomicBool>,
}

#[async_trait]
impl Log for Refusing {
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
        let (member, refuses) = (self.log.join(group).await?, Arc::clone(&self.refuses));
        Ok(Box::new(RefusingMember { member, refuses }))
    }

    async fn tail(&self, topics: &[Topic], from: From) -> Result<Box<dyn Tail>, LogError> {
        self.log.tail(topics, from).await
    }

    async fn lag(&self, group: &Group) -> Result<u64, LogError> {
        self.log.lag(group).await
    }
}

struct RefusingMember {
    member: Box<dyn Member>,
    refuses: Arc<AtomicBool>,
}

#[async_trait]
impl Member for RefusingMember {
    async fn next(&mut self, limit: Limit) -> Result<Event, LogError> {
        self.member.next(limit).await
    }

    async fn restore(&mut self, lease: Lease) -> Result<Restored, LogError> {
        self.member.restore(lease).await
    }

    async fn seek(&mut self, lease: Lease, position: Offset) -> Result<(), LogError> {
        self.member.seek(lease, position).await
    }

    async fn publish(&mut self, outputs: Vec<Record>) -> Result<(), LogError> {
        let letter = outputs.iter().any(|output| output.topic == DEAD_LETTERS);
        if letter && self.refuses.load(Ordering::Relaxed) {
            return Err(LogError::Redeliver("dead letters are refused".to_owned()));
        }
        self.member.publish(outputs).await
    }

    fn commit(&mut self, unit: Unit) -> Committing {
        self.member.commit(unit)
    }

    async fn leave(self: Box<Self>) {
        self.member.leave().await;
    }
}

/// The log of `harness`, which refuses until the switch is off.
fn refusing(harness: &dyn Harness) -> (Arc<dyn Log>, Arc<AtomicBool>) {
    let refuses = Arc::new(AtomicBool::new(true));
    let log = Refusing { log: harness.log(), refuses: Arc::clone(&refuses) };
    (Arc::new(log), refuses)
}

/// Why each record was set aside, whoever said it how often.
async fn reasons(log: &Arc<dyn Log>) -> BTreeSet<(i64, DeadLetterReason)> {
    let letters = all(log, DEAD_LETTERS).await;
    let letters = letters
        .iter()
        .map(|letter| DeadLetter::from_bytes(letter.value.as_ref().unwrap()).unwrap())
        .map(|letter| (letter.offset, letter.reason));
    letters.collect()
}

pub async fn a_stage_does_not_pass_what_it_cannot_set_aside(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let (log, refuses) = refusing(harness);
    let batch = [Told::Add(1), Told::Reject, Told::Add(2)];
    let placed = log.append(batch.map(|what| told("k", &what, 1)).to_vec()).await.unwrap().0;
    for _ in 0..2 {
        let mut runner = bench.tally(&log).await;
        let ended = settle(&log, &mut runner).await;
        assert!(matches!(ended, Err(RunError::Log(LogError::Redeliver(_)))), "{ended:?}");
        drop(runner);
        assert!(log.lag(&tally_group()).await.unwrap() >= 2, "it is not passed over");
    }
    refuses.store(false, Ordering::Relaxed);
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let set_aside = (placed[1].1.cast_signed(), DeadLetterReason::Rejected);
    assert_eq!(reasons(&log).await, BTreeSet::from([set_aside]));
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 2);
}

pub async fn an_effect_does_not_pass_what_it_cannot_set_aside(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let (log, refuses) = refusing(harness);
    let batch = [Told::Add(1), Told::Reject, Told::Add(2)];
    let placed = log.append(batch.map(|what| told("k", &what, 1)).to_vec()).await.unwrap().0;
    let group = Setup::effect_group("notes", IN);
    let join = |notes: &Arc<Notes>| {
        let (setup, stop) = (bench.setup(&log), CancellationToken::new());
        EffectRunner::join(Arc::clone(notes), &group, setup, effects::policy(), stop)
    };
    let mut runner = join(&Arc::default()).await.unwrap();
    let ended = effects::until(&mut runner, || false).await;
    assert!(matches!(ended, Err(RunError::Log(LogError::Redeliver(_)))), "{ended:?}");
    drop(runner);
    assert!(log.lag(&group).await.unwrap() >= 2, "it is not passed over");
    refuses.store(false, Ordering::Relaxed);
    let notes = Arc::<Notes>::default();
    let mut runner = join(&notes).await.unwrap();
    effects::until(&mut runner, || notes.numbers().contains(&2)).await.unwrap();
    runner.drain(Duration::from_secs(60)).await.unwrap();
    let set_aside = (placed[1].1.cast_signed(), DeadLetterReason::Rejected);
    assert_eq!(reasons(&log).await, BTreeSet::from([set_aside]));
    assert_eq!(log.lag(&group).await.unwrap(), 0);
}
