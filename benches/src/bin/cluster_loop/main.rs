//! From door to stored row on Kafka and Cassandra, beside the same path with null stages and a forward
//! that does no work, under an open loop, in one run.
//!
//! `cargo run --release -p benches --bin cluster_loop -- --rates 200,1000 --seconds 30 --repeats 3`
//!
//! How it is measured, and what a run must keep to be valid: benches/results/README.md.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

mod forward;
mod generator;
mod hops;
mod judge;
mod measure;
mod null;
mod plot;
mod report;
mod stand;
mod store;
mod stored;
mod wiring;

use std::io::Write;
use std::path::{Path, PathBuf};

use benches::servers::Server;
use clap::{Args, Parser, Subcommand};
use measure::Asked;
use serde_json::Value;
use stand::{Configuration, Delivery, Layout, Stages, Stand};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    part: Option<Part>,
    #[command(flatten)]
    comparison: Comparison,
}

#[derive(Args)]
struct Comparison {
    /// Messages a second.
    #[arg(long, value_delimiter = ',', default_values_t = [200.0, 1000.0])]
    rates: Vec<f64>,
    /// How long each of them is kept up, in seconds.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// How often everything is repeated, every other time in the opposite order.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// How many customers write.
    #[arg(long, default_value_t = 20_000)]
    customers: u64,
    /// Whose stages.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Stages::Ours, Stages::Null])]
    stages: Vec<Stages>,
    /// Layouts of the line.
    #[arg(
        long, value_enum, value_delimiter = ',',
        default_values_t = [Layout::Separate, Layout::Chained]
    )]
    layouts: Vec<Layout>,
    /// When outputs become visible.
    #[arg(
        long, value_enum, value_delimiter = ',',
        default_values_t = [Delivery::AtOnce, Delivery::Transactional]
    )]
    deliveries: Vec<Delivery>,
    /// Hops of the forward that does no work.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 3])]
    hops: Vec<usize>,
    /// host:port of a broker; otherwise one is started.
    #[arg(long)]
    kafka: Option<String>,
    /// host:port of a CQL server; otherwise one is started.
    #[arg(long)]
    cql: Option<String>,
    /// Where results go.
    #[arg(long, default_value = "benches/results")]
    out: PathBuf,
}

/// What this program is when it runs as a process of an installation.
#[derive(Subcommand)]
enum Part {
    /// The store's effects, timed.
    #[command(hide = true)]
    Store {
        #[arg(long)]
        kafka: String,
        #[arg(long)]
        cql: String,
        #[arg(long)]
        tag: String,
        #[arg(long)]
        notes: PathBuf,
    },
    /// Null stages.
    #[command(hide = true)]
    Null {
        #[arg(long)]
        kafka: String,
        #[arg(long)]
        tag: String,
        #[arg(long, value_enum)]
        layout: Layout,
        #[arg(long, value_enum)]
        delivery: Delivery,
        #[arg(long)]
        states: PathBuf,
    },
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
enum Compared {
    Line(Configuration),
    Forward(usize),
}

impl Comparison {
    fn compared(&self) -> Vec<Compared> {
        let mut all = Vec::new();
        for &delivery in &self.deliveries {
            for &layout in &self.layouts {
                for &stages in &self.stages {
                    all.push(Compared::Line(Configuration { stages, layout, delivery }));
                }
            }
        }
        all.extend(self.hops.iter().map(|hops| Compared::Forward(*hops)));
        all
    }

    fn asked(&self, rate: f64, repeat: usize) -> Asked {
        Asked { rate, seconds: self.seconds, customers: self.customers, repeat }
    }
}

async fn compare(asked: &Comparison) -> anyhow::Result<Vec<Value>> {
    std::fs::create_dir_all(&asked.out)?;
    let lines = asked.out.join("cluster_loop.jsonl");
    let mut lines = std::fs::File::create(lines)?;
    let root = tempfile::tempdir()?;
    eprintln!("starting servers");
    let kafka = Server::of("kafka", asked.kafka.as_deref(), &root.path().join("kafka"))?;
    let cql = Server::of("cassandra", asked.cql.as_deref(), &root.path().join("cassandra"))?;
    let stand = Stand::new(kafka, cql, root.path());
    if !asked.hops.is_empty() {
        forward::built()?;
    }
    // Broker and database are slow until their compilers have seen what is hot: the first run counts
    // for nothing.
    let line = asked.compared().into_iter().find(|one| matches!(one, Compared::Line(_)));
    if let Some(line) = line {
        eprintln!("warming the servers");
        measured(&stand, asked, line, 0).await?;
    }
    let mut runs = Vec::new();
    for repeat in 0..asked.repeats {
        let mut compared = asked.compared();
        if repeat % 2 == 1 {
            compared.reverse();
        }
        for one in compared {
            for run in measured(&stand, asked, one, repeat).await? {
                print!("{}", report::told(&run));
                writeln!(lines, "{run}")?;
                runs.push(run);
            }
        }
    }
    Ok(runs)
}

/// One configuration at every rate.
async fn measured(
    stand: &Stand,
    asked: &Comparison,
    compared: Compared,
    repeat: usize,
) -> anyhow::Result<Vec<Value>> {
    let mut runs = Vec::new();
    match compared {
        Compared::Forward(hops) => {
            for &rate in &asked.rates {
                let kafka = stand.kafka.address.clone();
                let asked = asked.asked(rate, repeat);
                let run = move || forward::run(&kafka, hops, asked);
                runs.push(tokio::task::spawn_blocking(run).await??);
            }
        }
        Compared::Line(configuration) => {
            let running = stand.start(configuration).await?;
            for &rate in &asked.rates {
                let asked = asked.asked(rate, repeat);
                runs.push(measure::run(stand, &running, configuration, asked).await?);
            }
            running.stop()?;
        }
    }
    Ok(runs)
}

fn write_results(out: &Path, runs: &[Value]) -> anyhow::Result<()> {
    let table = report::table(runs);
    println!("\n{table}");
    std::fs::write(out.join("cluster_loop.md"), table)?;
    std::fs::write(out.join("cluster_loop.svg"), plot::svg(runs))?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(Part::Store { kafka, cql, tag, notes }) => {
            store::run(&kafka, &cql, &tag, &notes).await
        }
        Some(Part::Null { kafka, tag, layout, delivery, states }) => {
            let how = (layout == Layout::Chained, delivery == Delivery::Transactional);
            null::run(&kafka, &tag, how, &states).await
        }
        None => {
            let runs = compare(&cli.comparison).await?;
            write_results(&cli.comparison.out, &runs)
        }
    }
}
