//! What is said of our stage by itself: what commits cost, how soon it has caught up after a stop, and
//! how much two workers do more than one.
//!
//! `cargo run --release -p benches --bin scaling -- commits`
//! `cargo run --release -p benches --bin scaling -- catch-up`
//! `cargo run --release -p benches --bin scaling -- quota`
//!
//! What is measured, and when a run counts: benches/peers/README.md.
#![allow(clippy::print_stdout, clippy::print_stderr)] // it talks to the person who runs it

mod catch_up;
mod cgroup;
mod commits;
mod plot;
mod quota;
mod results;

use std::path::PathBuf;

use benches::peers::part::{Part, measured};
use benches::peers::stand::Stand;
use clap::{Args, Parser, Subcommand};

#[derive(Parser)]
#[command(about)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Commits beside the path, no commits, and outputs in transactions: throughput and p95.
    Commits(commits::Asked),
    /// The worker is stopped for a while under a constant rate: how soon nothing is behind any more.
    CatchUp(catch_up::Asked),
    /// One worker and two, each capped at a share of a core: messages a second.
    Quota(quota::Asked),
    #[command(flatten)]
    Part(Part),
}

/// What every task is told.
#[derive(Args)]
struct Place {
    /// How many customers write.
    #[arg(long, default_value_t = 20_000)]
    customers: u64,
    /// host:port of a broker; otherwise one is started.
    #[arg(long)]
    kafka: Option<String>,
    /// Where results go.
    #[arg(long, default_value = "benches/results")]
    out: PathBuf,
}

impl Place {
    /// A stand in a directory that lives as long as what is returned with it.
    fn stand(&self) -> anyhow::Result<(Stand, tempfile::TempDir)> {
        let root = tempfile::tempdir()?;
        let stand = Stand::set_up(root.path(), self.kafka.as_deref(), self.customers)?;
        Ok((stand, root))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().task {
        Task::Commits(asked) => measured(commits::run(&asked)).await,
        Task::CatchUp(asked) => measured(catch_up::run(&asked)).await,
        Task::Quota(asked) => measured(quota::run(&asked)).await,
        Task::Part(part) => part.run().await,
    }
}
