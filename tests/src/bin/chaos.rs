//! Faults on demand: `cargo run --release -p tests --bin chaos -- kill9 --rounds 100 --rate 300`, and
//! `… chaos -- cluster --fault all --rate 50` for an installation on Kafka and CQL.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tests::chaos::cluster::{
    Brokers, FakeRegistry, Fault, Ordered, Report, Servers, Service, Stand, Watched,
};
use tests::chaos::{Asked, Load, Point, at_points, kill9};
use tokio::signal::unix::{SignalKind, signal};

#[derive(Parser)]
#[command(about = "Faults on demand, judged from outside")]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Kills the server at random moments under load.
    Kill9 {
        /// How often.
        #[arg(long, default_value_t = 100)]
        rounds: u32,
        /// Messages a second.
        #[arg(long, default_value_t = 300.0)]
        rate: f64,
        /// How many customers write. Many, because one who waits for people is not answered by the
        /// machine any more.
        #[arg(long, default_value_t = 10_000)]
        customers: usize,
        /// The same seed gives the same texts and the same lives.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Ends the server at every named point of every part's work, once each, under load. The binary
    /// under test is built with the feature failpoints.
    Failpoints {
        /// Messages a second.
        #[arg(long, default_value_t = 100.0)]
        rate: f64,
        /// How many customers write.
        #[arg(long, default_value_t = 5_000)]
        customers: usize,
        /// The same seed gives the same texts and the same points.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Faults of an installation on Kafka and CQL, with a broker and a store of its own. The binary
    /// under test is CORRENTEZA_BIN, or what cargo builds.
    Cluster(Cluster),
}

#[derive(Args)]
struct Cluster {
    /// Which, separated by commas; `all`: one after the other, on one installation.
    #[arg(long, default_value = "all", value_delimiter = ',')]
    fault: Vec<String>,
    /// How often each; left out: as often as shows something.
    #[arg(long)]
    rounds: Option<u32>,
    /// Messages a second.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// How many customers write.
    #[arg(long, default_value_t = 5_000)]
    customers: usize,
    /// Each fault has the seed of the one before and one more: alone with that seed it is the same.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How long customers write before each fault, in seconds. Figures want servers that are warm.
    #[arg(long, default_value_t = 12)]
    before: u64,
    /// How long an outage of a server is, in seconds.
    #[arg(long, default_value_t = 60)]
    outage: u64,
    /// How many brokers: 1, or 3 that stand in for one another.
    #[arg(long, default_value_t = 1)]
    brokers: usize,
    /// How members share partitions: classic or consumer (KIP-848).
    #[arg(long, default_value = "classic")]
    protocol: String,
    /// Records are framed for a schema registry, a fake one over real HTTP.
    #[arg(long)]
    registry: bool,
    /// Where servers and processes keep everything; it is left there.
    #[arg(long, default_value = ".services/chaos")]
    dir: PathBuf,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().what {
        What::Kill9 { rounds, rate, customers, seed } => {
            println!("kill -9 × {rounds} under {rate} messages a second, seed {seed}");
            let data_dir = tempfile::tempdir()?;
            let asked = Asked { rounds, load: Load { rate, customers, seed } };
            let report = kill9(data_dir.path(), asked, |how| eprintln!("  {how}")).await?;
            println!("{}", report.text());
            report.sound()
        }
        What::Failpoints { rate, customers, seed } => {
            println!("every failpoint under {rate} messages a second, seed {seed}");
            let data_dir = tempfile::tempdir()?;
            let load = Load { rate, customers, seed };
            let note = |how| eprintln!("  {how}");
            let (report, never) = at_points(data_dir.path(), load, &Point::all(), note).await?;
            println!("{}", report.text());
            ensure!(never.is_empty(), "{}", never.join("\n"));
            report.sound()
        }
        // Told to end, it takes its processes and servers with it.
        What::Cluster(asked) => {
            let mut told = signal(SignalKind::terminate())?;
            tokio::select! {
                done = cluster(asked) => done,
                _ = told.recv() => bail!("told to stop"),
                _ = tokio::signal::ctrl_c() => bail!("interrupted"),
            }
        }
    }
}

fn faults(names: &[String], brokers: usize, registry: bool) -> anyhow::Result<Vec<Fault>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Fault::all(brokers, registry));
    }
    let known = |name: &String| Fault::from_str(name, false).ok();
    let named = names.iter().map(|name| {
        let all: Vec<String> =
            Fault::all(brokers, registry).iter().map(|fault| fault.name()).collect();
        known(name).with_context(|| format!("no fault '{name}'; there are {}", all.join(", ")))
    });
    named.collect()
}

async fn cluster(asked: Cluster) -> anyhow::Result<()> {
    let faults = faults(&asked.fault, asked.brokers, asked.registry)?;
    std::fs::create_dir_all(&asked.dir)?;
    let dir = asked.dir.canonicalize()?;
    let processes = dir.join("processes");
    let _ = std::fs::remove_dir_all(&processes);
    let kafka = Brokers::start(&dir.join("kafka"), asked.brokers).await?;
    let cassandra = Service::cassandra(&dir.join("cassandra")).await?;
    let settings = [("KAFKA__PROTOCOL", asked.protocol.as_str())];
    let registry = asked.registry.then(FakeRegistry::start);
    let servers = Servers { kafka, cassandra, registry };
    let stand = Stand::start(&processes, "chaos", servers, &settings).await?;
    println!(
        "protocol {}, brokers {}, {} messages a second\n{}",
        asked.protocol,
        asked.brokers,
        asked.rate,
        Report::head()
    );
    let mut wrong = Vec::new();
    for (fault, seed) in faults.into_iter().zip(asked.seed..) {
        eprintln!("{} begins, seed {seed}", fault.name());
        let rounds = asked.rounds.unwrap_or_else(|| fault.rounds());
        let load = Load { rate: asked.rate, customers: asked.customers, seed };
        let outage = Duration::from_secs(asked.outage);
        let watched = Watched::well(Duration::from_secs(asked.before));
        match stand.suffer(Ordered { fault, rounds, load, outage, watched }).await {
            Ok(report) => {
                println!("{}", report.row());
                eprintln!("{}", report.details());
                wrong.extend(report.sound().err().map(|error| error.to_string()));
            }
            Err(error) => {
                println!("| {} | {rounds} | {seed} | did not end: {error:#} |", fault.name());
                wrong.push(format!("{} did not end: {error:#}", fault.name()));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}
