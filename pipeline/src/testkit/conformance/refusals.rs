//! Promises while dead letters cannot be written: what was not set aside is not passed over. Others
//! logged the failed write and committed past it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use schemas::Avro;
use schemas::ops::{DeadLetter, DeadLetterReason};
use schemas::topics::DEAD_LETTERS;
use tokio_util::sync::CancellationToken;

use super::effects::{self, Notes};
use super::valve::valved;
use super::{Bench, Harness, IN, all, committed, settle, tally_group, told};
use crate::log::{Log, LogError};
use crate::runner::{EffectRunner, RunError, Setup};
use crate::testkit::tally::Told;

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
    let (log, valve) = valved(harness);
    valve.refuses.store(true, Ordering::Relaxed);
    let batch = [Told::Add(1), Told::Reject, Told::Add(2)];
    let placed = log.append(batch.map(|what| told("k", &what, 1)).to_vec()).await.unwrap().0;
    for _ in 0..2 {
        let mut runner = bench.tally(&log).await;
        let ended = settle(&log, &mut runner).await;
        assert!(matches!(ended, Err(RunError::Log(LogError::Redeliver(_)))), "{ended:?}");
        drop(runner);
        assert!(log.lag(&tally_group()).await.unwrap() >= 2, "it is not passed over");
    }
    valve.refuses.store(false, Ordering::Relaxed);
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let set_aside = (placed[1].1.cast_signed(), DeadLetterReason::Rejected);
    assert_eq!(reasons(&log).await, BTreeSet::from([set_aside]));
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 2);
}

pub async fn an_effect_does_not_pass_what_it_cannot_set_aside(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let (log, valve) = valved(harness);
    valve.refuses.store(true, Ordering::Relaxed);
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
    valve.refuses.store(false, Ordering::Relaxed);
    let notes = Arc::<Notes>::default();
    let mut runner = join(&notes).await.unwrap();
    effects::until(&mut runner, || notes.numbers().contains(&2)).await.unwrap();
    runner.drain(Duration::from_secs(60)).await.unwrap();
    let set_aside = (placed[1].1.cast_signed(), DeadLetterReason::Rejected);
    assert_eq!(reasons(&log).await, BTreeSet::from([set_aside]));
    assert_eq!(log.lag(&group).await.unwrap(), 0);
}
