//! Promises while outputs are on their way.

use std::sync::atomic::Ordering;

use super::valve::valved;
use super::{Bench, Harness, OUT, ROUND, all, committed, settle, tally_group, told};
use crate::runner::Stepped;
use crate::testkit::tally::Told;

pub async fn nothing_is_committed_that_is_not_confirmed(harness: &mut dyn Harness) {
    let mut bench = Bench::new();
    bench.policy.batch_records_max = 3;
    let (log, valve) = valved(harness);
    log.append((0..18).map(|n| told("k", &Told::Add(n), 1)).collect()).await.unwrap();
    let mut runner = bench.tally(&log).await;
    valve.confirms.send_replace(false);
    // A further batch is taken while the first is on its way, and then no other.
    let mut idle_rounds = 0;
    while idle_rounds < 3 {
        let idle = runner.step(ROUND).await.unwrap() == Stepped::Idle;
        let begun = valve.handed_over.load(Ordering::Relaxed) > 0;
        idle_rounds = if idle && begun { idle_rounds + 1 } else { 0 };
    }
    let ahead = valve.publications_max.load(Ordering::Relaxed);
    assert_eq!(valve.handed_over.load(Ordering::Relaxed), ahead);
    assert!(log.lag(&tally_group()).await.unwrap() >= 18, "nothing is committed");
    valve.confirms.send_replace(true);
    settle(&log, &mut runner).await.unwrap();
    drop(runner);
    assert_eq!(committed(&log, &tally_group(), "k").await.unwrap().count, 18);
    assert_eq!(all(&log, OUT).await.len(), 18, "published once");
}
