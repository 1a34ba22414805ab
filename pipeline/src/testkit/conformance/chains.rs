//! Promises of a chain: it gives what its stages give alone, and takes account of each record once.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemas::Avro;
use schemas::ops::DeadLetter;
use schemas::topics::{DEAD_LETTERS, Topic};
use tokio_util::sync::CancellationToken;

use super::{
    Bench, Harness, IN, OUT, PATIENCE, ROUND, all, chain_group, committed, committed_as, key, news,
    restored, script, settle, tally_group, told,
};
use crate::Log;
use crate::broadcast::Nothing;
use crate::log::{Group, PartitionUnit, StateRow, Unit};
use crate::record::{Headers, Origin, Record, TraceContext};
use crate::runner::{RunError, Setup, StageRunner, Step};
use crate::testkit::tally::{
    CHAIN_STATE, Reader, SECOND_OUT, SECOND_STATE, STATE, Then, Told, Total,
};
use crate::watermarks::Watermarks;

const KEYS: [&str; 8] = ["k0", "k1", "k2", "k3", "k4", "k5", "k6", "late"];

/// The script, and everything the second stage can be told, and inputs that are repeats.
fn long_script() -> Vec<Record> {
    let mut records = script();
    let next = |k: &str, then: Then, at: i64| told(k, &Told::Next(then), at);
    records.insert(30, next("k3", Then::Reject, 1_030));
    records.insert(33, next("k4", Then::Panic, 1_033));
    records.insert(36, next("k6", Then::Forget, 1_036));
    records.insert(45, next("late", Then::WakeAt(7_000), 1_045));
    let trace = TraceContext { trace_id: [7; 16], parent_id: [9; 8], flags: 1 };
    for offset in [3, 4, 3, 4, 5] {
        let origin = Origin { stage: "before".into(), partition: 2, offset, index: 0 };
        let mut record = told("k1", &Told::Add(offset), 1_100);
        record.headers =
            Headers { origin: Some(origin), trace: Some(trace), replay_of: Some("x/1/2".into()) };
        records.push(record);
    }
    records
}

fn second_group() -> Group {
    Setup::stage_group("second", OUT, Some(SECOND_STATE))
}

/// What an output says to its readers, without its place and without who made it.
type Said = (Option<Vec<u8>>, i64, Option<TraceContext>, Option<String>);

async fn said(log: &Arc<dyn Log>, topic: Topic) -> BTreeMap<Vec<u8>, Vec<Said>> {
    let mut said: BTreeMap<_, Vec<Said>> = BTreeMap::new();
    for record in news(log, topic).await.into_values().flatten() {
        let Headers { trace, replay_of, .. } = record.headers;
        let value = record.value.map(|value| value.to_vec());
        let is_tick = value
            .as_deref()
            .is_some_and(|bytes| Total::from_bytes(bytes).is_ok_and(|total| total.is_tick()));
        // A tick may be on its way twice, and is passed over the second time.
        if !is_tick {
            let replay_of = replay_of.map(String::from);
            said.entry(record.key.to_vec()).or_default().push((
                value,
                record.time_ms,
                trace,
                replay_of,
            ));
        }
    }
    said
}

/// Dead letters by stage and key: all but the place, which is that of the chain's input.
async fn letters(log: &Arc<dyn Log>) -> BTreeMap<(String, Vec<u8>), Vec<DeadLetter>> {
    let mut letters: BTreeMap<_, Vec<DeadLetter>> = BTreeMap::new();
    for record in news(log, DEAD_LETTERS).await.into_values().flatten() {
        let mut letter = DeadLetter::from_bytes(&record.value.unwrap()).unwrap();
        (letter.partition, letter.offset) = (0, 0);
        letter.headers = Vec::new(); // names whose output it is
        letters.entry((letter.stage.clone(), letter.key.clone())).or_default().push(letter);
    }
    letters
}

/// What is left of a run.
#[derive(Debug, PartialEq)]
struct Left {
    out: BTreeMap<Vec<u8>, Vec<Said>>,
    second_out: BTreeMap<Vec<u8>, Vec<Said>>,
    letters: BTreeMap<(String, Vec<u8>), Vec<DeadLetter>>,
    tally: Vec<Option<Total>>,
    second: Vec<Option<Total>>,
}

/// States of all keys, `of` a stage where the group is a chain's. One member reads them all: on a real
/// broker each join takes its time.
async fn states(log: &Arc<dyn Log>, group: &Group, of: &str) -> Vec<Option<Total>> {
    let mut member = log.join(group).await.unwrap();
    let limit = crate::log::Limit { records_max: 1, bytes_max: 1, wait: ROUND };
    let started = std::time::Instant::now();
    let mut restored = BTreeMap::new();
    while restored.len() < log.partitions() as usize {
        assert!(started.elapsed() < PATIENCE, "the partitions were never given to it");
        if let crate::log::Event::Assigned(leases) = member.next(limit).await.unwrap() {
            for lease in leases {
                restored.insert(lease.partition, member.restore(lease).await.unwrap());
            }
        }
    }
    let state = |key: &&str| {
        let at = crate::partition::of(key.as_bytes(), log.partitions());
        let row = restored[&at].state.get(format!("{of}{key}").as_bytes()).unwrap();
        row.map(|row| Total::from_bytes(&row.value).unwrap())
    };
    let states = KEYS.iter().map(state).collect();
    member.leave().await;
    states
}

async fn left(log: &Arc<dyn Log>, chained: bool) -> Left {
    let (tally, second) = if chained {
        let group = chain_group();
        (states(log, &group, "tally|").await, states(log, &group, "second|").await)
    } else {
        (states(log, &tally_group(), "").await, states(log, &second_group(), "").await)
    };
    Left {
        out: said(log, OUT).await,
        second_out: said(log, SECOND_OUT).await,
        letters: letters(log).await,
        tally,
        second,
    }
}

pub async fn a_chain_gives_what_its_stages_give_alone(harness: &mut dyn Harness) {
    let mut bench = Bench::new();
    bench.policy.batch_records_max = 9;
    let log = harness.log();
    log.append(long_script()).await.unwrap();
    let (mut tally, mut second) = (bench.tally(&log).await, bench.second(&log).await);
    for now_ms in [1_000, 5_001, 7_001, 7_002] {
        bench.clock.set(now_ms);
        for _ in 0..2 {
            settle(&log, &mut tally).await.unwrap();
            settle(&log, &mut second).await.unwrap();
        }
    }
    drop((tally, second));
    let alone = left(&log, false).await;
    let late = alone.second[7].as_ref().unwrap();
    assert_eq!((late.ticks, alone.letters.len()), (1, 5), "the script does what it says");
    drop(log);
    harness.fresh().await;
    let log = harness.log();
    bench.clock.set(1_000);
    log.append(long_script()).await.unwrap();
    let mut chain = bench.chain(&log).await;
    for now_ms in [1_000, 5_001, 7_001, 7_002] {
        bench.clock.set(now_ms);
        settle(&log, &mut chain).await.unwrap();
    }
    drop(chain);
    let chained = left(&log, true).await;
    assert_eq!(chained, alone);
    // Origins rise through all topics, record by record of the input.
    for (partition, outputs) in news(&log, SECOND_OUT).await {
        let origin = outputs.last().unwrap().headers.origin.clone().unwrap();
        assert_eq!((origin.stage.as_str(), origin.partition), ("tally+second", partition));
    }
}

async fn reader(bench: &Bench, log: &Arc<dyn Log>, group: &Group) -> StageRunner {
    let nothing = Arc::new(Nothing::default());
    StageRunner::join(Reader, group, bench.setup(log), nothing, CancellationToken::new())
        .await
        .unwrap()
}

/// Readers of what the chain publishes: of the topic between its links, and of its last.
fn readers() -> [Group; 2] {
    [
        Setup::stage_group("between", OUT, Some(SECOND_STATE)),
        Setup::stage_group("behind", SECOND_OUT, Some(STATE)),
    ]
}

/// Runs the script over the chain and its readers, ending the chain at the `nth` time it reaches
/// `step`. Gives whether it came that far.
async fn run(
    harness: &mut dyn Harness,
    crash: Option<(Step, usize)>,
    script: &[Record],
) -> (Left, Vec<Option<Total>>, bool) {
    let mut bench = Bench::new();
    bench.policy.batch_records_max = 11;
    bench.policy.commit_records = 20;
    bench.policy.commit_every = Duration::from_millis(5);
    let log = harness.log();
    log.append(script.to_vec()).await.unwrap();
    let mut crashed = false;
    bench.clock.set(8_000); // both deadlines are due from the start
    if let Some((step, nth)) = crash {
        let count = AtomicUsize::new(0);
        let probe = move |at: Step| at == step && count.fetch_add(1, Ordering::SeqCst) + 1 == nth;
        let mut chain = bench.chain_until(&log, probe).await;
        crashed = matches!(settle(&log, &mut chain).await, Err(RunError::Crashed(_)));
        drop(chain);
        // They have seen what is about to be published again, and know it by its origin afterwards.
        for group in readers().iter().filter(|_| crashed && step == Step::Published) {
            let mut reader = reader(&bench, &log, group).await;
            settle(&log, &mut reader).await.unwrap();
            reader.drain().await.unwrap();
        }
    }
    drop(log);
    if crashed {
        harness.crash().await;
    }
    let log = harness.log();
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    chain.drain().await.unwrap();
    let mut read = Vec::new();
    for group in readers() {
        let mut reader = reader(&bench, &log, &group).await;
        settle(&log, &mut reader).await.unwrap();
        reader.drain().await.unwrap();
        read.extend(states(&log, &group, "").await);
    }
    (left(&log, true).await, read, crashed)
}

pub async fn a_chain_ended_at_any_step_changes_nothing(harness: &mut dyn Harness) {
    let script = long_script();
    let (expected, read, _) = run(harness, None, &script).await;
    assert!(read.iter().filter(|total| total.is_some()).count() == 16, "{read:?}");
    for step in Step::OF_STAGES {
        for nth in 1.. {
            harness.fresh().await;
            let (found, seen, crashed) = run(harness, Some((step, nth)), &script).await;
            assert_eq!(found, expected, "crash at {step:?}, time {nth}");
            assert_eq!(seen, read, "crash at {step:?}, time {nth}");
            if !crashed {
                assert!(nth > 1, "{step:?} was never reached");
                break;
            }
        }
    }
}

/// One content for each origin, and the versions of each topic's outputs in order of origin.
async fn versions(log: &Arc<dyn Log>, topic: Topic) -> Vec<u64> {
    let mut contents: BTreeMap<_, std::collections::BTreeSet<_>> = BTreeMap::new();
    for record in all(log, topic).await {
        let origin = record.headers.origin.unwrap();
        contents.entry((origin.offset, origin.index)).or_default().insert(record.value.unwrap());
    }
    assert!(contents.values().all(|values| values.len() == 1), "one content for each origin");
    contents
        .values()
        .map(|values| Total::from_bytes(values.first().unwrap()).unwrap().version)
        .collect()
}

pub async fn each_link_of_a_chain_replays_with_its_own_versions(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    let adds = |range: std::ops::Range<u64>| range.map(|n| told("k", &Told::Add(n), 1)).collect();
    log.append(adds(0..6)).await.unwrap();
    let mut chain = bench.chain_until(&log, |step| step == Step::Published).await;
    assert!(settle(&log, &mut chain).await.is_err());
    drop((chain, log));
    harness.crash().await;
    // Meanwhile there is a new version for each, and more to read.
    *bench.numbers.0.lock() = 2;
    *bench.second_numbers.0.lock() = 20;
    let log = harness.log();
    log.append(adds(6..9)).await.unwrap();
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    log.append(adds(9..12)).await.unwrap();
    settle(&log, &mut chain).await.unwrap();
    // Then for one of them only.
    *bench.second_numbers.0.lock() = 21;
    settle(&log, &mut chain).await.unwrap();
    log.append(adds(12..13)).await.unwrap();
    settle(&log, &mut chain).await.unwrap();
    drop(chain);
    let (first, second) = (versions(&log, OUT).await, versions(&log, SECOND_OUT).await);
    assert_eq!((&first[..6], &second[..6]), (&[1; 6][..], &[10; 6][..]), "replayed as first read");
    assert_eq!((&first[9..], &second[9..12]), (&[2; 4][..], &[20; 3][..]), "what came later");
    assert_eq!(second[12], 21);
}

/// Rounds of a chain that commits when it must only, until there are `outputs` of its last link.
async fn publish(log: &Arc<dyn Log>, chain: &mut StageRunner, outputs: usize) {
    let started = std::time::Instant::now();
    while all(log, SECOND_OUT).await.len() < outputs {
        let _ = chain.step(ROUND).await.unwrap();
        assert!(started.elapsed() < PATIENCE, "{outputs} outputs were never published");
    }
}

pub async fn a_fenced_chain_is_harmless_and_begins_again(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    let batch = |from: u64| (from..from + 5).map(|n| told("k", &Told::Add(n), 1)).collect();
    log.append(batch(0)).await.unwrap();
    bench.policy.commit_every = Duration::from_secs(60);
    let mut paused = bench.chain(&log).await;
    publish(&log, &mut paused, 5).await;
    // Not heard of for too long with work in hand: its successor publishes the same again.
    harness.expire("tally+second", crate::partition::of(b"k", log.partitions())).await;
    bench.policy.commit_every = Duration::ZERO;
    let mut successor = bench.chain(&log).await;
    log.append(batch(5)).await.unwrap();
    settle(&log, &mut successor).await.unwrap();
    drop(successor);
    let started = std::time::Instant::now();
    let error = loop {
        assert!(started.elapsed() < PATIENCE, "it was never told");
        if let Err(error) = paused.step(ROUND).await {
            break error;
        }
    };
    assert!(error.rejoins(), "{error}");
    paused.rejoin().await.unwrap();
    log.append(batch(10)).await.unwrap();
    let before = all(&log, SECOND_OUT).await.len();
    publish(&log, &mut paused, before + 5).await;
    paused.drain().await.unwrap();
    for name in ["tally|k", "second|k"] {
        let total = committed_as(&log, &chain_group(), "k", name).await.unwrap();
        assert_eq!(total.count, 15, "{name}");
    }
    for group in readers() {
        settle(&log, &mut reader(&bench, &log, &group).await).await.unwrap();
        assert_eq!(committed(&log, &group, "k").await.unwrap().count, 15, "{}", group.name);
    }
}

/// The formats of a stage alone are those of the releases before there were chains: plain keys, and a
/// version as plain text.
pub async fn a_stage_alone_goes_on_from_what_earlier_releases_left(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    let placed = log.append(vec![told("k", &Told::Add(1), 1)]).await.unwrap().0[0];
    let partition = placed.0;
    let mut member = log.join(&tally_group()).await.unwrap();
    let limit = crate::log::Limit { records_max: 1, bytes_max: 1, wait: ROUND };
    let lease = loop {
        if let crate::log::Event::Assigned(leases) = member.next(limit).await.unwrap()
            && let Some(lease) = leases.into_iter().find(|lease| lease.partition == partition)
        {
            break lease;
        }
    };
    member.restore(lease).await.unwrap();
    let total = Total { count: 7, version: 3, ..Total::default() };
    let row = StateRow { value: total.to_bytes().unwrap().into(), wake_at_ms: Some(5_000) };
    let unit = PartitionUnit {
        lease,
        position: placed.1,
        watermarks: Watermarks::default(),
        pins: "3".into(),
        changes: vec![(key("k"), Some(row))],
    };
    member.commit(Unit { time_ms: 1, partitions: vec![unit] }).await.unwrap();
    drop(member);
    bench.clock.set(5_001);
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let total = committed(&log, &tally_group(), "k").await.unwrap();
    assert_eq!((total.count, total.ticks), (9, 1), "its state, and its deadline");
    let first = news(&log, OUT).await.remove(&partition).unwrap().remove(0);
    let origin = first.headers.origin.unwrap();
    assert_eq!((origin.stage.as_str(), origin.index), ("tally", 0));
    let first = Total::from_bytes(&first.value.unwrap()).unwrap();
    assert_eq!(first.version, 3, "read again with the version pinned then");
    let mut member = log.join(&tally_group()).await.unwrap();
    let restored = restored(member.as_mut(), partition).await;
    assert_eq!(restored.pins, "1".as_bytes());
    // A chain's are its own.
    let names: Vec<_> = all(&log, CHAIN_STATE).await;
    assert!(names.is_empty() && !all(&log, IN).await.is_empty());
}
