//! A process of ours: started with what it says going to a file, asked to stop, killed if it stays.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

/// How long a process may take to end when it is asked to.
const STOP_WITHIN: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);

/// A running process. Dropped, it is killed.
pub struct Process {
    /// What we call it.
    pub name: String,
    child: Child,
    said: PathBuf,
}

impl Process {
    /// Starts `command`; what it says goes to `said`.
    ///
    /// # Errors
    /// It cannot be started, or `said` cannot be written.
    pub fn start(name: &str, command: &mut Command, said: PathBuf) -> anyhow::Result<Self> {
        let file = File::options().create(true).append(true).open(&said)?;
        command.stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("{name} cannot be started"))?;
        Ok(Self { name: name.to_owned(), child, said })
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Refuses when it has ended by itself; with what it said last.
    ///
    /// # Errors
    /// It has ended.
    pub fn runs(&mut self) -> anyhow::Result<()> {
        let Some(status) = self.child.try_wait()? else { return Ok(()) };
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.len().saturating_sub(8);
        let last = lines.get(last..).unwrap_or_default().join("\n");
        bail!("{} ended with {status}; it said last:\n{last}", self.name)
    }

    /// Whether it has said `line` by now.
    #[must_use]
    pub fn has_said(&self, line: &str) -> bool {
        let said = std::fs::read_to_string(&self.said).unwrap_or_default();
        said.lines().any(|said| said == line)
    }

    /// Asks it to stop and waits until it has.
    ///
    /// # Errors
    /// It cannot be told, or does not stop within a minute.
    pub fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg("-TERM").arg(self.pid().to_string()).status()?;
        ensure!(told.success(), "{} could not be told to stop", self.name);
        let until = Instant::now() + STOP_WITHIN;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < until, "{} does not stop", self.name);
            std::thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
