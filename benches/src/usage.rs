//! What processes use, as the kernel accounts for it.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

/// Ticks of `/proc/<pid>/stat` in a second.
const TICKS_A_SECOND: f64 = 100.0;

/// Processes by what we call them.
pub type Pids = BTreeMap<String, u32>;

/// CPU time of each process by now, in seconds.
#[must_use]
pub fn cpu_seconds(pids: &Pids) -> BTreeMap<String, f64> {
    pids.iter().filter_map(|(name, pid)| Some((name.clone(), cpu_of(*pid)?))).collect()
}

fn cpu_of(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit(')').next()?.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS_A_SECOND)
}

/// What this process uses from here on.
#[derive(Debug, Clone, Copy)]
pub struct Own {
    cpu_s: f64,
    since: Instant,
}

impl Own {
    /// From now on.
    #[must_use]
    pub fn begin() -> Self {
        Self { cpu_s: cpu_of(std::process::id()).unwrap_or(f64::NAN), since: Instant::now() }
    }

    /// CPU time of all threads, also of those that have ended, and time, in seconds. The kernel tells
    /// CPU time in hundredths of a second.
    #[must_use]
    pub fn used(&self) -> (f64, f64) {
        let cpu_s = cpu_of(std::process::id()).unwrap_or(f64::NAN);
        (cpu_s - self.cpu_s, self.since.elapsed().as_secs_f64())
    }
}

/// Resident memory of this process, in MiB.
#[must_use]
pub fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    #[allow(clippy::cast_precision_loss)] // less than a machine has
    kib_of(&status, "VmRSS:").map_or(f64::NAN, |kib| kib as f64 / 1024.0)
}

/// A line of `/proc/<pid>/status`, in KiB.
fn kib_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Memory of each process, in MiB: now, and the most there ever was.
#[must_use]
pub fn memory_mib(pids: &Pids) -> Value {
    let of = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let mib = |name: &str| kib_of(&status, name).map(|kib| kib / 1024);
        Some(json!({ "now": mib("VmRSS:")?, "most": mib("VmHWM:")? }))
    };
    pids.iter().filter_map(|(name, pid)| Some((name.clone(), of(*pid)?))).collect()
}

/// The load average of the last minute.
#[must_use]
pub fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN)
}
