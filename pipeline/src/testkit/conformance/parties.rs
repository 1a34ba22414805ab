//! Promises of whom effects wait for: who does not answer holds up nobody else's records.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::effects::policy;
use super::{Bench, Harness, IN, PATIENCE, told};
use crate::effect::{Effect, EffectPolicy, Outcome};
use crate::record::Record;
use crate::runner::{EffectRunner, Setup};
use crate::stage::Envelope;
use crate::testkit::tally::Told;

/// Waits for a party whose server hangs, for those of its records that have a number below 100.
struct Asking {
    asked: Mutex<Vec<u64>>,
    answered: Mutex<Vec<u64>>,
    back: tokio::sync::watch::Sender<bool>,
}

#[async_trait]
impl Effect for Asking {
    const NAME: &'static str = "asking";
    type In = Told;

    fn party(&self, input: &Envelope<Told>) -> Option<String> {
        let Told::Add(n) = &input.body else { return None };
        Some(if *n < 100 { "hangs" } else { "answers" }.to_owned())
    }

    async fn apply(&self, inputs: &[Envelope<Told>]) -> Vec<Outcome> {
        for input in inputs {
            let Told::Add(n) = &input.body else { continue };
            self.asked.lock().push(*n);
            if *n < 100 {
                self.back.subscribe().wait_for(|back| *back).await.unwrap();
            }
            self.answered.lock().push(*n);
        }
        inputs.iter().map(|_| Outcome::Done(Vec::new())).collect()
    }
}

pub async fn a_party_that_hangs_holds_up_no_other(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    let numbers = |range: std::ops::Range<u64>| {
        range.map(|n| told(&format!("k{n}"), &Told::Add(n), 1)).collect::<Vec<Record>>()
    };
    log.append(numbers(0..40)).await.unwrap();
    let asking = Arc::new(Asking {
        asked: Mutex::default(),
        answered: Mutex::default(),
        back: tokio::sync::watch::Sender::new(false),
    });
    let group = Setup::effect_group("asking", IN);
    let policy = EffectPolicy { party_lanes_max: 3, ..policy() };
    let stop = CancellationToken::new();
    let mut runner =
        EffectRunner::join(Arc::clone(&asking), &group, bench.setup(&log), policy, stop)
            .await
            .unwrap();
    let started = std::time::Instant::now();
    while asking.asked.lock().len() < 3 {
        assert!(started.elapsed() < PATIENCE, "it was never asked");
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    log.append(numbers(100..120)).await.unwrap();
    while asking.answered.lock().len() < 20 {
        assert!(started.elapsed() < PATIENCE, "the other was held up");
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    assert!(asking.answered.lock().iter().all(|n| *n >= 100));
    assert_eq!(asking.asked.lock().iter().filter(|n| **n < 100).count(), 3, "its share");
    asking.back.send_replace(true);
    while asking.answered.lock().len() < 60 {
        assert!(started.elapsed() < PATIENCE, "those that waited were forgotten");
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    runner.drain(PATIENCE).await.unwrap();
    assert_eq!(log.lag(&group).await.unwrap(), 0);
}
