//! What commits cost: our stage with a state a customer, committed beside the path as shipped, not at
//! all while it works, and with its outputs in the transaction.
//!
//! Invariant: the three differ in nothing else, and take turns (A B C C B A), so that what changes in
//! the machine by and by falls on all.

use std::fmt::Write;
use std::time::Duration;

use benches::peers::peer::Peer;
use benches::peers::report::groups;
use benches::peers::run::Load;
use benches::peers::{plot, report};
use benches::runs::Group;
use clap::Args;
use serde_json::Value;

use crate::Place;
use crate::results::{Results, verdict};

const BESIDE: Peer = Peer::OursCounted;
const NEVER: Peer = Peer::OursCountedUncommitted;
const TRANSACTIONAL: Peer = Peer::OursCountedTransactional;
const WAYS: [Peer; 3] = [BESIDE, NEVER, TRANSACTIONAL];
/// What commits beside the path may cost of the throughput.
const COST_MAX: f64 = 0.15;

/// What is asked for.
#[derive(Args)]
pub struct Asked {
    /// Messages a second in the runs for latency.
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// How long each of them is measured, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How long each of them is kept up before that, in seconds.
    #[arg(long, default_value_t = 15)]
    warm: u64,
    /// Messages in the runs for throughput.
    #[arg(long, default_value_t = 300_000)]
    bulk: u64,
    /// Rounds; each has every way twice.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    #[command(flatten)]
    place: Place,
}

/// Measures, and writes down what came of it.
pub async fn run(asked: &Asked) -> anyhow::Result<()> {
    let mut results = Results::new(&asked.place.out, "commits")?;
    let (stand, _root) = asked.place.stand()?;
    let (time, warm) = (Duration::from_secs(asked.seconds), Duration::from_secs(asked.warm));
    let loads = [Load::Bulk(asked.bulk), Load::Rate { rate: asked.rate, time, warm }];
    for repeat in 0..asked.repeats {
        for peer in WAYS.into_iter().chain(WAYS.into_iter().rev()) {
            for load in loads {
                results.add(stand.run(peer, load, repeat).await?)?;
            }
        }
    }
    let table = compared(&results.runs) + "\n" + &report::table(&results.runs);
    results.finish(&table, &plot::svg(&results.runs))
}

/// The figures of one way.
struct Way {
    name: String,
    speed: f64,
    cpu: f64,
    p95: f64,
    /// The least p95 and the most.
    p95_span: (f64, f64),
}

impl Way {
    fn of(groups: &[Group<'_>], peer: Peer) -> Self {
        let name = peer.name();
        let group =
            |paced: bool| groups.iter().find(|g| g.name == name && g.rate.is_some() == paced);
        let median = |paced: bool, figure: &str| {
            group(paced).and_then(|group| group.median(figure)).unwrap_or(f64::NAN)
        };
        let p95 = group(true).map(|group| group.sorted("/latency_ms/p95")).unwrap_or_default();
        let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
        Self {
            speed: median(false, "/messages_a_second"),
            cpu: median(false, "/cpu_s_per_million/app"),
            p95: median(true, "/latency_ms/p95"),
            p95_span: (end(p95.first()), end(p95.last())),
            name,
        }
    }
}

/// What the ways cost beside no commits, and whether that is what was asked for.
fn compared(runs: &[Value]) -> String {
    let groups = groups(runs);
    let [beside, never, transactional] = WAYS.map(|peer| Way::of(&groups, peer));
    let mut text = "| way | messages/s | of no commits | app CPU s/M | of no commits | p95 ms \
                    (least to most) | of no commits |\n|---|---|---|---|---|---|---|\n"
        .to_owned();
    for way in [&beside, &never, &transactional] {
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} ({:.2} to {:.2}) | {:.2} |",
            way.name,
            way.speed,
            way.speed / never.speed,
            way.cpu,
            way.cpu / never.cpu,
            way.p95,
            way.p95_span.0,
            way.p95_span.1,
            way.p95 / never.p95,
        );
    }
    let cost = 1.0 - beside.speed / never.speed;
    let more = beside.p95 - never.p95;
    let spread = never.p95_span.1 - never.p95_span.0;
    let _ = writeln!(
        text,
        "\nCommits beside the path cost {:.1} % of the throughput (at most {:.0} %): {}.\n\
         They change p95 by {more:+.2} ms; runs without commits differ by {spread:.2} ms among \
         themselves, so that is {}: {}.\n\
         Transactions cost {:.1} % of the throughput and {:+.2} ms of p95.",
        100.0 * cost,
        100.0 * COST_MAX,
        verdict(cost <= COST_MAX),
        if more <= spread { "not measurable" } else { "measurable" },
        verdict(more <= spread),
        100.0 * (1.0 - transactional.speed / never.speed),
        transactional.p95 - never.p95,
    );
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn runs(beside: (f64, f64)) -> Vec<Value> {
        let mut runs = Vec::new();
        for (peer, speed, p95) in [
            (BESIDE, beside.0, beside.1),
            (NEVER, 1000.0, 3.0),
            (NEVER, 1000.0, 4.0),
            (TRANSACTIONAL, 500.0, 90.0),
        ] {
            let peer = peer.name();
            runs.push(json!({ "peer": peer, "valid": true, "messages_a_second": speed,
                "cpu_s_per_million": { "app": 5.0 } }));
            runs.push(json!({ "peer": peer, "valid": true, "rate": 10.0,
                "latency_ms": { "p95": p95 } }));
        }
        runs
    }

    #[test]
    fn costs_are_judged_by_runs_without_commits() {
        let text = compared(&runs((860.0, 3.9)));
        assert!(text.contains("cost 14.0 % of the throughput (at most 15 %): met"), "{text}");
        assert!(text.contains("not measurable: met") && text.contains("cost 50.0 %"), "{text}");
        let text = compared(&runs((840.0, 4.1)));
        assert!(text.contains("(at most 15 %): MISSED"), "{text}");
        assert!(text.contains("that is measurable: MISSED"), "{text}");
        assert!(compared(&[]).contains("MISSED"), "nothing measured is nothing met");
    }
}
