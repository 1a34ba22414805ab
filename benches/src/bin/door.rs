//! The door while nobody classifies: signed webhooks of a provider at times fixed in advance, and a latency
//! counts from when its request should have been sent to when its 200 was in hand.
//!
//! `cargo run --release -p benches --bin door -- --rate 200 --seconds 30`
//!
//! On the Kafka and the CQL store that `KAFKA_BOOTSTRAP` and `CQL_CONTACT` name (`tests/services`); broker,
//! database, door and generator share the machine. Of the product only the doors run, then the rest: a run
//! whose messages do not all come out of it shows nothing but that.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Parser;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use tests::api::Answer;
use tests::installation::Installation;
use tests::server::Server;
use tests::whatsapp::{PATH, account, signed, written};
use tokio::time::{Instant, sleep_until};

/// A generator later than this (p99) measures itself, in milliseconds.
const LATE_MS_MAX: f64 = 10.0;
/// What the provider allows, in milliseconds.
const SLOW_MS: f64 = 1_000.0;
/// What everybody writes: people are asked, whatever the CRM or a provider would say.
const TEXT: &str = "quero falar com um atendente";
/// How long the rest of the line may take to be through with it.
const REST_WITHIN: Duration = Duration::from_secs(300);

#[derive(Parser)]
struct Cli {
    /// Webhooks a second.
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// How long, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

/// When a request was sent after it should have been, and when it was answered; and how.
struct Knock {
    late: Duration,
    took: Duration,
    status: u16,
}

async fn knock(http: reqwest::Client, url: String, n: u32, due: Instant) -> anyhow::Result<Knock> {
    let from = format!("55119{:08}", n % 20_000);
    let (body, signature) =
        signed(&written(&from, &format!("w.{n}"), "text", json!({ "body": TEXT })))?;
    sleep_until(due).await;
    let late = due.elapsed();
    let request = http.post(url).header("x-hub-signature-256", signature).body(body);
    let status = request.send().await?.status().as_u16();
    Ok(Knock { late, took: due.elapsed(), status })
}

async fn knocks(cli: &Cli, url: &str, from: u32, seconds: u32) -> anyhow::Result<Vec<Knock>> {
    let http = reqwest::Client::builder().tcp_nodelay(true).pool_max_idle_per_host(512).build()?;
    let begin = Instant::now() + Duration::from_millis(500);
    let sent = (0..cli.rate * seconds).map(|n| {
        let due = begin + Duration::from_secs(1) * n / cli.rate;
        tokio::spawn(knock(http.clone(), url.to_owned(), from + n, due))
    });
    let mut done = Vec::new();
    for one in sent.collect::<Vec<_>>() {
        done.push(one.await??);
    }
    Ok(done)
}

fn histogram(times: impl Iterator<Item = Duration>) -> anyhow::Result<Histogram<u64>> {
    let mut histogram = Histogram::new(3)?;
    for time in times {
        histogram.record(u64::try_from(time.as_micros())?)?;
    }
    Ok(histogram)
}

#[allow(clippy::cast_precision_loss)] // microseconds of a run
fn ms(of: &Histogram<u64>, share: f64) -> f64 {
    of.value_at_quantile(share) as f64 / 1_000.0
}

fn load_average() -> String {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let dir = tempfile::tempdir()?;
    let installation = Installation::lay_out(dir.path(), "door")?;
    let installation = installation.context("name a Kafka and a CQL store")?;
    let nobody = "http://127.0.0.1:1";
    let doors = account(installation.process("doors", &["doors"])?, nobody);
    let doors = Server::start(doors).await?;
    let url = format!("{}{PATH}", doors.url());
    let before = load_average();
    knocks(&cli, &url, 0, 3).await?;
    let done = knocks(&cli, &url, 3 * cli.rate, cli.seconds).await?;
    let taken = done.iter().filter(|one| one.status == 200).count();
    let late = histogram(done.iter().map(|one| one.late))?;
    let took = histogram(done.iter().map(|one| one.took))?;
    let slow = done.iter().filter(|one| one.took.as_secs_f64() * 1_000.0 > SLOW_MS).count();
    println!("{} webhooks a second for {} s, nobody classifying", cli.rate, cli.seconds);
    println!("  load average of the machine: {before} before, {} after", load_average());
    println!("  generator late: p99 {:.1} ms, max {:.1} ms", ms(&late, 0.99), ms(&late, 1.0));
    println!(
        "  sent to acknowledged: p50 {:.1} p95 {:.1} p99 {:.1} max {:.1} ms; {taken} of {} taken, {slow} over 1 s",
        ms(&took, 0.5),
        ms(&took, 0.95),
        ms(&took, 0.99),
        ms(&took, 1.0),
        done.len(),
    );
    if ms(&late, 0.99) > LATE_MS_MAX {
        println!("  the generator itself was late: these figures are not the door's alone");
    }
    ensure!(taken == done.len(), "some were refused");
    let waiting = doors.api().get("/v1/conversations").await?;
    ensure!(
        waiting.text.contains("\"conversations\":[]"),
        "somebody has decided: {}",
        waiting.text
    );
    decided(&installation, &doors, taken + usize::try_from(3 * cli.rate)?).await?;
    println!("  and all of them were decided afterwards");
    doors.stop().await?;
    Ok(())
}

/// Runs the rest of the line until people have been asked about `count` messages.
async fn decided(installation: &Installation, doors: &Server, count: usize) -> anyhow::Result<()> {
    let parts = ["turns", "classify", "router", "plan", "metrics", "store"];
    let rest = Server::start(installation.process("rest", &parts)?).await?;
    let through = |answer: &Answer| {
        let settled = answer.body.pointer("/settled/human").and_then(Value::as_u64);
        settled == u64::try_from(count).ok()
    };
    doors.api().until("/v1/metrics/summary", REST_WITHIN, through).await?;
    rest.stop().await?;
    Ok(())
}
