//! Promises of the log itself: append, tail, lag, ledger.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::{Harness, IN, OUT, PATIENCE, STATE, all, key, settle, tally_group, told};
use crate::ledger::{Claim, OnceKey};
use crate::log::{Event, From, Limit};
use crate::record::{Headers, Record};
use crate::testkit::tally::Told;

use super::Bench;

pub async fn order_per_key_is_kept(harness: &mut dyn Harness) {
    let log = harness.log();
    for n in 0..50u64 {
        let batch = (0..4).map(|k| told(&format!("k{k}"), &Told::Add(n), 1)).collect();
        let placed = log.append(batch).await.unwrap().0;
        assert_eq!(placed.len(), 4);
        for (k, (partition, _)) in placed.iter().enumerate() {
            let expected = crate::partition::of(format!("k{k}").as_bytes(), log.partitions());
            assert_eq!(*partition, expected, "the key decides the partition");
        }
    }
    let mut by_key: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let mut last: BTreeMap<u32, u64> = BTreeMap::new();
    for record in all(&log, IN).await {
        let before = last.insert(record.partition, record.offset);
        assert!(before < Some(record.offset), "offsets grow within a partition");
        by_key.entry(record.key.clone()).or_default().push(record.value.unwrap());
    }
    for (_, values) in by_key {
        let expected: Vec<_> =
            (0..50u64).map(|n| told("", &Told::Add(n), 1).value.unwrap()).collect();
        assert_eq!(values, expected);
    }
}

pub async fn acknowledged_records_survive_a_crash(harness: &mut dyn Harness) {
    for n in 0..20u64 {
        harness.log().append(vec![told("k", &Told::Add(n), 1)]).await.unwrap();
        if n % 7 == 3 {
            harness.crash().await;
        }
    }
    let records = all(&harness.log(), IN).await;
    assert_eq!(records.len(), 20);
    let offsets: std::collections::BTreeSet<_> = records.iter().map(|r| r.offset).collect();
    assert_eq!(offsets.len(), 20, "no offset is handed out twice");
}

pub async fn a_tail_sees_all_in_order_and_may_be_dropped_while_it_waits(harness: &mut dyn Harness) {
    let log = harness.log();
    log.append(vec![told("before", &Told::Add(0), 1)]).await.unwrap();
    let mut tail = log.tail(&[IN, OUT], From::Now).await.unwrap();
    let writer = {
        let log = log.clone();
        tokio::spawn(async move {
            for n in 0..200u64 {
                let topic = if n % 3 == 0 { OUT } else { IN };
                let record = Record::new(topic, key("k"), n.to_string().into_bytes(), 1);
                log.append(vec![record]).await.unwrap();
            }
        })
    };
    let mut seen: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    let mut count = 0;
    let started = tokio::time::Instant::now();
    while count < 200 {
        assert!(started.elapsed() < PATIENCE, "saw {count} of 200");
        // Dropping the wait must not lose what it would have given.
        let Ok(records) = tokio::time::timeout(Duration::from_micros(300), tail.next()).await
        else {
            continue;
        };
        for record in records.unwrap() {
            let n = std::str::from_utf8(&record.value.unwrap()).unwrap().parse().unwrap();
            seen.entry(record.topic).or_default().push(n);
            count += 1;
        }
    }
    writer.await.unwrap();
    let (outs, ins): (Vec<u64>, Vec<u64>) = (0..200).partition(|n| n % 3 == 0);
    assert_eq!(seen[&IN], ins);
    assert_eq!(seen[&OUT], outs);
}

pub async fn lag_counts_what_is_not_taken_account_of(harness: &mut dyn Harness) {
    let log = harness.log();
    assert_eq!(log.lag(&tally_group()).await.unwrap(), 0);
    log.append((0..30).map(|n| told(&format!("k{n}"), &Told::Add(n), 1)).collect()).await.unwrap();
    assert_eq!(log.lag(&tally_group()).await.unwrap(), 30);
    let bench = Bench::new();
    let mut runner = bench.tally(&log).await;
    settle(&log, &mut runner).await.unwrap();
    assert_eq!(log.lag(&tally_group()).await.unwrap(), 0);
}

pub async fn the_ledger_lets_one_begin_and_remembers(harness: &mut dyn Harness) {
    let once = |n: u32| OnceKey(format!("c/1/answer/{n}"));
    let ledger = harness.ledger();
    let (contested, other) = (OnceKey("x".into()), harness.ledger());
    let (a, b) = tokio::join!(ledger.claim(&contested), other.claim(&contested));
    let won = [a.unwrap(), b.unwrap()].iter().filter(|claim| **claim == Claim::Won).count();
    assert_eq!(won, 1, "one of two begins");
    assert_eq!(ledger.claim(&once(1)).await.unwrap(), Claim::Won);
    assert_eq!(ledger.claim(&once(1)).await.unwrap(), Claim::Open);
    assert_eq!(ledger.claim(&once(2)).await.unwrap(), Claim::Won);
    ledger.settle(&once(2), b"sent".to_vec()).await.unwrap();
    assert_eq!(ledger.claim(&once(4)).await.unwrap(), Claim::Won);
    ledger.release(&once(4)).await.unwrap();
    drop((ledger, other));
    harness.crash().await;
    let ledger = harness.ledger();
    assert_eq!(ledger.claim(&once(1)).await.unwrap(), Claim::Open);
    assert_eq!(ledger.claim(&once(2)).await.unwrap(), Claim::Settled(b"sent".to_vec()));
    assert_eq!(ledger.claim(&once(3)).await.unwrap(), Claim::Won);
    assert_eq!(ledger.claim(&once(4)).await.unwrap(), Claim::Won, "a claim taken back");
}

/// Not even the newest one's, when a compacted topic has let it go.
pub async fn no_offset_is_handed_out_twice(harness: &mut dyn Harness) {
    let record = |value: Option<&'static str>| Record {
        topic: STATE,
        partition: Some(1),
        key: key("k"),
        value: value.map(Into::into),
        headers: Headers::default(),
        time_ms: 1,
    };
    let mut last = None;
    for _ in 0..3 {
        for value in [Some("there"), None] {
            let placed = harness.log().append(vec![record(value)]).await.unwrap().0[0];
            assert!(last < Some(placed.1), "{} after {last:?}", placed.1);
            last = Some(placed.1);
        }
        harness.crash().await;
    }
}

pub async fn a_tail_begins_behind_the_positions_it_is_given(harness: &mut dyn Harness) {
    let log = harness.log();
    let record = |n: u32| {
        (0..log.partitions()).map(move |partition| Record {
            partition: Some(partition),
            ..Record::new(IN, key("k"), n.to_string().into_bytes(), 1)
        })
    };
    let mut positions = HashMap::new();
    for n in 0..10 {
        let placed = log.append(record(n).collect()).await.unwrap().0;
        if n == 5 {
            positions = placed.into_iter().map(|(at, offset)| ((IN, at), offset)).collect();
        }
    }
    let mut tail = log.tail(&[IN], From::Positions(positions)).await.unwrap();
    let mut seen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    while seen.values().map(Vec::len).sum::<usize>() < 5 * log.partitions() as usize {
        for record in tail.next().await.unwrap() {
            let n = std::str::from_utf8(&record.value.unwrap()).unwrap().parse().unwrap();
            seen.entry(record.partition).or_default().push(n);
        }
    }
    assert!(seen.values().all(|seen| *seen == [5, 6, 7, 8, 9]), "{seen:?}");
}

pub async fn a_member_takes_no_more_at_once_than_it_asks_for(harness: &mut dyn Harness) {
    let log = harness.log();
    log.append((0..50).map(|n| told(&format!("k{n}"), &Told::Add(n), 1)).collect()).await.unwrap();
    let mut member = log.join(&tally_group()).await.unwrap();
    let (mut taken, started) = (0, std::time::Instant::now());
    while taken < 50 {
        let limit = Limit { records_max: 3, bytes_max: 1 << 20, wait: PATIENCE };
        match member.next(limit).await.unwrap() {
            Event::Records(records) => {
                assert!(records.len() <= 3, "{} at once", records.len());
                taken += records.len();
            }
            Event::Assigned(leases) => {
                for lease in leases {
                    member.restore(lease).await.unwrap();
                }
            }
            _ => assert!(started.elapsed() < PATIENCE, "took {taken} of 50"),
        }
    }
}
