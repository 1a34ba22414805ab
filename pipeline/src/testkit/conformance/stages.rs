//! Promises a stage relies on: state, ticks, dead letters, pinned side inputs, determinism.

use std::collections::BTreeMap;

use schemas::Avro;
use schemas::ops::{DeadLetter, DeadLetterReason};
use schemas::topics::DEAD_LETTERS;

use super::{
    Bench, Harness, IN, OUT, all, committed, key, news, restored, script, settle, tally_group, told,
};
use crate::log::AppendError;
use crate::record::{Headers, Origin, Record, TraceContext};
use crate::runner::{RunError, Step};
use crate::testkit::tally::{Told, Total, WRITTEN};

pub async fn offsets_may_skip(harness: &mut dyn Harness) {
    // Records of another partition, or of nobody's, lie between those of a key in any real log.
    let (log, bench) = (harness.log(), Bench::new());
    for n in 0..40u64 {
        log.append(vec![told(&format!("k{}", n % 5), &Told::Add(n), 1)]).await.unwrap();
    }
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    for k in 0..5 {
        let total = committed(&log, &tally_group(), &format!("k{k}")).await.unwrap();
        assert_eq!(total.count, 8);
    }
}

pub async fn state_position_and_pins_are_restored_together(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    log.append((0..9).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    log.append(vec![told("gone", &Told::Add(1), 1)]).await.unwrap();
    log.append(vec![told("gone", &Told::Forget, 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop((runner, log));
    harness.crash().await;
    let log = harness.log();
    let total = committed(&log, &tally_group(), "k").await.unwrap();
    assert_eq!((total.count, total.version), (9, 1));
    assert_eq!(committed(&log, &tally_group(), "gone").await, None);
    let mut member = log.join(&tally_group()).await.unwrap();
    let partition = crate::partition::of(b"k", log.partitions());
    let restored = restored(member.as_mut(), partition).await;
    let last =
        all(&log, IN).await.iter().filter(|r| r.partition == partition).map(|r| r.offset).max();
    assert_eq!(restored.position, last.unwrap() + 1);
    assert!(restored.end >= restored.position);
    assert_eq!(&restored.pins[..], b"1");
    drop(member);
    // What is appended now is counted on top, and nothing twice.
    log.append(vec![told("k", &Told::Add(9), 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 10);
}

pub async fn dead_letters_hold_the_record_whole(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    let mut bad = Record::new(IN, key("k"), "not a record".as_bytes(), 77);
    bad.headers = Headers { replay_of: Some("x/1/2".into()), ..Headers::default() };
    let placed = log.append(vec![told("k", &Told::Add(1), 1), bad]).await.unwrap().0[1];
    log.append(vec![told("k", &Told::Reject, 1)]).await.unwrap();
    log.append(vec![told("k", &Told::Panic, 1)]).await.unwrap();
    log.append(vec![told("k", &Told::Add(2), 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let letters: Vec<DeadLetter> = all(&log, DEAD_LETTERS)
        .await
        .iter()
        .map(|record| DeadLetter::from_bytes(record.value.as_ref().unwrap()).unwrap())
        .collect();
    let reasons: Vec<_> = letters.iter().map(|letter| letter.reason).collect();
    assert_eq!(
        reasons,
        [DeadLetterReason::Undecodable, DeadLetterReason::Rejected, DeadLetterReason::Panicked]
    );
    let letter = &letters[0];
    assert_eq!(letter.value.as_deref(), Some(&b"not a record"[..]));
    assert_eq!((&letter.key[..], letter.time_ms, letter.stage.as_str()), (&b"k"[..], 77, "tally"));
    assert_eq!(
        (letter.topic.as_str(), letter.partition.cast_unsigned(), letter.offset.cast_unsigned()),
        (IN.0, placed.0, placed.1),
        "the partition is the partition and the offset the offset"
    );
    assert_eq!(Headers::from_bytes(&letter.headers).replay_of.as_deref(), Some("x/1/2"));
    assert_eq!(letters[1].detail, "told to");
    assert!(!letters[2].detail.contains(WRITTEN), "{}", letters[2].detail);
    // What the stage did for a record it then rejected is undone.
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 2);
}

/// For logs that take no record however large.
pub async fn what_is_too_large_is_refused_at_the_door_and_set_aside_behind_it(
    harness: &mut dyn Harness,
) {
    let (log, bench) = (harness.log(), Bench::new());
    let bytes_max = log.record_bytes_max();
    let over = Record::new(IN, key("k"), vec![b'x'; bytes_max], 1);
    let error = log.append(vec![over]).await.unwrap_err();
    assert!(matches!(error, AppendError::TooLarge { .. }), "{error}");
    // Just fits, and what is made of it does not.
    let emit = |bytes: usize| told("k", &Told::EmitFor("x".repeat(bytes)), 1);
    let large = emit(bytes_max - emit(0).size() - 8);
    let whole = large.value.clone();
    log.append(vec![told("k", &Told::Add(1), 1)]).await.unwrap();
    log.append(vec![large, told("k", &Told::Add(2), 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let letters = all(&log, DEAD_LETTERS).await;
    assert_eq!(letters.len(), 1);
    let letter = DeadLetter::from_bytes(letters[0].value.as_ref().unwrap()).unwrap();
    assert_eq!(letter.reason, DeadLetterReason::TooLarge, "{}", letter.detail);
    assert!(letter.value.as_deref() == whole.as_deref(), "the letter holds the record whole");
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 2);
}

pub async fn the_brake_stops_before_the_backlog_is_spoilt(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    bench.policy.brake.consecutive_max = 5;
    log.append(vec![told("k", &Told::Add(1), 1)]).await.unwrap();
    let bad = || Record::new(IN, key("k"), "not a record".as_bytes(), 1);
    log.append((0..20).map(|_| bad()).collect()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    let error = settle(&log, &mut runner).await.unwrap_err();
    assert!(
        matches!(error, RunError::Braked { reason: DeadLetterReason::Undecodable, .. }),
        "{error}"
    );
    drop(runner);
    assert!(log.lag(&tally_group()).await.unwrap() >= 15, "the backlog is kept");
    // Once the cause is mended (here: it is let through), everything is taken account of.
    bench.policy.brake.consecutive_max = 100;
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 1);
    let letters = news(&log, DEAD_LETTERS).await;
    assert_eq!(letters.values().map(Vec::len).sum::<usize>(), 20);
}

pub async fn ticks_come_once_also_after_a_restart(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    let wakes = ["a", "b", "c"].map(|k| told(k, &Told::WakeAt(5_000), 1));
    log.append(wakes.to_vec()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    // Too early: nothing. Then the process ends with the deadlines waiting.
    bench.clock.set(4_999);
    settle(&log, &mut runner).await.unwrap();
    drop((runner, log));
    harness.crash().await;
    let log = harness.log();
    bench.clock.set(5_001);
    // It ends again just when the ticks are on their way.
    let mut runner = bench.tally_until(&log, |step| step == Step::Ticked).await;
    assert!(matches!(settle(&log, &mut runner).await, Err(RunError::Crashed(Step::Ticked))));
    drop((runner, log));
    harness.crash().await;
    let log = harness.log();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    for k in ["a", "b", "c"] {
        let total = committed(&log, &tally_group(), k).await.unwrap();
        assert_eq!((total.count, total.ticks), (2, 1), "{k} was told once of its deadline");
    }
}

/// Everything an output says, without its place.
fn content(record: &crate::record::Stored) -> (bytes::Bytes, Option<bytes::Bytes>, Headers, i64) {
    (record.key.clone(), record.value.clone(), record.headers.clone(), record.time_ms)
}

pub async fn the_same_log_gives_the_same_outputs(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    log.append(script()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let first = all(&log, OUT).await;
    // Another group reads the same log in batches of another size.
    bench.policy.batch_records_max = 7;
    let mut runner = second_reader(&bench, &log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let mut runs: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for record in all(&log, OUT).await {
        runs.entry(record.partition).or_default().push(content(&record));
    }
    let total: usize = runs.values().map(Vec::len).sum();
    assert_eq!(total, 2 * first.len());
    for (_, run) in runs {
        let (a, b) = run.split_at(run.len() / 2);
        assert_eq!(a, b, "byte for byte");
    }
}

async fn second_reader(
    bench: &Bench,
    log: &std::sync::Arc<dyn crate::Log>,
) -> crate::runner::StageRunner {
    let group = crate::Setup::stage_group("again", IN, Some(super::SECOND_STATE));
    let numbers = bench.numbers.clone();
    let stop = tokio_util::sync::CancellationToken::new();
    crate::runner::StageRunner::join(
        crate::testkit::tally::Tally,
        &group,
        bench.setup(log),
        numbers,
        stop,
    )
    .await
    .unwrap()
}

pub async fn a_replayed_span_is_read_with_the_versions_it_first_ran_with(
    harness: &mut dyn Harness,
) {
    let bench = Bench::new();
    let log = harness.log();
    log.append((0..6).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    // All six are published; the process ends before the commit.
    let mut runner = bench.tally_until(&log, |step| step == Step::Published).await;
    assert!(settle(&log, &mut runner).await.is_err());
    drop((runner, log));
    harness.crash().await;
    // Meanwhile there is a new version, and more to read.
    *bench.numbers.0.lock() = 2;
    let log = harness.log();
    log.append((6..9).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    log.append((9..12).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let mut contents: BTreeMap<_, std::collections::BTreeSet<_>> = BTreeMap::new();
    for record in all(&log, OUT).await {
        let origin = record.headers.origin.unwrap();
        let value = record.value.unwrap();
        contents.entry((origin.offset, origin.index)).or_default().insert(value);
    }
    assert!(contents.values().all(|values| values.len() == 1), "one content for each origin");
    let versions: Vec<u64> = contents
        .values()
        .map(|values| Total::from_bytes(values.first().unwrap()).unwrap().version)
        .collect();
    assert_eq!(versions[..6], [1; 6], "what was published with version 1 is replayed with it");
    assert_eq!(versions[9..], [2; 3], "what came later is read with version 2");
}

/// A partition nobody writes to does not hold on to the version it was left with: one day that version
/// is gone.
pub async fn an_idle_partition_takes_up_a_new_version(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    log.append(vec![told("k", &Told::Add(0), 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    *bench.numbers.0.lock() = 2;
    log.append(vec![told("k", &Told::Add(1), 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let idle = (crate::partition::of(b"k", log.partitions()) + 1) % log.partitions();
    let mut member = log.join(&tally_group()).await.unwrap();
    let restored = restored(member.as_mut(), idle).await;
    assert_eq!(restored.pins, "2".as_bytes());
}

pub async fn a_deadline_waits_through_other_records(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    let batch = [
        told("kept", &Told::WakeAt(5_000), 1),
        told("kept", &Told::Add(1), 1),
        told("put off", &Told::WakeAt(5_000), 1),
        told("put off", &Told::WakeAt(7_000), 1),
        told("gone", &Told::WakeAt(5_000), 1),
        told("gone", &Told::Forget, 1),
    ];
    log.append(batch.to_vec()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    // What waited when the partition was restored waits through other records, too.
    drop(runner);
    log.append(vec![told("kept", &Told::Add(2), 1)]).await.unwrap();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    for (now_ms, kept, put_off) in [(5_001, 1, 0), (6_999, 1, 0), (7_001, 1, 1)] {
        bench.clock.set(now_ms);
        settle(&log, &mut runner).await.unwrap();
        drop(runner);
        let ticks = |total: Option<Total>| total.unwrap().ticks;
        assert_eq!(ticks(committed(&log, &tally_group(), "kept").await), kept, "at {now_ms}");
        assert_eq!(ticks(committed(&log, &tally_group(), "put off").await), put_off, "at {now_ms}");
        assert_eq!(committed(&log, &tally_group(), "gone").await, None);
        runner = bench.tally(&log).await;
        settle(&log, &mut runner).await.unwrap();
    }
}

pub async fn outputs_carry_their_origin_and_what_came_with_the_record(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    let trace = TraceContext { trace_id: [7; 16], parent_id: [9; 8], flags: 1 };
    let mut record = told("k", &Told::Emit(2), 77);
    record.headers = Headers {
        origin: Some(Origin { stage: "before".into(), partition: 3, offset: 42, index: 1 }),
        trace: Some(trace),
        replay_of: Some("x/1/2".into()),
    };
    let placed = log.append(vec![record]).await.unwrap().0[0];
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    let outputs = all(&log, OUT).await;
    assert_eq!(outputs.len(), 2);
    for (output, index) in outputs.iter().zip(0..) {
        let origin = Origin { stage: "tally".into(), partition: placed.0, offset: placed.1, index };
        assert_eq!(output.headers.origin, Some(origin));
        assert_eq!(output.headers.trace, Some(trace));
        assert_eq!(output.headers.replay_of.as_deref(), Some("x/1/2"));
        assert_eq!((&output.key[..], output.time_ms), (&b"k"[..], 77));
    }
}

/// A changelog may be somebody's input: a commit writes its keys in one order, always.
pub async fn a_commit_writes_its_changes_in_order_of_keys(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    bench.policy.commit_every = std::time::Duration::from_secs(60);
    let keys = ["d", "a", "j", "c", "b", "f", "e", "i", "h", "g"];
    log.append(keys.map(|k| told(k, &Told::Add(1), 1)).to_vec()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    while all(&log, OUT).await.len() < keys.len() {
        let _ = runner.step(super::ROUND).await.unwrap();
    }
    runner.drain().await.unwrap();
    let mut changes: BTreeMap<u32, Vec<_>> = BTreeMap::new();
    for record in all(&log, super::STATE).await {
        changes.entry(record.partition).or_default().push(record.key);
    }
    assert_eq!(changes.values().map(Vec::len).sum::<usize>(), keys.len());
    for changes in changes.values() {
        assert!(changes.is_sorted(), "{changes:?}");
    }
}
