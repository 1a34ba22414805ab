//! Promises about membership: fencing and rebalance.

use std::collections::BTreeMap;

use std::sync::Arc;

use super::{
    Bench, Harness, OUT, PATIENCE, ROUND, all, committed, news, settle, tally_group, told,
};
use crate::Log;
use crate::log::{Event, Limit, LogError, PartitionUnit, StateRow, Unit};
use crate::record::{Headers, Origin, Record};
use crate::runner::{RunError, StageRunner};
use crate::testkit::tally::Told;
use crate::watermarks::Watermarks;
use schemas::Avro;

pub async fn a_zombie_is_fenced_and_harmless(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    log.append((0..5).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    let partition = crate::partition::of(b"k", log.partitions());
    // A member takes the records and is paused before it has done anything with them.
    let mut zombie = log.join(&tally_group()).await.unwrap();
    let limit = Limit { records_max: 100, bytes_max: 1 << 20, wait: ROUND };
    let mut lease = None;
    let started = std::time::Instant::now();
    let records = loop {
        assert!(started.elapsed() < PATIENCE, "it was never given the records");
        match zombie.next(limit).await.unwrap() {
            Event::Assigned(leases) => {
                for given in leases {
                    zombie.restore(given).await.unwrap();
                    lease = lease.or((given.partition == partition).then_some(given));
                }
            }
            Event::Records(records) => break records,
            _ => {}
        }
    };
    assert_eq!(records.len(), 5);
    // Meanwhile its successor does the work.
    harness.expire("tally", partition).await;
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    // The zombie wakes up. What it publishes are repeats; what it commits does not take effect.
    let outputs = news(&log, OUT).await[&partition].clone();
    let repeat = |stored: &crate::record::Stored| Record {
        topic: OUT,
        partition: None,
        key: stored.key.clone(),
        value: stored.value.clone(),
        headers: Headers {
            origin: stored.headers.origin.clone().map(|o| Origin { stage: "tally".into(), ..o }),
            ..Headers::default()
        },
        time_ms: stored.time_ms,
    };
    let published = zombie.publish(outputs.iter().map(repeat).collect()).await;
    assert!(matches!(published, Ok(()) | Err(LogError::Fenced { .. })), "{published:?}");
    let unit = Unit {
        time_ms: 1,
        partitions: vec![PartitionUnit {
            lease: lease.unwrap(),
            position: 999_999,
            watermarks: Watermarks::default(),
            pins: "666".into(),
            changes: vec![("k".into(), Some(StateRow { value: "{}".into(), wake_at_ms: Some(1) }))],
        }],
    };
    let committed_by_zombie = zombie.commit(unit).await;
    assert!(
        matches!(committed_by_zombie, Err(LogError::Fenced { .. })),
        "a paused zombie's commit is fenced, not {committed_by_zombie:?}"
    );
    let limit = Limit { wait: PATIENCE, ..limit };
    assert!(matches!(zombie.next(limit).await, Err(LogError::Fenced { .. })));
    let mut second = bench.second(&log).await;
    settle(&log, &mut second).await.unwrap();
    drop((zombie, runner, second));
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 5);
    let group = crate::Setup::stage_group("second", OUT, Some(super::SECOND_STATE));
    assert_eq!(committed(&log, &group, "k").await.unwrap().count, 5);
}

/// A round. A member that a busy machine kept from its group for too long begins anew, as the thread
/// that runs a stage would.
async fn step(member: &mut StageRunner) {
    match member.step(ROUND).await {
        Ok(_) => {}
        Err(RunError::Log(LogError::Fenced { .. })) => member.rejoin().await.unwrap(),
        Err(error) => panic!("{error}"),
    }
}

/// Rounds of all members until each of them holds partitions, and together they hold all.
async fn share(log: &Arc<dyn Log>, members: &mut [StageRunner]) {
    let started = std::time::Instant::now();
    let all = log.partitions() as usize;
    while members.iter().any(|member| member.holds() == 0)
        || members.iter().map(StageRunner::holds).sum::<usize>() != all
    {
        for member in members.iter_mut() {
            step(member).await;
        }
        assert!(started.elapsed() < PATIENCE, "the partitions were never shared out");
    }
}

/// Members join and leave while records keep coming; every record is taken account of once and in
/// order. A backend with one member a group shows it by members that replace each other.
pub async fn members_come_and_go_with_work_in_hand(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    bench.policy.batch_records_max = 5;
    bench.policy.commit_records = 12;
    bench.policy.commit_every = std::time::Duration::from_secs(60);
    let most = harness.members_max();
    let mut members: Vec<StageRunner> = Vec::new();
    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..40u64 {
        let batch: Vec<Record> = (0..6u64)
            .map(|k| {
                let key = format!("k{}", (round + k) % 11);
                let n = sent.entry(key.clone()).or_default();
                *n += 1;
                told(&key, &Told::Add(*n), 1)
            })
            .collect();
        log.append(batch).await.unwrap();
        match round % 8 {
            // One joins; where there is room for no more, one leaves without a word for it.
            0 => {
                if members.len() == most {
                    drop(members.remove(0));
                }
                members.push(bench.tally(&log).await);
                share(&log, &mut members).await;
            }
            // One leaves without a word, with work uncommitted.
            5 if members.len() > 1 => {
                drop(members.remove(0));
                share(&log, &mut members).await;
            }
            _ => {}
        }
        for member in &mut members {
            step(member).await;
        }
    }
    for member in members {
        member.drain().await.unwrap();
    }
    // A last one takes up what the others left.
    bench.policy.commit_every = std::time::Duration::ZERO;
    let mut last = bench.tally(&log).await;
    settle(&log, &mut last).await.unwrap();
    drop(last);
    for (key, count) in &sent {
        let total = committed(&log, &tally_group(), key).await.unwrap();
        assert_eq!(total.count, *count, "{key}");
    }
    // The digest of the last output of each key depends on every input in order.
    for outputs in news(&log, OUT).await.into_values() {
        let mut count: BTreeMap<_, u64> = BTreeMap::new();
        for output in outputs {
            let total = crate::testkit::tally::Total::from_bytes(&output.value.unwrap()).unwrap();
            let seen = count.entry(output.key).or_default();
            *seen += 1;
            assert_eq!(total.count, *seen, "outputs of a key are in order and none is missing");
        }
    }
}

/// Rounds of `member`, which commits when it must only, until there are `outputs` in the log.
async fn publish(log: &Arc<dyn Log>, member: &mut StageRunner, outputs: usize) {
    let started = std::time::Instant::now();
    while all(log, OUT).await.len() < outputs {
        let _ = member.step(ROUND).await.unwrap();
        assert!(started.elapsed() < PATIENCE, "{outputs} outputs were never published");
    }
}

pub async fn a_planned_stop_replays_nothing(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    bench.policy.commit_every = std::time::Duration::from_secs(60);
    let batch =
        |from: u64| (from..from + 30).map(|n| told(&format!("k{}", n % 7), &Told::Add(n), 1));
    log.append(batch(0).collect()).await.unwrap();
    let mut first = bench.tally(&log).await;
    publish(&log, &mut first, 30).await;
    first.drain().await.unwrap();
    assert_eq!(log.lag(&tally_group()).await.unwrap(), 0, "all of it is committed");
    let mut members = vec![bench.tally(&log).await];
    log.append(batch(30).collect()).await.unwrap();
    publish(&log, &mut members[0], 60).await;
    // Where there is room for a second member, what it is given was committed before.
    if harness.members_max() > 1 {
        members.push(bench.tally(&log).await);
        share(&log, &mut members).await;
        for _ in 0..5 {
            for member in &mut members {
                let _ = member.step(ROUND).await.unwrap();
            }
        }
    }
    for member in members {
        member.drain().await.unwrap();
    }
    bench.policy.commit_every = std::time::Duration::ZERO;
    let mut last = bench.tally(&log).await;
    settle(&log, &mut last).await.unwrap();
    assert_eq!(all(&log, OUT).await.len(), 60, "nothing is published twice");
}

pub async fn a_member_that_was_fenced_begins_again(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    let batch = |from: u64| (from..from + 5).map(|n| told("k", &Told::Add(n), 1)).collect();
    log.append(batch(0)).await.unwrap();
    bench.policy.commit_every = std::time::Duration::from_secs(60);
    let mut paused = bench.tally(&log).await;
    publish(&log, &mut paused, 5).await;
    // It was not heard of for too long, with work in hand. Its successor does it.
    harness.expire("tally", crate::partition::of(b"k", log.partitions())).await;
    bench.policy.commit_every = std::time::Duration::ZERO;
    let mut successor = bench.tally(&log).await;
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
    let before = all(&log, OUT).await.len();
    publish(&log, &mut paused, before + 5).await;
    paused.drain().await.unwrap();
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 15);
    let outputs = news(&log, OUT).await.into_values().flatten();
    let counts: Vec<u64> = outputs
        .map(|output| {
            crate::testkit::tally::Total::from_bytes(&output.value.unwrap()).unwrap().count
        })
        .collect();
    assert_eq!(counts, (1..=15).collect::<Vec<_>>());
}
