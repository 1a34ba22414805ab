//! One process of an installation, looked after as a supervisor would: one that ends by itself is
//! started again, and that is noted.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use anyhow::{Context, ensure};

use crate::chaos::points::{CLOCK, VARIABLE};
use crate::server::{binary, models};

/// What a process is.
#[derive(Debug, Clone)]
pub struct Role {
    /// What we call it.
    pub name: String,
    /// What it runs.
    pub parts: Vec<&'static str>,
    /// Where its keys, state caches and log are.
    pub data_dir: PathBuf,
    /// Its port.
    pub port: u16,
    /// Settings, by the name they have in the environment without `CORRENTEZA__`.
    pub settings: Vec<(String, String)>,
}

/// A process. Dropped, it is killed.
pub struct Process {
    /// What it is.
    pub role: Role,
    child: Option<Child>,
    wanted: bool,
    /// The failpoint it is started with next, and only then.
    pub armed: Option<String>,
    /// How far its clock is ahead of the machine's.
    pub clock_ahead_ms: i64,
    /// How it ended when nobody had asked for that.
    pub ended_by_itself: Vec<ExitStatus>,
}

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Please stop.
    Term,
    /// Stand still.
    Stop,
    /// Go on.
    Continue,
}

impl Process {
    /// One that does not run yet.
    #[must_use]
    pub fn new(role: Role) -> Self {
        Self {
            role,
            child: None,
            wanted: false,
            armed: None,
            clock_ahead_ms: 0,
            ended_by_itself: Vec::new(),
        }
    }

    /// Where everything it says goes.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.role.data_dir.join("said.log")
    }

    fn said(&self) -> anyhow::Result<File> {
        Ok(OpenOptions::new().create(true).append(true).open(self.log())?)
    }

    /// Starts it, if it does not run.
    ///
    /// # Errors
    /// When there is no binary to start.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.wanted = true;
        if self.child.is_some() {
            return Ok(());
        }
        let mut command = Command::new(binary()?);
        command
            .arg("run")
            .args(&self.role.parts)
            .arg("--data-dir")
            .arg(&self.role.data_dir)
            .args(["--listen", &format!("127.0.0.1:{}", self.role.port)])
            .env("CORRENTEZA__MODELS__DIR", models()?)
            .stdout(self.said()?)
            .stderr(self.said()?);
        for (key, value) in &self.role.settings {
            command.env(format!("CORRENTEZA__{key}"), value);
        }
        command.envs(self.armed.take().map(|point| (VARIABLE, point)));
        if self.clock_ahead_ms != 0 {
            command.env(CLOCK, self.clock_ahead_ms.to_string());
        }
        self.child = Some(command.spawn()?);
        Ok(())
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Ends it as a crash does, if it runs; nobody starts it again.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.wanted = false;
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// Sends it a signal; after [`Signal::Term`] nobody starts it again.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        let pid = self.pid().with_context(|| format!("{} does not run", self.role.name))?;
        let name = match signal {
            Signal::Term => "-TERM",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
        };
        self.wanted &= signal != Signal::Term;
        let told = Command::new("kill").arg(name).arg(pid.to_string()).status()?;
        ensure!(told.success(), "{name} could not be sent to {}", self.role.name);
        Ok(())
    }

    /// How it ended, if it has; to be asked after it was told to stop.
    ///
    /// # Errors
    /// When it was never started.
    pub fn ended(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        let child = self.child.as_mut().context("it was never started")?;
        let status = child.try_wait()?;
        if status.is_some() {
            self.child = None;
        }
        Ok(status)
    }

    /// Starts it again if it has ended by itself.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn look_after(&mut self) -> anyhow::Result<()> {
        let Some(child) = self.child.as_mut().filter(|_| self.wanted) else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            self.ended_by_itself.push(status);
            self.child = None;
            self.start()?;
        }
        Ok(())
    }

    /// Memory it holds, in kB.
    #[must_use]
    pub fn rss_kb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()?)).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
