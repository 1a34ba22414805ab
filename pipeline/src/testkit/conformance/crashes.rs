//! Crashes between steps: what a run without any would have done is done, once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Bench, Harness, OUT, SECOND_STATE, news, script, settle, told};
use crate::Log;
use crate::log::Group;
use crate::record::{Record, Stored};
use crate::runner::{RunError, Setup, StageRunner, Step};
use crate::testkit::tally::{Told, Total};

fn second_group() -> Group {
    Setup::stage_group("second", OUT, Some(SECOND_STATE))
}

pub async fn repeats_are_removed(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    log.append((0..10).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    for _ in 0..3 {
        let log = harness.log();
        let mut runner = bench.tally_until(&log, |step| step == Step::Published).await;
        assert!(matches!(settle(&log, &mut runner).await, Err(RunError::Crashed(Step::Published))));
        drop((runner, log));
        harness.crash().await;
    }
    drop(log);
    let log = harness.log();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    assert_eq!(super::all(&log, OUT).await.len(), 40, "published four times");
    let mut second = bench.second(&log).await;
    settle(&log, &mut second).await.unwrap();
    drop((runner, second));
    let total = super::committed(&log, &second_group(), "k").await.unwrap();
    assert_eq!(total.count, 10, "taken account of once");
}

/// What a reader has seen of its inputs' origins is restored with its position.
pub async fn repeats_are_removed_also_after_a_restart(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    log.append((0..10).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    let mut runner = bench.tally_until(&log, |step| step == Step::Published).await;
    assert!(matches!(settle(&log, &mut runner).await, Err(RunError::Crashed(Step::Published))));
    let mut second = bench.second(&log).await;
    settle(&log, &mut second).await.unwrap();
    drop((runner, second, log));
    harness.crash().await;
    // The first publishes all of it again, behind the position the second has committed.
    let log = harness.log();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    let mut second = bench.second(&log).await;
    settle(&log, &mut second).await.unwrap();
    drop((runner, second));
    assert_eq!(super::all(&log, OUT).await.len(), 20, "published twice");
    assert_eq!(super::committed(&log, &second_group(), "k").await.unwrap().count, 10);
}

/// What is left of a run: outputs without repeats by key, and the second stage's states.
#[derive(Debug, PartialEq)]
struct Left {
    outputs: BTreeMap<Vec<u8>, Vec<Vec<u8>>>,
    second: BTreeMap<String, Option<Total>>,
}

async fn left(log: &Arc<dyn Log>) -> Left {
    let mut outputs: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    for record in news(log, OUT).await.into_values().flatten() {
        let Stored { key, value, .. } = record;
        outputs.entry(key.to_vec()).or_default().push(value.unwrap().to_vec());
    }
    let mut second = BTreeMap::new();
    for k in 0..7 {
        let key = format!("k{k}");
        second.insert(key.clone(), super::committed(log, &second_group(), &key).await);
    }
    Left { outputs, second }
}

/// As [`settle`], joining again where a process would.
async fn settled(log: &Arc<dyn Log>, runner: &mut StageRunner) -> Result<(), RunError> {
    loop {
        match settle(log, runner).await {
            Err(error) if error.rejoins() => runner.rejoin().await?,
            ended => return ended,
        }
    }
}

/// Runs the whole script over both stages, ending the first at the `nth` time it reaches `step`.
/// Gives whether it came that far.
async fn run(
    harness: &mut dyn Harness,
    crash: Option<(Step, usize)>,
    script: &[Record],
) -> (Left, bool) {
    let mut bench = Bench::new();
    bench.policy.batch_records_max = 9;
    bench.policy.commit_records = 20;
    bench.policy.commit_every = std::time::Duration::from_millis(5);
    let log = harness.log();
    log.append(script.to_vec()).await.unwrap();
    let mut crashed = false;
    // The tally waits for a deadline at 5,000: it is due from the start.
    bench.clock.set(6_000);
    if let Some((step, nth)) = crash {
        let count = AtomicUsize::new(0);
        let probe = move |at: Step| at == step && count.fetch_add(1, Ordering::SeqCst) + 1 == nth;
        let mut runner = bench.tally_until(&log, probe).await;
        crashed = matches!(settled(&log, &mut runner).await, Err(RunError::Crashed(_)));
        drop(runner);
    }
    drop(log);
    if crashed {
        harness.crash().await;
    }
    let log = harness.log();
    let mut runner = bench.tally(&log).await;
    settled(&log, &mut runner).await.unwrap();
    let mut second = bench.second(&log).await;
    settled(&log, &mut second).await.unwrap();
    drop((runner, second));
    (left(&log).await, crashed)
}

pub async fn a_crash_between_any_two_steps_changes_nothing(harness: &mut dyn Harness) {
    let script = script();
    let (expected, _) = run(harness, None, &script).await;
    assert!(expected.outputs.len() == 7 && expected.second["k0"].is_some());
    for step in Step::OF_STAGES {
        for nth in 1.. {
            harness.fresh().await;
            let (found, crashed) = run(harness, Some((step, nth)), &script).await;
            assert_eq!(found, expected, "crash at {step:?}, time {nth}");
            if !crashed {
                assert!(nth > 1, "{step:?} was never reached");
                break;
            }
        }
    }
}

/// What is published is there for readers before anything is committed.
pub async fn outputs_do_not_wait_for_the_commit(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    log.append((0..10).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    let mut runner = bench.tally_until(&log, |step| step == Step::Committing).await;
    let ended = loop {
        if let Err(error) = settle(&log, &mut runner).await {
            break error;
        }
    };
    assert!(matches!(ended, RunError::Crashed(Step::Committing)), "{ended}");
    // The first commit writes down the pinned versions, before any record is read; go past it.
    drop(runner);
    let seen = AtomicUsize::new(0);
    let second_commit =
        move |step| step == Step::Committing && seen.fetch_add(1, Ordering::SeqCst) == 1;
    let mut runner = bench.tally_until(&log, second_commit).await;
    assert!(settle(&log, &mut runner).await.is_err());
    assert_eq!(super::all(&log, OUT).await.len(), 10);
    assert_eq!(log.lag(runner.group()).await.unwrap(), 10, "and nothing is committed");
}
