//! Whether costs stay within what is promised: the embedded log and store by the message, the desk's
//! queries on ten million messages, and how cost and memory grow.
//!
//! `cargo run --release -p benches --bin limits -- log` (`store`, `reads`, `curves`, `flat`)
//!
//! What each measures, and when it counts: benches/results/README.md.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

mod counted;
mod curves;
mod flat;
mod lanes;
mod log;
mod made;
mod plot;
mod reads;
mod report;
mod store;
mod tell;
mod traffic;

use std::path::PathBuf;

use benches::usage;
use clap::{Parser, Subcommand};

use crate::plot::Panel;

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    part: Part,
    /// Where results go.
    #[arg(long, default_value = "benches/results", global = true)]
    out: PathBuf,
}

#[derive(Subcommand)]
enum Part {
    /// The embedded log by the record.
    Log(log::Log),
    /// The embedded store by the message, at a steady rate.
    Store(store::Store),
    /// The desk's queries on a large store.
    Reads(reads::Reads),
    /// Ten times as many messages, conversations, partitions, intents.
    Curves(curves::Curves),
    /// Memory over ten million messages.
    Flat(flat::Flat),
    /// Trains a head of so many labels.
    #[command(hide = true)]
    Train { dir: PathBuf, labels: u64 },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let before = usage::load();
    eprintln!("load average {before}");
    let (program, cases, panels) = match &cli.part {
        Part::Log(log) => {
            let cases = log.run().await?;
            let panels = vec![Panel::bars("CPU µs a record", &cases, "cpu_us_a_record")];
            ("log", cases, panels)
        }
        Part::Store(store) => {
            let cases = store.run().await?;
            let panels = vec![Panel::bars("CPU µs a message", &cases, "cpu_us_a_message")];
            ("store", cases, panels)
        }
        Part::Reads(reads) => {
            let cases = reads.run().await?;
            ("reads", cases.clone(), vec![Panel::bars("p95, ms", &cases, "p95_ms")])
        }
        Part::Curves(curves) => {
            let (cases, panels) = curves.run().await?;
            ("curves", cases, panels)
        }
        Part::Flat(flat) => {
            let (cases, panels) = flat.run().await?;
            ("flat", cases, panels)
        }
        Part::Train { dir, labels } => return curves::train(dir, *labels),
    };
    report::write(&cli.out, program, [before, usage::load()], &cases, &panels)
}
