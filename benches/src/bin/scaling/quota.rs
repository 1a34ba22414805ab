//! Two workers beside one, each with the same small share of a core, on a topic that is full: how many
//! messages a second.
//!
//! Invariant: measured while every worker holds partitions and every partition has messages left;
//! broker, feed and reader are not capped, so that workers are what there is too little of.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::ensure;
use benches::peers::ours::TAKES;
use benches::peers::peer::Peer;
use benches::peers::plot::{Panel, picture};
use benches::peers::reader::Checks;
use benches::peers::records::PARTITIONS;
use benches::peers::report::groups;
use benches::peers::run::{READY_WITHIN, SILENCE_MAX};
use benches::peers::stand::{Running, Stand};
use benches::process::Process;
use benches::runs::{Group, number};
use benches::usage;
use clap::Args;
use serde_json::{Value, json};

use crate::Place;
use crate::cgroup::Cap;
use crate::results::{Results, verdict};

const PEER: Peer = Peer::OursCounted;
/// How much more two workers must do than one.
const RATIO_MIN: f64 = 1.8;
/// How often it is looked whether all workers hold partitions.
const LOOK: Duration = Duration::from_millis(50);
/// The measuring ends when so much of everything is done: no partition is empty by then.
const DONE_SHARE_MAX: f64 = 0.8;
/// A shorter time says nothing of so small a share.
const SECONDS_MIN: f64 = 5.0;
/// How much more than its share a worker may have had.
const OVER_MAX: f64 = 1.1;

/// What is asked for.
#[derive(Args)]
pub struct Asked {
    /// Share of a core that each worker gets.
    #[arg(long, default_value_t = 0.25)]
    share: f64,
    /// How often it gets it anew, in microseconds.
    #[arg(long, default_value_t = 20_000)]
    period_us: u64,
    /// Messages a worker, all there before it starts.
    #[arg(long, default_value_t = 400_000)]
    bulk: u64,
    /// How long is not measured once every worker holds partitions, in seconds.
    #[arg(long, default_value_t = 5)]
    settle: u64,
    /// How long is measured at most, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Rounds; each has one worker and two workers twice.
    #[arg(long, default_value_t = 2)]
    repeats: usize,
    #[command(flatten)]
    place: Place,
}

impl Asked {
    fn cap(&self, worker: usize) -> anyhow::Result<Cap> {
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
        #[allow(clippy::cast_sign_loss)] // a share of a period
        let quota_us = (self.share * self.period_us as f64) as u64;
        let name = format!("benches-{}-{worker}", std::process::id());
        Cap::new(&name, quota_us, self.period_us)
    }
}

/// Measures, and writes down what came of it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    asked.cap(0)?; // said before anything is built up
    let mut results = Results::new(&asked.place.out, "quota")?;
    let (stand, _root) = asked.place.stand()?;
    for repeat in 0..asked.repeats {
        for workers in [1, 2, 2, 1] {
            results.add(one_run(&stand, asked, workers, repeat).await?)?;
        }
    }
    let groups = groups(&results.runs);
    let panel = Panel {
        title: "Messages a second, each worker capped (median of the valid runs)",
        rows: groups.iter().collect(),
        figures: &["/messages_a_second"],
    };
    results.finish(&table(&groups, asked.share), &picture(&[panel]))
}

/// Capped workers on the topics of one run. Processes end before their groups are removed.
struct Capped {
    running: Running,
    caps: Vec<Cap>,
}

impl Capped {
    async fn start(stand: &Stand, asked: &Asked, workers: usize) -> anyhow::Result<(Self, u64)> {
        let total = asked.bulk * u64::try_from(workers)?;
        let (prefix, feed) = stand.topics(PEER).await?;
        feed.bulk(0, total).await?;
        let checks = Checks { compares: true, by_origin: true };
        let mut caps = Vec::new(); // before the processes, so that it is dropped behind them
        let mut running = stand.begin(feed, total, checks).await?;
        for worker in 1..=workers {
            let cap = asked.cap(worker)?;
            let command = PEER.command(&stand.kafka.address, &prefix, &stand.work)?;
            let said = stand.work.join(format!("{prefix}{worker}.log"));
            let mut command = cap.around(&command);
            caps.push(cap);
            let name = format!("worker {worker}");
            running.workers.push(Process::start(&name, &mut command, said)?);
        }
        Ok((Self { running, caps }, total))
    }

    /// Waits until every worker has taken records and, since then, every partition was heard of.
    async fn all_hold(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + READY_WITHIN;
        let mut looks = tokio::time::interval(LOOK);
        let mut since = None;
        loop {
            looks.tick().await;
            self.running.all_run()?;
            ensure!(Instant::now() < until, "not every worker took records in time");
            let all = self.running.workers.iter().all(|worker| worker.has_said(TAKES));
            since = since.or_else(|| all.then(Instant::now));
            let heard =
                since.map(|since| self.running.reader.outcome.lock().partitions_since(since));
            if heard.is_some_and(|partitions| partitions == PARTITIONS as usize) {
                return Ok(());
            }
        }
    }

    /// CPU time of each worker by now, in seconds, by name.
    fn cpu(&self) -> BTreeMap<String, f64> {
        let mut used = usage::cpu_seconds(&self.running.pids());
        used.remove("broker");
        used
    }
}

/// What is measured of the steady part.
struct Steady {
    messages: u64,
    took_s: f64,
    /// Shares of a core that the workers had.
    shares: BTreeMap<String, f64>,
    /// Decisions by partition when it ended.
    decided: BTreeMap<u32, u64>,
}

/// Measures until the time is over, or so much is done that a partition may soon be empty.
async fn steady(capped: &mut Capped, asked: &Asked, total: u64) -> anyhow::Result<Steady> {
    tokio::time::sleep(Duration::from_secs(asked.settle)).await;
    let (began, before, from) = (Instant::now(), capped.cpu(), capped.running.done());
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)]
    #[allow(clippy::cast_sign_loss)] // messages of a run
    let most = (total as f64 * DONE_SHARE_MAX) as u64;
    let within = Duration::from_secs(asked.seconds);
    let over = capped.running.until(most, SILENCE_MAX);
    if let Ok(done) = tokio::time::timeout(within, over).await {
        done?;
    }
    let took_s = began.elapsed().as_secs_f64();
    let messages = capped.running.done().saturating_sub(from);
    let decided = capped.running.reader.outcome.lock().decided();
    let after = capped.cpu();
    let share = |(name, after): (String, f64)| {
        let used = after - before.get(&name).copied().unwrap_or(f64::NAN);
        (name, used / took_s)
    };
    Ok(Steady { messages, took_s, shares: after.into_iter().map(share).collect(), decided })
}

impl Steady {
    /// Why it says nothing, when `all` came out of the partitions in the end; empty when it does.
    fn wrong(&self, share: f64, all: &BTreeMap<u32, u64>) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.took_s < SECONDS_MIN {
            wrong.push(format!(
                "measured for {:.1} s, {SECONDS_MIN} needed: give a larger --bulk",
                self.took_s
            ));
        }
        let left = all.iter().filter(|(number, all)| self.decided.get(number) < Some(all)).count();
        if left != PARTITIONS as usize {
            wrong.push(format!("{left} partitions of {PARTITIONS} had messages to the end"));
        }
        for (name, had) in &self.shares {
            if !had.is_finite() || *had > share * OVER_MAX {
                wrong.push(format!("{name} had {had:.3} of a core, {share} allowed"));
            }
        }
        wrong
    }
}

async fn one_run(
    stand: &Stand,
    asked: &Asked,
    workers: usize,
    repeat: usize,
) -> anyhow::Result<Value> {
    let load_before = usage::load();
    let (mut capped, total) = Capped::start(stand, asked, workers).await?;
    capped.all_hold().await?;
    let all_hold_s = capped.running.started.elapsed().as_secs_f64();
    let steady = steady(&mut capped, asked, total).await?;
    let kernel: Vec<_> = capped.caps.iter().map(Cap::told).collect();
    capped.running.until(total, SILENCE_MAX).await?;
    let (mut why, checked, all) = {
        let outcome = capped.running.reader.outcome.lock();
        (outcome.wrong(), outcome.counts(), outcome.decided())
    };
    why.extend(steady.wrong(asked.share, &all));
    #[allow(clippy::cast_precision_loss)] // messages of a run
    let speed = steady.messages as f64 / steady.took_s;
    let found = json!({
        "peer": format!("ours, {workers} capped"), "mode": "quota", "workers": workers,
        "repeat": repeat, "valid": why.is_empty(), "invalid_because": why,
        "share": asked.share, "period_us": asked.period_us, "messages": total,
        "all_hold_s": all_hold_s, "steady_messages": steady.messages, "steady_s": steady.took_s,
        "messages_a_second": speed, "cpu_share": steady.shares,
        "cpu_share_least": steady.shares.values().copied().fold(f64::NAN, f64::min),
        "kernel": kernel, "checked": checked, "load_average": [load_before, usage::load()],
    });
    capped.running.stop()?;
    Ok(found)
}

/// One worker and two as a table in Markdown, and whether that is what was asked for.
fn table(groups: &[Group<'_>], share: f64) -> String {
    let mut text = "| workers | valid | messages/s (least to most) | share of a core of the least \
                    busy | all hold partitions after s |\n|---|---|---|---|---|\n"
        .to_owned();
    for group in groups {
        let speeds = group.sorted("/messages_a_second");
        let end = |speed: Option<&f64>| speed.copied().unwrap_or(f64::NAN);
        let median = |figure: &str| group.median(figure).unwrap_or(f64::NAN);
        text += &format!(
            "| {} | {} of {} | {:.0} ({:.0} to {:.0}) | {:.3} | {:.1} |\n",
            group.name,
            group.valid.len(),
            group.runs,
            median("/messages_a_second"),
            end(speeds.first()),
            end(speeds.last()),
            median("/cpu_share_least"),
            median("/all_hold_s"),
        );
    }
    let speed = |workers: f64| {
        let is = |group: &&Group<'_>| {
            group.valid.first().is_some_and(|run| number(run, "/workers") == workers)
        };
        let group = groups.iter().find(is);
        group.and_then(|group| group.median("/messages_a_second")).unwrap_or(f64::NAN)
    };
    let ratio = speed(2.0) / speed(1.0);
    text + &format!(
        "\nTwo workers with {share} of a core each do {ratio:.2} times what one does (at least \
         {RATIO_MIN}): {}.\n",
        verdict(ratio >= RATIO_MIN)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_judged_by_one() {
        let run = |workers: u32, speed: f64| {
            json!({ "peer": format!("ours, {workers} capped"),
            "valid": true, "workers": workers, "messages_a_second": speed })
        };
        let told = |two: f64| {
            let runs = [run(1, 1000.0), run(2, two)];
            table(&groups(&runs), 0.25)
        };
        assert!(told(1790.0).contains("1.79 times") && told(1790.0).ends_with("MISSED.\n"));
        assert!(told(1810.0).ends_with("met.\n"));
        assert!(table(&[], 0.25).ends_with("MISSED.\n"), "nothing measured is nothing met");
    }

    #[test]
    fn a_cap_that_does_not_hold_or_an_empty_partition_counts_for_nothing() {
        let all: BTreeMap<u32, u64> = (0..4).map(|partition| (partition, 100)).collect();
        let steady = |took_s: f64, had: f64, last: u64| {
            let shares = BTreeMap::from([("app".to_owned(), had)]);
            let decided = BTreeMap::from([(0, 90), (1, 90), (2, 90), (3, last)]);
            Steady { messages: 1, took_s, shares, decided }.wrong(0.25, &all).len()
        };
        assert_eq!(steady(10.0, 0.26, 99), 0);
        assert_eq!(
            (steady(10.0, 0.5, 99), steady(10.0, 0.2, 100), steady(4.0, 0.2, 99)),
            (1, 1, 1)
        );
    }
}
