//! A process that gets a share of a core and no more: a group of its own in the kernel's accounting
//! (cgroup v2 where it is mounted with the cpu controller, otherwise v1).
//!
//! Invariant: the process is in its group before it runs a single instruction of its own; a group that
//! was made is removed when its `Cap` is dropped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

/// What is needed where no group can be made.
const NEEDED: &str = "needed is a cgroup that may be written to: root; or on cgroup v2 a delegated one, \
                      as in `systemd-run --user --scope -p Delegate=yes COMMAND`; or \
                      `mount -t cgroup -o cpu cgroup /sys/fs/cgroup/cpu`";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// A group with a quota.
#[derive(Debug)]
pub struct Cap {
    dir: PathBuf,
}

impl Cap {
    /// A group called `name` that gets `quota_us` of every `period_us`.
    ///
    /// # Errors
    /// None can be made; with what was tried and what is needed.
    pub fn new(name: &str, quota_us: u64, period_us: u64) -> anyhow::Result<Self> {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let member = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut tried = Vec::new();
        for (version, base) in bases(&mounts, &member) {
            let cap = Self { dir: base.join(name) };
            match cap.set(version, &base, quota_us, period_us) {
                Ok(()) => return Ok(cap),
                Err(error) => tried.push(format!("{}: {error}", cap.dir.display())),
            }
        }
        let tried = if tried.is_empty() { "none is mounted".to_owned() } else { tried.join("; ") };
        bail!("no process can be capped ({tried}); {NEEDED}")
    }

    fn set(
        &self,
        version: Version,
        base: &Path,
        quota_us: u64,
        period_us: u64,
    ) -> std::io::Result<()> {
        std::fs::create_dir(&self.dir)?;
        let write = |file: &str, text: String| std::fs::write(self.dir.join(file), text);
        match version {
            Version::Two => {
                // Refused where it is so already by other hands; then cpu.max is there.
                let _ = std::fs::write(base.join("cgroup.subtree_control"), "+cpu");
                write("cpu.max", format!("{quota_us} {period_us}"))
            }
            Version::One => {
                write("cpu.cfs_period_us", period_us.to_string())?;
                write("cpu.cfs_quota_us", quota_us.to_string())
            }
        }
    }

    /// `command`, begun within the group.
    pub fn around(&self, command: &Command) -> Command {
        let mut within = Command::new("sh");
        within.args(["-c", "echo $$ > \"$0\" && exec \"$@\""]);
        within.arg(self.dir.join("cgroup.procs"));
        within.arg(command.get_program()).args(command.get_args());
        let set = command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        within.envs(set);
        within
    }

    /// What the kernel tells of the group: periods, how many of them it was throttled in, and more.
    pub fn told(&self) -> BTreeMap<String, u64> {
        let text = std::fs::read_to_string(self.dir.join("cpu.stat")).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        pairs.filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect()
    }
}

impl Drop for Cap {
    /// Only an empty group can be removed; its process has ended before.
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// Where a group may be made, the best first: within our own, then at the top of what is mounted.
fn bases(mounts: &str, member: &str) -> Vec<(Version, PathBuf)> {
    let mut found = Vec::new();
    for version in [Version::Two, Version::One] {
        let Some(top) = mounts.lines().find_map(|line| mounted(line, version)) else { continue };
        let own = member.lines().find_map(|line| ours(line, version)).unwrap_or_default();
        let own = top.join(own.trim_start_matches('/'));
        if own != top {
            found.push((version, own));
        }
        found.push((version, top));
    }
    found
}

/// The mount point, where a line of mountinfo is of that version and may limit CPU time.
fn mounted(line: &str, version: Version) -> Option<PathBuf> {
    let (place, kind) = line.split_once(" - ")?;
    let top = PathBuf::from(place.split_whitespace().nth(4)?);
    let mut kind = kind.split_whitespace();
    let (name, options) = (kind.next()?, kind.nth(1)?);
    let limits = match version {
        Version::Two => name == "cgroup2",
        Version::One => name == "cgroup" && options.split(',').any(|option| option == "cpu"),
    };
    limits.then_some(top)
}

/// The group we are in, where a line of /proc/self/cgroup is of that version.
fn ours(line: &str, version: Version) -> Option<&str> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
    let fits = match version {
        Version::Two => controllers.is_empty(),
        Version::One => controllers.split(',').any(|controller| controller == "cpu"),
    };
    fits.then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_sought_where_cpu_time_can_be_limited() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n\
                      31 24 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n\
                      32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n";
        let member = "3:cpuset:/x\n2:cpu,cpuacct:/service\n0::/\n";
        let found = bases(mounts, member);
        let expected = [
            (Version::Two, "/sys/fs/cgroup/unified"),
            (Version::One, "/sys/fs/cgroup/cpu,cpuacct/service"),
            (Version::One, "/sys/fs/cgroup/cpu,cpuacct"),
        ];
        assert_eq!(found, expected.map(|(version, path)| (version, PathBuf::from(path))));
        assert!(bases("31 24 0:27 / /c rw - cgroup cgroup rw,cpuset\n", member).is_empty());
    }

    #[test]
    fn a_process_begins_in_its_group_with_its_arguments() {
        let dir = tempfile::tempdir().unwrap();
        let cap = Cap { dir: dir.path().to_owned() };
        let mut asked = Command::new("sh");
        asked.args(["-c", "echo \"$$ $1 $GIVEN\"", "-", "a b"]).env("GIVEN", "c");
        let output = cap.around(&asked).output().unwrap();
        let pid = std::fs::read_to_string(dir.path().join("cgroup.procs")).unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.trim(), format!("{} a b c", pid.trim()));
    }
}
