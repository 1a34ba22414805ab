//! Promises an effect relies on: positions stay below what is unfinished, lanes keep order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use schemas::Avro;
use schemas::ops::{DeadLetter, DeadLetterReason};
use schemas::topics::DEAD_LETTERS;
use tokio_util::sync::CancellationToken;

use super::{Bench, Harness, IN, OUT, PATIENCE, all, told};
use crate::Log;
use crate::effect::{Effect, EffectPolicy, Outcome};
use crate::record::{Offset, Origin, Record};
use crate::runner::{EffectRunner, RunError, Setup, Step};
use crate::stage::Envelope;
use crate::testkit::tally::Told;

/// An effect that notes what it applied, and fails where it is told to.
#[derive(Default)]
pub(super) struct Notes {
    applied: Mutex<Vec<(u32, Offset, u64)>>,
    failing: Mutex<BTreeSet<u64>>,
    remembers: Option<Vec<(u32, Offset)>>,
    /// What it was told is accounted for.
    passed: Mutex<BTreeMap<u32, Offset>>,
    /// Everything it was asked to apply, also in vain.
    asked: Mutex<BTreeSet<u64>>,
    slow: Option<u64>,
}

impl Notes {
    pub(super) fn numbers(&self) -> Vec<u64> {
        self.applied.lock().iter().map(|(_, _, n)| *n).collect()
    }
}

#[async_trait]
impl Effect for Notes {
    const NAME: &'static str = "notes";
    type In = Told;

    async fn positions(&self) -> Option<Vec<(u32, Offset)>> {
        self.remembers.clone()
    }

    async fn passed(&self, positions: &[(u32, Offset)]) {
        self.passed.lock().extend(positions.iter().copied());
    }

    async fn apply(&self, inputs: &[Envelope<Told>]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for input in inputs {
            if let Told::Add(n) = &input.body {
                self.asked.lock().insert(*n);
            }
            outcomes.push(match &input.body {
                Told::Add(n) if self.failing.lock().contains(n) => {
                    Outcome::Retry { after: Duration::from_millis(1), why: "told to".to_owned() }
                }
                Told::Add(n) => {
                    if Some(*n) == self.slow {
                        tokio::time::sleep(Duration::from_millis(200)).await;
                    }
                    self.applied.lock().push((input.partition, input.offset, *n));
                    let told = Told::Add(*n).to_bytes().unwrap();
                    Outcome::Done(vec![Record::new(OUT, input.key.clone(), told, input.time_ms)])
                }
                _ => Outcome::Reject("told to".to_owned()),
            });
        }
        outcomes
    }
}

pub(super) fn policy() -> EffectPolicy {
    EffectPolicy {
        lanes: 8,
        commit_every: Duration::from_millis(5),
        retry_pause_max: Duration::from_millis(5),
        ..EffectPolicy::default()
    }
}

async fn join(
    bench: &Bench,
    log: &Arc<dyn Log>,
    notes: &Arc<Notes>,
    probe: impl Fn(Step) -> bool + Send + Sync + 'static,
) -> EffectRunner<Notes> {
    let probe = move |part: &str, step| {
        assert_eq!(part, Notes::NAME);
        probe(step)
    };
    let setup = Setup { probe: Some(Arc::new(probe)), ..bench.setup(log) };
    let group = Setup::effect_group("notes", IN);
    let stop = CancellationToken::new();
    EffectRunner::join(Arc::clone(notes), &group, setup, policy(), stop).await.unwrap()
}

/// Rounds until `done`.
pub(super) async fn until(
    runner: &mut EffectRunner<Notes>,
    done: impl Fn() -> bool,
) -> Result<(), RunError> {
    let started = std::time::Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "it never came to that");
        runner.step(Duration::from_millis(5)).await?;
    }
    Ok(())
}

/// What an effect applies of the whole input.
pub(super) async fn applied(bench: &Bench, log: &Arc<dyn Log>) -> Vec<u64> {
    let notes = Arc::new(Notes::default());
    let mut runner = join(bench, log, &notes, |_| false).await;
    let started = std::time::Instant::now();
    while log.lag(&Setup::effect_group("notes", IN)).await.unwrap() > 0 {
        assert!(started.elapsed() < PATIENCE, "it was never through");
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    notes.numbers()
}

/// What a stage called `before` said of record `n`.
fn said(key: &str, n: u64) -> Record {
    let mut record = told(key, &Told::Add(n), 1);
    let stage = "before".into();
    record.headers.origin = Some(Origin { stage, partition: 0, offset: n, index: 0 });
    record
}

pub async fn an_effect_commits_below_what_is_unfinished(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    // Keys of one partition, so that one failing record is followed by finished ones.
    let keys: Vec<String> = (0..)
        .map(|n| format!("k{n}"))
        .filter(|key| crate::partition::of(key.as_bytes(), log.partitions()) == 0)
        .take(10)
        .collect();
    let batch: Vec<Record> = keys.iter().zip(0..).map(|(key, n)| said(key, n)).collect();
    log.append(batch.clone()).await.unwrap();
    let notes = Arc::new(Notes::default());
    notes.failing.lock().insert(3);
    let mut runner = join(&bench, &log, &notes, |_| false).await;
    until(&mut runner, || notes.numbers().len() == 9).await.unwrap();
    for _ in 0..20 {
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    drop((runner, log));
    harness.crash().await;
    // 4 to 9 were done and not committed, because 3 was not: they are done again, 3 as well. Whoever
    // said them says the last few once more meanwhile, which changes nothing.
    let log = harness.log();
    log.append(batch[5..].to_vec()).await.unwrap();
    let again = Arc::new(Notes::default());
    let mut runner = join(&bench, &log, &again, |_| false).await;
    until(&mut runner, || again.numbers().len() >= 7).await.unwrap();
    runner.drain(PATIENCE).await.unwrap();
    let mut numbers = again.numbers();
    numbers.sort_unstable();
    assert_eq!(numbers, [3, 4, 5, 6, 7, 8, 9]);
    let told: BTreeSet<_> = all(&log, OUT).await.into_iter().map(|r| r.value.unwrap()).collect();
    assert_eq!(told.len(), 10, "every outcome is written down");
    let group = Setup::effect_group("notes", IN);
    assert_eq!(log.lag(&group).await.unwrap(), 0);
}

pub async fn an_effect_keeps_order_per_key_across_lanes(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    let batch: Vec<Record> =
        (0..300u64).map(|n| told(&format!("k{}", n % 20), &Told::Add(n), 1)).collect();
    log.append(batch).await.unwrap();
    let notes = Arc::new(Notes { slow: Some(5), ..Notes::default() });
    notes.failing.lock().insert(47);
    let mut runner = join(&bench, &log, &notes, |_| false).await;
    // 47 and the twelve that follow it under its key; nobody else waits.
    until(&mut runner, || notes.numbers().len() == 287).await.unwrap();
    assert!(!notes.numbers().contains(&67), "what follows 47 under its key waits for it");
    notes.failing.lock().clear();
    until(&mut runner, || notes.numbers().len() == 300).await.unwrap();
    runner.drain(PATIENCE).await.unwrap();
    let mut by_key: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for n in notes.numbers() {
        by_key.entry(n % 20).or_default().push(n);
    }
    for (key, numbers) in by_key {
        assert_eq!(numbers, (0..15).map(|n| key + n * 20).collect::<Vec<_>>());
    }
    let numbers = notes.numbers();
    let slow = numbers.iter().position(|n| *n == 5).unwrap();
    assert!(slow > 30, "a slow record holds up nobody but its own lane ({slow})");
}

pub async fn a_target_that_remembers_its_position_is_believed(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    let placed = log.append((0..10).map(|n| said("k", n)).collect()).await.unwrap().0;
    let notes = Arc::new(Notes::default());
    let mut runner = join(&bench, &log, &notes, |_| false).await;
    until(&mut runner, || notes.numbers().len() == 10).await.unwrap();
    runner.drain(PATIENCE).await.unwrap();
    // It is told how far it may say it has come.
    assert_eq!(notes.passed.lock().get(&placed[9].0), Some(&(placed[9].1 + 1)));
    // The target lost its last six rows in a power cut, and knows it.
    let (partition, offset, _) = notes.applied.lock()[4];
    let behind = Notes { remembers: Some(vec![(partition, offset)]), ..Notes::default() };
    let notes = Arc::new(behind);
    let mut runner = join(&bench, &log, &notes, |_| false).await;
    until(&mut runner, || notes.numbers().len() >= 6).await.unwrap();
    runner.drain(PATIENCE).await.unwrap();
    assert_eq!(notes.numbers(), [4, 5, 6, 7, 8, 9]);
}

pub async fn an_effect_rejects_into_dead_letters(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    let bad = Record::new(IN, super::key("k"), "not a record".as_bytes(), 1);
    let batch = vec![told("k", &Told::Reject, 1), bad, told("k", &Told::Add(1), 1)];
    let placed = log.append(batch).await.unwrap().0;
    // The first time it ends when the first of them is written down and nothing is committed.
    let notes = Arc::new(Notes::default());
    let mut runner = join(&bench, &log, &notes, |step| step == Step::Told).await;
    assert!(until(&mut runner, || false).await.is_err());
    drop(runner);
    let again = Arc::new(Notes::default());
    let mut runner = join(&bench, &log, &again, |_| false).await;
    until(&mut runner, || again.numbers() == [1]).await.unwrap();
    runner.drain(PATIENCE).await.unwrap();
    let letters = all(&log, DEAD_LETTERS).await;
    let letters: BTreeSet<_> = letters
        .iter()
        .map(|letter| DeadLetter::from_bytes(letter.value.as_ref().unwrap()).unwrap())
        .map(|letter| (letter.offset.cast_unsigned(), letter.reason, letter.stage))
        .collect();
    let letter = |at: usize, reason| (placed[at].1, reason, "notes".to_owned());
    let expected =
        [letter(0, DeadLetterReason::Rejected), letter(1, DeadLetterReason::Undecodable)];
    assert_eq!(letters, BTreeSet::from(expected), "both, each at least once");
    assert_eq!(log.lag(&Setup::effect_group("notes", IN)).await.unwrap(), 0);
}

pub async fn an_effect_holds_no_more_than_its_budget(harness: &mut dyn Harness) {
    let mut bench = Bench::new();
    bench.policy.batch_records_max = 4;
    let log = harness.log();
    log.append((0..60).map(|n| told(&format!("k{n}"), &Told::Add(n), 1)).collect()).await.unwrap();
    let notes = Arc::new(Notes::default());
    notes.failing.lock().extend(0..60);
    let setup = bench.setup(&log);
    let group = Setup::effect_group("notes", IN);
    let policy = EffectPolicy { in_flight_records_max: 8, ..policy() };
    let stop = CancellationToken::new();
    let mut runner =
        EffectRunner::join(Arc::clone(&notes), &group, setup, policy, stop).await.unwrap();
    until(&mut runner, || notes.asked.lock().len() >= 8).await.unwrap();
    for _ in 0..30 {
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    let asked = notes.asked.lock().len();
    assert!(asked < 8 + 4, "holds {asked} and may hold 8, and what came with the last of them");
    notes.failing.lock().clear();
    until(&mut runner, || notes.numbers().len() == 60).await.unwrap();
    runner.drain(PATIENCE).await.unwrap();
    assert_eq!(log.lag(&group).await.unwrap(), 0);
}
