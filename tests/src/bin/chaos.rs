//! Faults on demand: `cargo run --release -p tests --bin chaos -- kill9 --rounds 100 --rate 300`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

use clap::{Parser, Subcommand};
use tests::chaos::{Asked, Load, kill9};

#[derive(Parser)]
#[command(about = "Faults on demand, judged from outside")]
struct Cli {
    #[command(subcommand)]
    fault: Fault,
}

#[derive(Subcommand)]
enum Fault {
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
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Fault::Kill9 { rounds, rate, customers, seed } = Cli::parse().fault;
    println!("kill -9 × {rounds} under {rate} messages a second, seed {seed}");
    let data_dir = tempfile::tempdir()?;
    let asked = Asked { rounds, load: Load { rate, customers, seed } };
    let report = kill9(data_dir.path(), asked, |how| eprintln!("  {how}")).await?;
    println!("{}", report.text());
    report.sound()
}
