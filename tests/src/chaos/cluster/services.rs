//! The servers an installation runs on: real ones, started by the project's own scripts and ended by
//! their process id.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::server::root;

/// How long a server that was killed may take to be gone.
const GONE_WITHIN: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// A server.
#[derive(Debug)]
pub struct Service {
    scripts: PathBuf,
    work: Option<PathBuf>,
    /// host:port.
    pub address: String,
}

impl Service {
    /// One that somebody else looks after: it is never killed.
    #[must_use]
    pub fn given(address: &str) -> Self {
        Self { scripts: PathBuf::new(), work: None, address: address.to_owned() }
    }

    /// A broker of our own with its data in `work`.
    ///
    /// # Errors
    /// When it does not start; with what it said.
    pub async fn kafka(work: &Path) -> anyhow::Result<Self> {
        Self::begin("kafka", work).await
    }

    /// A CQL server of our own with its data in `work`.
    ///
    /// # Errors
    /// When it does not start; with what it said.
    pub async fn cassandra(work: &Path) -> anyhow::Result<Self> {
        Self::begin("cassandra", work).await
    }

    async fn begin(name: &str, work: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(work)?;
        let address = run(&script(name, "start.sh"), work, "new").await?;
        Ok(Self::started(name, work, &address))
    }

    /// One of our own that listens at `address` already, with its data in `work`.
    pub(super) fn started(name: &str, work: &Path, address: &str) -> Self {
        let scripts = root().join("tests/services").join(name);
        Self { scripts, work: Some(work.to_owned()), address: address.to_owned() }
    }

    /// Whether it may be killed.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.work.is_some()
    }

    fn own(&self) -> anyhow::Result<&Path> {
        self.work.as_deref().context("this server is not ours to end")
    }

    /// Ends it as a power cut of its process would; returns when it is gone.
    ///
    /// # Errors
    /// When it is not ours, or stays.
    pub async fn kill(&self) -> anyhow::Result<()> {
        let pid = std::fs::read_to_string(self.own()?.join("pid"))?.trim().to_owned();
        let about = PathBuf::from("/proc").join(&pid);
        let told = Command::new("kill").args(["-KILL", &pid]).status()?;
        ensure!(told.success(), "server {pid} could not be killed");
        let until = Instant::now() + GONE_WITHIN;
        while runs(&about) {
            ensure!(Instant::now() < until, "server {pid} does not end");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Asks it to stop; returns when it is gone.
    ///
    /// # Errors
    /// When it is not ours.
    pub async fn stop(&self) -> anyhow::Result<()> {
        let mut stopping = Command::new(self.scripts.join("stop.sh"));
        stopping.arg(self.own()?);
        let status = tokio::task::spawn_blocking(move || stopping.status()).await??;
        ensure!(status.success(), "{} could not be stopped", self.address);
        Ok(())
    }

    /// Starts it again with its data, on its port; returns when it answers.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn restart(&self) -> anyhow::Result<()> {
        let start = self.scripts.join("start.sh");
        let address = run(&start, self.own()?, "restart").await?;
        ensure!(address == self.address, "it came back at {address}, not at {}", self.address);
        Ok(())
    }
}

/// Whether the process is there and not only waited for by its parent.
fn runs(about: &Path) -> bool {
    let stat = std::fs::read_to_string(about.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A script of the project's for a kind of server.
pub(super) fn script(of: &str, name: &str) -> PathBuf {
    root().join("tests/services").join(of).join(name)
}

async fn run(script: &Path, work: &Path, mode: &'static str) -> anyhow::Result<String> {
    let what = script.display().to_string();
    let mut script = Command::new(script);
    script.arg(work).arg(mode).stderr(Stdio::inherit());
    // The store is one node here: nobody else has what it loses of its commit log.
    script.env("COMMITLOG_SYNC", "batch");
    let output = tokio::task::spawn_blocking(move || script.output()).await??;
    ensure!(output.status.success(), "{what} did not start");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            let _ = Command::new(self.scripts.join("stop.sh")).arg(work).status();
        }
    }
}
