//! The same work done by us and by what a user would pick instead, side by side on one broker.
//!
//! `cargo run --release -p benches --bin peers -- --rate 1000 --seconds 60 --repeats 3`
//! `cargo run --release -p benches --bin peers -- --bulk 300000 --repeats 3`
//!
//! What the work is, how each peer is set, and when a run counts: benches/peers/README.md.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::ensure;
use benches::peers::part::{Part, measured};
use benches::peers::peer::Peer;
use benches::peers::run::Load;
use benches::peers::stand::Stand;
use benches::peers::{plot, report};
use clap::{Args, Parser};
use serde_json::Value;

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
    /// Messages a second: an open-loop run at each.
    #[arg(long, value_delimiter = ',')]
    rate: Vec<f64>,
    /// How long each of them is measured, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How long each of them is kept up before that, in seconds: compilers want a minute.
    #[arg(long, default_value_t = 60)]
    warm: u64,
    /// Messages that are there when the peer starts: a run for the cost of a message.
    #[arg(long)]
    bulk: Option<u64>,
    /// How often everything is repeated, every other time in the opposite order.
    #[arg(long, default_value_t = 3)]
    repeats: usize,
    /// How many customers write.
    #[arg(long, default_value_t = 20_000)]
    customers: u64,
    /// Who is compared; everyone by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Peer>,
    /// host:port of a broker; otherwise one is started.
    #[arg(long)]
    kafka: Option<String>,
    /// Where results go.
    #[arg(long, default_value = "benches/results")]
    out: PathBuf,
}

impl Comparison {
    fn peers(&self) -> Vec<Peer> {
        if self.only.is_empty() { Peer::COMPARED.to_vec() } else { self.only.clone() }
    }

    fn loads(&self) -> Vec<Load> {
        let (time, warm) = (Duration::from_secs(self.seconds), Duration::from_secs(self.warm));
        let paced = self.rate.iter().map(|&rate| Load::Rate { rate, time, warm });
        self.bulk.map(Load::Bulk).into_iter().chain(paced).collect()
    }
}

async fn compare(asked: &Comparison) -> anyhow::Result<Vec<Value>> {
    ensure!(!asked.loads().is_empty(), "say what to run: --rate 1000, --bulk 300000, or both");
    for peer in asked.peers() {
        peer.prepare()?;
    }
    std::fs::create_dir_all(&asked.out)?;
    let mut lines = std::fs::File::create(asked.out.join("peers.jsonl"))?;
    let root = tempfile::tempdir()?;
    let stand = Stand::set_up(root.path(), asked.kafka.as_deref(), asked.customers)?;
    let mut runs = Vec::new();
    for repeat in 0..asked.repeats {
        let mut peers = asked.peers();
        if repeat % 2 == 1 {
            peers.reverse();
        }
        for peer in peers {
            for load in asked.loads() {
                let run = stand.run(peer, load, repeat).await?;
                print!("{}", report::told(&run));
                writeln!(lines, "{run}")?;
                runs.push(run);
            }
        }
    }
    Ok(runs)
}

fn write_results(out: &Path, runs: &[Value]) -> anyhow::Result<()> {
    let table = report::table(runs);
    println!("\n{table}");
    std::fs::write(out.join("peers.md"), table)?;
    std::fs::write(out.join("peers.svg"), plot::svg(runs))?;
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.part {
        Some(part) => part.run().await,
        None => {
            let runs = measured(compare(&cli.comparison)).await?;
            write_results(&cli.comparison.out, &runs)
        }
    }
}
