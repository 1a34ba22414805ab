//! Promises of the links of a chain: what one of them cannot use is its own affair.

use std::sync::Arc;
use std::time::Duration;

use schemas::Avro;
use schemas::ops::{DeadLetter, DeadLetterReason};
use schemas::topics::DEAD_LETTERS;

use super::{
    Bench, Harness, IN, OUT, all, chain_group, committed, committed_as, news, settle, tally_group,
    told,
};
use crate::Log;
use crate::record::{Headers, Record};
use crate::runner::RunError;
use crate::testkit::tally::{SECOND_OUT, Then, Told, Total};

async fn counts(log: &Arc<dyn Log>) -> (u64, u64) {
    let group = chain_group();
    let tally = committed_as(log, &group, "k", "tally|k").await.unwrap();
    let second = committed_as(log, &group, "k", "second|k").await.unwrap();
    (tally.count, second.count)
}

pub async fn what_a_link_cannot_use_is_set_aside_there_and_enters_there_again(
    harness: &mut dyn Harness,
) {
    let (log, bench) = (harness.log(), Bench::new());
    log.append(vec![told("k", &Told::Add(1), 70)]).await.unwrap();
    let placed = log.append(vec![told("k", &Told::Next(Then::Reject), 77)]).await.unwrap().0[0];
    log.append(vec![told("k", &Told::Next(Then::Panic), 78)]).await.unwrap();
    log.append(vec![told("k", &Told::Add(2), 79)]).await.unwrap();
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    drop(chain);
    assert_eq!(counts(&log).await, (4, 2), "the first took account of all four");
    let between = all(&log, OUT).await;
    assert_eq!((between.len(), all(&log, SECOND_OUT).await.len()), (4, 2));
    let found = all(&log, DEAD_LETTERS).await;
    let letters: Vec<_> = found
        .iter()
        .map(|record| DeadLetter::from_bytes(record.value.as_ref().unwrap()).unwrap())
        .collect();
    let reasons: Vec<_> = letters.iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, [DeadLetterReason::Rejected, DeadLetterReason::Panicked]);
    let letter = &letters[0];
    assert_eq!((letter.stage.as_str(), letter.topic.as_str()), ("second", OUT.0));
    assert_eq!(
        (&letter.key[..], letter.time_ms, letter.detail.as_str()),
        (&b"k"[..], 77, "told to")
    );
    assert_eq!(
        (letter.partition.cast_unsigned(), letter.offset.cast_unsigned()),
        placed,
        "the place of what the chain took"
    );
    assert_eq!(letter.value.as_deref(), between[1].value.as_deref(), "the bytes as it got them");
    assert_eq!(Headers::from_bytes(&letter.headers), between[1].headers);
    // Mended, it enters where it could not be used; what the first did for it stays as it was.
    let mut total = Total::from_bytes(letter.value.as_ref().unwrap()).unwrap();
    total.then = None;
    let mut again = Record::new(IN, letter.key.clone(), total.to_bytes().unwrap(), 77);
    again.headers.replay_at("dead-letters/0/0", "second");
    log.append(vec![again]).await.unwrap();
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    drop(chain);
    assert_eq!(counts(&log).await, (4, 3));
    assert_eq!((all(&log, OUT).await.len(), all(&log, DEAD_LETTERS).await.len()), (4, 2));
    let last = all(&log, SECOND_OUT).await.pop().unwrap();
    assert_eq!(last.headers.replay_of.as_deref(), Some("dead-letters/0/0"));
    assert_eq!(last.time_ms, 77);
}

pub async fn a_second_try_is_for_one_stage_only(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    let again = |body: Vec<u8>, stage: &str| {
        let mut record = Record::new(IN, "k".as_bytes(), body, 1);
        record.headers.replay_at("x/0/0", stage);
        record
    };
    let total = Total { count: 1, ..Total::default() }.to_bytes().unwrap();
    let add = Told::Add(1).to_bytes().unwrap();
    log.append(vec![again(total.clone(), "second"), again(total, "nobody")]).await.unwrap();
    log.append(vec![again(add, "tally"), told("k", &Told::Add(2), 1)]).await.unwrap();
    // Read by a stage alone, which is one of those named.
    let mut tally = bench.tally(&log).await;
    settle(&log, &mut tally).await.unwrap();
    drop(tally);
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 2);
    let outputs = news(&log, OUT).await.into_values().flatten();
    let marks: Vec<_> = outputs.map(|output| output.headers.replay_of).collect();
    assert_eq!(marks, [Some("x/0/0".into()), None]);
    // And by an effect, which is none of them.
    assert_eq!(super::effects::applied(&bench, &log).await, [2]);
    assert!(all(&log, DEAD_LETTERS).await.is_empty());
}

pub async fn deadlines_of_every_link_outlast_a_restart(harness: &mut dyn Harness) {
    let bench = Bench::new();
    let log = harness.log();
    let wakes = [Told::WakeAt(5_000), Told::Next(Then::WakeAt(6_000))];
    log.append(wakes.map(|wake| told("k", &wake, 1)).to_vec()).await.unwrap();
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    drop((chain, log));
    harness.crash().await;
    let log = harness.log();
    let mut chain = bench.chain(&log).await;
    for now_ms in [4_999, 5_001, 6_001] {
        bench.clock.set(now_ms);
        settle(&log, &mut chain).await.unwrap();
    }
    drop(chain);
    for name in ["tally|k", "second|k"] {
        let total = committed_as(&log, &chain_group(), "k", name).await.unwrap();
        assert_eq!(total.ticks, 1, "{name} was told once of its deadline");
    }
}

pub async fn a_link_brakes_its_chain(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    bench.policy.brake.consecutive_max = 5;
    log.append((0..20).map(|_| told("k", &Told::Next(Then::Reject), 1)).collect()).await.unwrap();
    let mut chain = bench.chain(&log).await;
    let error = settle(&log, &mut chain).await.unwrap_err();
    let reason = DeadLetterReason::Rejected;
    assert!(
        matches!(error, RunError::Braked { stage: "second", reason: why } if why == reason),
        "{error}"
    );
    drop(chain);
    assert!(log.lag(&chain_group()).await.unwrap() >= 15, "the backlog is kept");
    bench.policy.brake.consecutive_max = 100;
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    drop(chain);
    let total = committed_as(&log, &chain_group(), "k", "tally|k").await.unwrap();
    let letters = news(&log, DEAD_LETTERS).await;
    assert_eq!((total.count, letters.values().map(Vec::len).sum::<usize>()), (20, 20));
}

pub async fn a_link_is_handed_nothing_of_another_partition(harness: &mut dyn Harness) {
    let (log, mut bench) = (harness.log(), Bench::new());
    bench.policy.commit_every = Duration::ZERO;
    let of = |key: &str| crate::partition::of(key.as_bytes(), log.partitions());
    let name = |n: u32| format!("other{n}");
    let near = (0..).map(name).find(|name| of(name) == of("k")).unwrap();
    let far = (0..).map(name).find(|name| of(name) != of("k")).unwrap();
    log.append(vec![told("k", &Told::EmitFor(near.clone()), 1)]).await.unwrap();
    let mut chain = bench.chain(&log).await;
    settle(&log, &mut chain).await.unwrap();
    drop(chain);
    let second = committed_as(&log, &chain_group(), &near, &format!("second|{near}")).await;
    assert_eq!(second.unwrap().count, 1);
    log.append(vec![told("k", &Told::EmitFor(far), 1)]).await.unwrap();
    let mut chain = bench.chain(&log).await;
    let error = settle(&log, &mut chain).await.unwrap_err();
    assert!(matches!(error, RunError::Unchainable { stage: "second" }), "{error}");
}
