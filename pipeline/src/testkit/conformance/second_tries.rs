//! Promises of what is put back: a dead letter of an effect is for that effect.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemas::Avro;
use schemas::ops::DeadLetter;
use schemas::topics::DEAD_LETTERS;
use tokio_util::sync::CancellationToken;

use super::effects::{Notes, policy};
use super::{Bench, Harness, IN, PATIENCE, all, committed, settle, tally_group, told};
use crate::Log;
use crate::effect::{Effect, Outcome};
use crate::runner::{EffectRunner, Setup};
use crate::stage::Envelope;
use crate::testkit::tally::Told;

/// Reads beside the first, and is told nothing of its second tries.
struct Beside(Notes);

#[async_trait]
impl Effect for Beside {
    const NAME: &'static str = "beside";
    type In = Told;

    async fn apply(&self, inputs: &[Envelope<Told>]) -> Vec<Outcome> {
        self.0.apply(inputs).await
    }
}

/// Rounds of `effect` until it has taken account of everything.
async fn through<E: Effect>(bench: &Bench, log: &Arc<dyn Log>, effect: &Arc<E>) {
    let group = Setup::effect_group(E::NAME, IN);
    let stop = CancellationToken::new();
    let mut runner =
        EffectRunner::join(Arc::clone(effect), &group, bench.setup(log), policy(), stop)
            .await
            .unwrap();
    let started = std::time::Instant::now();
    while log.lag(&group).await.unwrap() > 0 {
        assert!(started.elapsed() < PATIENCE, "{} was never through", E::NAME);
        runner.step(Duration::from_millis(5)).await.unwrap();
    }
    runner.drain(PATIENCE).await.unwrap();
}

pub async fn an_effects_second_try_is_its_alone(harness: &mut dyn Harness) {
    let (log, bench) = (harness.log(), Bench::new());
    // What the effect cannot use, the stage that reads the same topic can.
    log.append(vec![told("k", &Told::Emit(1), 1), told("k", &Told::Add(1), 1)]).await.unwrap();
    let (notes, beside) = (Arc::new(Notes::default()), Arc::new(Beside(Notes::default())));
    through(&bench, &log, &notes).await;
    let mut tally = bench.tally(&log).await;
    settle(&log, &mut tally).await.unwrap();
    drop(tally);
    let before = committed(&log, &tally_group(), "k").await.unwrap();
    let letter = all(&log, DEAD_LETTERS).await.pop().unwrap();
    let letter = DeadLetter::from_bytes(letter.value.as_ref().unwrap()).unwrap();
    assert_eq!(letter.stage, "notes");
    // Mended and put back.
    let mut again = told("k", &Told::Add(7), letter.time_ms);
    again.headers.replay_at("dead-letters/0/0", &letter.stage);
    log.append(vec![again]).await.unwrap();
    for _ in 0..2 {
        through(&bench, &log, &notes).await;
        through(&bench, &log, &beside).await;
        let mut tally = bench.tally(&log).await;
        settle(&log, &mut tally).await.unwrap();
    }
    assert_eq!(notes.numbers(), [1, 7], "once by whom it is for");
    assert_eq!(beside.0.numbers(), [1], "by no other effect");
    let after = committed(&log, &tally_group(), "k").await.unwrap();
    assert_eq!((after.count, after.digest), (before.count, before.digest), "and by no stage");
    assert_eq!(all(&log, DEAD_LETTERS).await.len(), 2, "the first of each effect, and no more");
}
