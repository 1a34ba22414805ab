//! What a measuring program is when it runs as a process of a measurement: it starts itself again, so
//! that whoever works and whoever measures are two processes.

use std::path::{Path, PathBuf};

use anyhow::{bail, ensure};
use clap::Subcommand;
use tokio::signal::unix::{SignalKind, signal};

use crate::peers::{model, ours};

/// A process of a measurement.
#[derive(Debug, Subcommand)]
pub enum Part {
    /// Our stage.
    #[command(hide = true)]
    Ours(ours::Asked),
    /// Trains the model.
    #[command(hide = true)]
    Model {
        /// Where to.
        dir: PathBuf,
    },
}

impl Part {
    /// Does its work until it is done or told to stop.
    ///
    /// # Errors
    /// What ended it.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Ours(asked) => ours::run(&asked).await,
            Self::Model { dir } => model::prepare(&dir),
        }
    }
}

/// Trains the model in a process of its own, since the library that fits it is talkative.
///
/// # Errors
/// It cannot be trained; with what was said last.
pub fn trained(dir: &Path) -> anyhow::Result<()> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    let output = command.arg("model").arg(dir).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().next_back().unwrap_or_default();
    ensure!(output.status.success(), "the model was not trained: {last}");
    Ok(())
}

/// Measures until it is done or told to stop: what was started is ended and taken away in both cases.
///
/// # Errors
/// What ended it.
pub async fn measured<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut told = signal(SignalKind::terminate())?;
    tokio::select! {
        done = work => done,
        _ = told.recv() => bail!("told to stop"),
        _ = tokio::signal::ctrl_c() => bail!("told to stop"),
    }
}
