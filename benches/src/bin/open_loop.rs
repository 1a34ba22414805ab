//! The whole process under an open loop: messages are sent at times fixed in advance, and a latency
//! counts from when its message should have been sent to when its answer was in hand.
//!
//! `cargo run --release -p benches --bin open_loop -- --rates 200,1000,3000`
//!
//! Server and generator share the machine. A run whose generator was late, or in which something was
//! refused, is said to be invalid and shows nothing but that.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use clap::Parser;
use serde_json::Value;
use tests::server::{Options, Server, binary};

/// A generator later than this (p99) measures itself.
const LATE_MS_MAX: f64 = 10.0;

#[derive(Parser)]
struct Cli {
    /// Messages a second, one run each.
    #[arg(long, value_delimiter = ',', default_values_t = [200.0, 1000.0, 3000.0])]
    rates: Vec<f64>,
    /// How long a run takes, in seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How many customers write.
    #[arg(long, default_value_t = 20_000)]
    customers: u64,
    /// Layouts of the line, one run each (separate, chained).
    #[arg(long, value_delimiter = ',', default_values_t = ["separate".to_owned()])]
    layouts: Vec<String>,
}

/// Counters of a Prometheus exposition, by name and labels.
type Counters = BTreeMap<String, f64>;

fn counters(text: &str) -> Counters {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect()
}

fn grown(before: &Counters, after: &Counters, name: &str) -> f64 {
    after.get(name).copied().unwrap_or(0.0) - before.get(name).copied().unwrap_or(0.0)
}

/// The value of a label in `name{label="value"}`.
fn label<'a>(name: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = name.split_once(&format!("{label}=\""))?;
    rest.split('"').next()
}

/// A quantile of a histogram's growth, interpolated within its bucket, in milliseconds.
fn quantile_ms(before: &Counters, after: &Counters, histogram: &str, share: f64) -> Option<f64> {
    let prefix = format!("{histogram}_bucket{{");
    let mut buckets: Vec<(f64, f64)> = after
        .keys()
        .filter(|name| name.starts_with(&prefix))
        .filter_map(|name| Some((label(name, "le")?.parse().ok()?, grown(before, after, name))))
        .collect();
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    let wanted = buckets.last()?.1 * share;
    let mut below = (0.0, 0.0);
    for (edge, count) in buckets {
        if count >= wanted {
            let within = (wanted - below.1) / (count - below.1).max(1.0);
            let edge: f64 = if edge.is_finite() { edge } else { below.0 };
            return Some((below.0 + (edge - below.0) * within) * 1000.0);
        }
        below = (edge, count);
    }
    None
}

/// Bytes of the files in `dir`.
fn bytes(dir: &Path) -> anyhow::Result<u64> {
    let mut total = 0;
    for entry in std::fs::read_dir(dir)? {
        let meta = entry?.metadata()?;
        total += if meta.is_file() { meta.len() } else { 0 };
    }
    Ok(total)
}

/// A line of `/proc/<pid>/status`, in MiB.
fn memory_mib(pid: u32, line: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let found = status.lines().find_map(|one| one.strip_prefix(line)).context("no such line")?;
    let kib: u64 = found.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024)
}

fn generate(url: &str, rate: f64, seconds: u64, customers: u64) -> anyhow::Result<Value> {
    let output = Command::new(binary()?)
        .args(["simulate", "--wait", "--json", "--duplicates", "0", "--url", url])
        .args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()])
        .args(["--customers", &customers.to_string(), "--seed", &rate.to_string().replace('.', "")])
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(output.status.success(), "the generator failed");
    Ok(serde_json::from_slice(&output.stdout)?)
}

async fn run(cli: &Cli, rate: f64, layout: &str) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    // As it is shipped (grouping does not matter to a caller that waits), but for the demo CRM, which
    // answers at once: its made-up 80 ms would be all there is to see.
    let options = Options { settings: Vec::new(), ..Options::at(dir.path()) }
        .with("LINE__LAYOUT", layout)
        .with("CRM__LATENCY_MS_P50", "0")
        .with("CRM__ERRORS_PER_MILLE", "0");
    let server = Server::start(options).await?;
    generate(&server.url(), rate.min(500.0), 3, cli.customers)?;
    let disk = bytes(dir.path())?;
    let before = counters(&server.api().get("/metrics").await?.text);
    let found = generate(&server.url(), rate, cli.seconds, cli.customers)?;
    let after = counters(&server.api().get("/metrics").await?.text);
    let number = |pointer: &str| found.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN);
    let (sent, late) = (number("/sent"), number("/generator_late_ms/p99"));
    let answered = number("/statuses/200");
    println!(
        "\n{layout}: {rate} messages a second for {} s: {sent} sent, statuses {}",
        cli.seconds,
        found.get("statuses").unwrap_or(&Value::Null)
    );
    println!("  generator late: p99 {late} ms, max {} ms", number("/generator_late_ms/max"));
    let valid = late <= LATE_MS_MAX && answered >= sent * 0.999;
    if !valid {
        println!("  INVALID: the generator was late, or messages were not answered in time");
    }
    println!(
        "  sent to answered: p50 {} p95 {} p99 {} max {} ms; {} % by the machine",
        number("/answered_ms/p50"),
        number("/answered_ms/p95"),
        number("/answered_ms/p99"),
        number("/answered_ms/max"),
        (number("/auto") / sent * 100.0).round(),
    );
    let q = |histogram, share| quantile_ms(&before, &after, histogram, share).unwrap_or(f64::NAN);
    println!(
        "  fdatasync: p50 {:.2} p95 {:.2} ms; append durable: p50 {:.2} p95 {:.2} ms",
        q("correnteza_log_sync_seconds", 0.5),
        q("correnteza_log_sync_seconds", 0.95),
        q("correnteza_log_append_seconds", 0.5),
        q("correnteza_log_append_seconds", 0.95),
    );
    let mut total = 0.0;
    let mut stages = Vec::new();
    for name in after.keys().filter(|name| name.starts_with("correnteza_stage_cpu_seconds_total{"))
    {
        let micros = grown(&before, &after, name) * 1e6 / sent;
        total += micros;
        stages.push(format!("{} {micros:.0}", label(name, "stage").unwrap_or(name)));
    }
    println!("  CPU µs a message: {total:.0} in stages ({})", stages.join(", "));
    let (now, most) = (memory_mib(server.pid(), "VmRSS")?, memory_mib(server.pid(), "VmHWM")?);
    let ticks = std::fs::read_to_string(format!("/proc/{}/stat", server.pid()))?;
    let fields: Vec<&str> = ticks.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let cpu: f64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum();
    println!("  process since its start: {:.1} s of CPU", cpu / 100.0);
    server.stop().await?;
    // Stopped, nothing is left in write-ahead logs.
    #[allow(clippy::cast_precision_loss)] // bytes of a run
    let each = bytes(dir.path())?.saturating_sub(disk) as f64 / sent;
    println!("  RSS {now} MiB (most {most}); disk {each:.0} B a message");
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    for rate in cli.rates.clone() {
        for layout in &cli.layouts {
            run(&cli, rate, layout).await?;
        }
    }
    Ok(())
}
