//! The broker and the database: started by the project's scripts, or somebody else's.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;
use tests::server::root;

/// A server. One of ours is ended when dropped.
pub struct Server {
    scripts: PathBuf,
    work: Option<PathBuf>,
    /// host:port.
    pub address: String,
}

impl Server {
    /// The one at `given`, or one of our own called `name` with its data in `work`.
    ///
    /// # Errors
    /// Its script fails.
    pub fn of(name: &str, given: Option<&str>, work: &Path) -> anyhow::Result<Self> {
        let scripts = root().join("tests/services").join(name);
        if let Some(address) = given {
            return Ok(Self { scripts, work: None, address: address.to_owned() });
        }
        std::fs::create_dir_all(work)?;
        let started = Command::new(scripts.join("start.sh"))
            .arg(work)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(started.status.success(), "{name} did not start");
        let address = String::from_utf8_lossy(&started.stdout).trim().to_owned();
        Ok(Self { scripts, work: Some(work.to_owned()), address })
    }

    /// Its process, if it is ours.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        let pid = std::fs::read_to_string(self.work.as_ref()?.join("pid")).ok()?;
        pid.trim().parse().ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(work) = &self.work {
            let _ = Command::new(self.scripts.join("stop.sh")).arg(work).status();
        }
    }
}
