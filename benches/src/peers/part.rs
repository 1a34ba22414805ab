//! What a measuring program is when it runs as a process of a measurement: it starts itself again, so
//! that whoever works and whoever measures are two processes.

use std::path::{Path, PathBuf};

use anyhow::ensure;
use clap::Subcommand;

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
