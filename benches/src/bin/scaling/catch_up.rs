//! A worker is away for a while, and messages come all the time: how soon is nothing behind any more?
//!
//! Invariant: messages go on being sent at the times fixed in advance; nothing is lost, done twice or
//! out of order, or the run does not count.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use benches::peers::peer::Peer;
use benches::peers::reader::Checks;
use benches::peers::report::groups;
use benches::peers::run::{Load, READY, READY_WITHIN, SILENCE_MAX};
use benches::peers::stand::Stand;
use benches::peers::times::Times;
use benches::process::Process;
use benches::runs::{is_valid, number};
use benches::{histogram, lateness, usage};
use clap::Args;
use serde_json::{Value, json};

use crate::results::{Results, verdict};
use crate::{Place, plot};

/// Our stage with a state a customer, which is restored when it is back.
const PEER: Peer = Peer::OursCounted;
/// Nothing is behind when everything is done that was due so long ago.
const SLACK: Duration = Duration::from_millis(100);
/// The share of its capacity with which a worker must catch up.
const CAPACITY_SHARE: f64 = 0.7;

/// What is asked for.
#[derive(Args)]
pub struct Asked {
    /// Messages a second, all the time.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// How long nobody works, in seconds.
    #[arg(long, default_value_t = 60)]
    stop: u64,
    /// How long is worked before that, in seconds.
    #[arg(long, default_value_t = 20)]
    warm: u64,
    /// How long messages come afterwards, in seconds.
    #[arg(long, default_value_t = 30)]
    after: u64,
    /// Messages in the runs that tell the capacity.
    #[arg(long, default_value_t = 300_000)]
    bulk: u64,
    /// The worker is killed instead of told to stop; what is told twice for that is dropped by origin.
    #[arg(long)]
    kill: bool,
    /// How often everything is repeated.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    #[command(flatten)]
    place: Place,
}

/// Measures, and writes down what came of it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let name = if asked.kill { "catch_up_killed" } else { "catch_up" };
    let mut results = Results::new(&asked.place.out, name)?;
    let (stand, _root) = asked.place.stand()?;
    for repeat in 0..asked.repeats {
        let bulk = stand.run(PEER, Load::Bulk(asked.bulk), repeat).await?;
        results.add(bulk.clone())?;
        let load_before = usage::load();
        let away = away(&stand, asked).await?;
        let mut found = away.told(&bulk)?;
        if let Some(found) = found.as_object_mut() {
            found.insert("repeat".to_owned(), json!(repeat));
            found.insert("load_average".to_owned(), json!([load_before, usage::load()]));
        }
        results.add(found)?;
    }
    let of_stops: Vec<&Value> =
        results.runs.iter().filter(|run| run.get("lag").is_some()).collect();
    results.finish(&table(&results.runs), &plot::lag(&of_stops))
}

/// What came of a stop; times count from the first message that was due.
struct Away<'a> {
    asked: &'a Asked,
    stopping: Duration,
    stopped: Duration,
    restarted: Duration,
    times: Times,
    late: Value,
    wrong: Vec<String>,
    checked: Value,
}

/// Sends, stops the worker, starts it again, and waits until everything is done.
async fn away<'a>(stand: &Stand, asked: &'a Asked) -> anyhow::Result<Away<'a>> {
    let seconds = |seconds: u64| Duration::from_secs(seconds);
    let warm = seconds(asked.warm);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // messages of a run
    let messages = (asked.rate * (warm + seconds(asked.stop + asked.after)).as_secs_f64()) as u64;
    let total = READY + messages;
    let (prefix, feed) = stand.topics(PEER).await?;
    feed.bulk(0, READY).await?;
    let checks = Checks { compares: true, by_origin: asked.kill };
    let mut running = stand.begin(feed, total, checks).await?;
    running.workers.push(stand.start(PEER, &prefix)?);
    ensure!(running.until(READY, READY_WITHIN).await?, "the worker was not ready in time");
    let (began, feed, rate) = (Instant::now(), Arc::clone(&running.feed), asked.rate);
    let sending = tokio::spawn(feed.paced((READY, total), rate, began, warm));
    tokio::time::sleep_until((began + warm).into()).await;
    running.all_run()?;
    let stopping = began.elapsed();
    let worker = running.workers.pop().context("nobody works")?;
    ended(worker, asked.kill).await?;
    let stopped = began.elapsed();
    tokio::time::sleep_until((began + stopped + seconds(asked.stop)).into()).await;
    let restarted = began.elapsed();
    running.workers.push(stand.start(PEER, &prefix)?);
    let late = histogram::figures(&sending.await??);
    running.until(total, SILENCE_MAX).await?;
    let times = running.times(began, rate);
    let (wrong, checked) = {
        let outcome = running.reader.outcome.lock();
        (outcome.wrong(), outcome.counts())
    };
    running.stop()?;
    Ok(Away { asked, stopping, stopped, restarted, times, late, wrong, checked })
}

/// Ends a worker, while everything else goes on.
async fn ended(worker: Process, kill: bool) -> anyhow::Result<()> {
    let end = move || {
        if kill {
            drop(worker);
            Ok(())
        } else {
            worker.stop()
        }
    };
    tokio::task::spawn_blocking(end).await?
}

impl Away<'_> {
    /// The line of the results, with the capacity that `bulk` told.
    fn told(&self, bulk: &Value) -> anyhow::Result<Value> {
        let (times, since) = (&self.times, self.restarted);
        let cleared = times.cleared(since, SLACK);
        let capacity = number(bulk, "/messages_a_second");
        let away_s = (since - self.stopped).as_secs_f64();
        let bar_s = self.asked.rate * away_s / (CAPACITY_SHARE * capacity);
        let from_start = |at: Option<Duration>| at.map(|at| at.saturating_sub(since).as_secs_f64());
        let end = cleared.unwrap_or(Duration::MAX);
        let meanwhile = times.latency(since, end)?;
        let mut why = self.wrong.clone();
        why.extend(cleared.is_none().then(|| "the lag was not cleared".to_owned()));
        why.extend((!is_valid(bulk)).then(|| "the capacity is not known".to_owned()));
        why.extend(lateness::late(number(&self.late, "/p99"), number(&meanwhile, "/p95")));
        let around = Duration::from_secs(1);
        let to = cleared.unwrap_or(since + 10 * around) + 2 * around;
        Ok(json!({
            "peer": PEER.name(), "mode": "catch_up",
            "ended_by": if self.asked.kill { "SIGKILL" } else { "SIGTERM" },
            "valid": why.is_empty(), "invalid_because": why, "rate": self.asked.rate,
            "ending_s": (self.stopped - self.stopping).as_secs_f64(), "away_s": away_s,
            "behind": times.behind(since), "capacity_a_second": capacity,
            "first_output_s": from_start(times.first(since)), "cleared_s": from_start(cleared),
            "bar_s": bar_s, "of_bar": from_start(cleared).map(|cleared| cleared / bar_s),
            "latency_ms": {
                "before": times.latency(self.stopping / 2, self.stopping)?,
                "meanwhile": meanwhile,
                "after": times.latency(end, Duration::MAX)?,
            },
            "late_ms": self.late, "checked": self.checked,
            "lag": times.curve(since.saturating_sub(around), to, since),
        }))
    }
}

/// All stops as a table in Markdown, and whether that is what was asked for.
fn table(runs: &[Value]) -> String {
    let stops: Vec<Value> = runs.iter().filter(|run| run.get("lag").is_some()).cloned().collect();
    let mut text =
        "| repeat | valid | away s | behind | capacity/s | first output s | cleared s | \
                    bar s | p95 ms before | meanwhile | after |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|\n"
            .to_owned();
    for run in &stops {
        let cells = [
            ("/away_s", 1),
            ("/behind", 0),
            ("/capacity_a_second", 0),
            ("/first_output_s", 2),
            ("/cleared_s", 2),
            ("/bar_s", 2),
            ("/latency_ms/before/p95", 1),
            ("/latency_ms/meanwhile/p95", 1),
            ("/latency_ms/after/p95", 1),
        ];
        let cells = cells.map(|(figure, digits)| format!("{:.digits$}", number(run, figure)));
        let valid = if is_valid(run) { "yes" } else { "INVALID" };
        text += &format!("| {} | {valid} | {} |\n", number(run, "/repeat"), cells.join(" | "));
    }
    let groups = groups(&stops);
    let of_bar = groups.first().and_then(|group| group.median("/of_bar"));
    let of_bar = of_bar.unwrap_or(f64::NAN);
    text + &format!(
        "\nThe lag is cleared in {of_bar:.2} times what is allowed (what came meanwhile, by \
         {CAPACITY_SHARE} of the capacity; median): {}.\n",
        verdict(of_bar <= 1.0)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_judged_by_the_capacity_of_its_run() {
        let run = |valid: bool, of_bar: f64| {
            json!({ "peer": "ours_counted", "rate": 1000.0,
            "valid": valid, "of_bar": of_bar, "cleared_s": 2.0, "lag": [] })
        };
        let bulk = json!({ "peer": "ours_counted", "valid": true, "of_bar": 0.1 });
        let told = table(&[bulk.clone(), run(true, 1.2), run(false, 0.5)]);
        assert!(told.contains("1.20 times") && told.contains("MISSED"), "{told}");
        assert!(told.contains("| INVALID |"), "{told}");
        assert!(table(&[bulk.clone(), run(true, 0.9)]).ends_with(": met.\n"));
        assert!(table(&[bulk]).ends_with(": MISSED.\n"), "nothing measured is nothing met");
    }
}
