//! The store's effects, fed at times fixed in advance: one lane each, a batch being what is there, as
//! the effects' runner makes them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::bail;
use benches::histogram;
use benches::pace::{self, due_at, wait_until};
use hdrhistogram::Histogram;
use pipeline::telemetry::thread_cpu;
use pipeline::{Effect, Envelope, Offset, Outcome};
use sink::Store;
use sink::effects::{KeepAccepted, KeepHistory, policy};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_util::sync::CancellationToken;

use crate::traffic::Step;

/// Positions that are written down beside each commit.
const PARTITIONS: u32 = 12;

/// What became of a lane's records.
pub struct Lane {
    /// How long a call took.
    pub apply: Histogram<u64>,
    /// From when a record was due until it was in the store.
    pub stored: Histogram<u64>,
    /// How many there were.
    pub records: u64,
    /// When the last was in the store.
    pub ended: Instant,
}

/// What became of a run.
pub struct Fed {
    /// Messages that were due.
    pub messages: u64,
    /// How late they were handed over.
    pub late: Histogram<u64>,
    /// CPU time of the thread that kept the time, in seconds.
    pub pacing_cpu_s: f64,
    /// How long the store took to be done behind the last message, in seconds.
    pub behind_s: f64,
    /// The messages by themselves.
    pub accepted: Lane,
    /// The lines of the histories.
    pub history: Lane,
}

type Due<T> = (Instant, Envelope<T>);

async fn lane<E: Effect>(
    effect: E,
    mut from: UnboundedReceiver<Due<E::In>>,
) -> anyhow::Result<Lane> {
    let (policy, mut passed) = (policy(), Instant::now());
    let (apply, stored) = (histogram::of_micros()?, histogram::of_micros()?);
    let mut lane = Lane { apply, stored, records: 0, ended: Instant::now() };
    let mut batch = Vec::new();
    while from.recv_many(&mut batch, policy.batch_records_max).await > 0 {
        let (dues, inputs): (Vec<Instant>, Vec<_>) = batch.drain(..).unzip();
        let began = Instant::now();
        let outcomes = effect.apply(&inputs).await;
        lane.ended = Instant::now();
        if let Some(other) = outcomes.iter().find(|outcome| **outcome != Outcome::Done(Vec::new()))
        {
            bail!("{} did not take a record: {other:?}", E::NAME);
        }
        record(&mut lane.apply, lane.ended - began);
        for due in dues {
            record(&mut lane.stored, lane.ended.saturating_duration_since(due));
        }
        lane.records += inputs.len() as u64;
        if passed.elapsed() >= policy.commit_every {
            let positions: Vec<(u32, Offset)> =
                (0..PARTITIONS).map(|partition| (partition, lane.records)).collect();
            effect.passed(&positions).await;
            passed = Instant::now();
        }
    }
    Ok(lane)
}

fn record(to: &mut Histogram<u64>, took: Duration) {
    to.saturating_record(u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
}

/// Feeds `steps` at `rate` a second until they end or `stop`.
pub async fn run(
    store: Arc<dyn Store>,
    steps: impl Iterator<Item = Step> + Send + 'static,
    rate: f64,
    stop: CancellationToken,
) -> anyhow::Result<Fed> {
    let (to_accepted, accepted) = unbounded_channel();
    let (to_history, history) = unbounded_channel();
    let accepted = tokio::spawn(lane(KeepAccepted(Arc::clone(&store)), accepted));
    let history = tokio::spawn(lane(KeepHistory(store), history));
    let mut late = histogram::of_micros()?;
    let sent = pace::apart(move || {
        let (started, mut messages) = (Instant::now(), 0);
        for step in steps {
            let due = started + due_at(messages, rate);
            // Not awake before its time: that would be seen in the CPU time of the others.
            wait_until(due, Duration::ZERO);
            if stop.is_cancelled() {
                break;
            }
            record(&mut late, due.elapsed());
            messages += 1;
            let told = step.lines.into_iter().all(|line| to_history.send((due, line)).is_ok());
            if !told || to_accepted.send((due, step.accepted)).is_err() {
                break;
            }
        }
        (messages, late, thread_cpu().unwrap_or_default().as_secs_f64(), Instant::now())
    });
    let (messages, late, pacing_cpu_s, last) = sent.await?;
    let (accepted, history) = (accepted.await??, history.await??);
    let ended = accepted.ended.max(history.ended);
    let behind_s = ended.saturating_duration_since(last).as_secs_f64();
    Ok(Fed { messages, late, pacing_cpu_s, behind_s, accepted, history })
}
