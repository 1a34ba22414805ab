//! An installation on Kafka and CQL: its processes, who looks after them, and what they tell.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use parking_lot::Mutex;

use super::process::{Process, Role, Signal};
use crate::api::Api;
use crate::server::{binary, impatient_policy};

/// How long processes may take until all of them are at work.
const WORKING_WITHIN: Duration = Duration::from_secs(120);
/// How often the supervisor looks, and how often we look at something that is to become so.
const SUPERVISED_EVERY: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(100);
/// A message decided within this finds everything warm.
const WARM: Duration = Duration::from_millis(500);
/// Into how many partitions topics are divided: the default.
pub const PARTITIONS: u64 = 12;

/// The processes of every installation here, and what they run.
pub const ROLES: [(&str, &[&str]); 4] = [
    ("doors", &["doors"]),
    (STAGES, &["turns", "classify", "router", "plan", "metrics"]),
    ("effects", &["act", "deliver"]),
    ("store", &["store"]),
];
/// The process of the stages.
pub const STAGES: &str = "stages";
/// Parts that hold partitions.
const HOLDERS: [&str; 11] = [
    "turns",
    "classify",
    "router",
    "plan",
    "metrics",
    "act",
    "deliver",
    "store-accepted",
    "store-history",
    "store-metrics",
    "store-customers",
];

/// What an installation is made of.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Where its processes have their directories.
    pub root: PathBuf,
    /// Tells its topics and tables from those of others: lower-case letters and digits.
    pub tag: String,
    /// host:port of the broker.
    pub kafka: String,
    /// host:port of the CQL server.
    pub cql: String,
    /// Settings of all processes, by the name they have in the environment without `CORRENTEZA__`.
    pub settings: Vec<(String, String)>,
}

/// A running installation. Dropped, its processes are killed.
pub struct Installation {
    pub(super) layout: Layout,
    settings: Mutex<Vec<(String, String)>>,
    pub(super) processes: Arc<Mutex<BTreeMap<String, Process>>>,
    supervising: tokio::task::JoinHandle<()>,
    /// Where the doors are.
    pub url: String,
}

impl Installation {
    /// Makes keys, topics and tables, starts the processes, and waits until all are at work.
    ///
    /// # Errors
    /// When something does not come up; with what it said.
    pub async fn start(layout: Layout) -> anyhow::Result<Self> {
        let own = [
            ("KAFKA__BOOTSTRAP", layout.kafka.clone()),
            ("KAFKA__PREFIX", format!("{}-", layout.tag)),
            ("SCYLLA__CONTACT_POINTS", layout.cql.clone()),
            ("SCYLLA__KEYSPACE", layout.tag.clone()),
            ("GROUPING__WINDOW_MS", "300".to_owned()),
            ("GROUPING__AGE_MS_MAX", "1000".to_owned()),
            ("CRM__LATENCY_MS_P50", "10".to_owned()),
            ("CRM__ERRORS_PER_MILLE", "0".to_owned()),
        ];
        let mut settings: Vec<(String, String)> =
            own.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        settings.extend(layout.settings.iter().cloned());
        let policy = impatient_policy(&layout.root)?;
        settings.push(("ROUTER__POLICY_FILE".to_owned(), policy.display().to_string()));
        let keys = ["keys", "make", "--data-dir"].map(str::to_owned).into_iter();
        once(&settings, keys.chain([layout.root.display().to_string()]))?;
        once(&settings, ["topics", "apply"].map(str::to_owned))?;
        once(&settings, ["store", "migrate"].map(str::to_owned))?;
        let processes: Arc<Mutex<BTreeMap<String, Process>>> = Arc::default();
        let watched = Arc::clone(&processes);
        let supervising = tokio::spawn(async move {
            loop {
                for process in watched.lock().values_mut() {
                    // One that cannot be started shows as work that is never done.
                    let _ = process.look_after();
                }
                tokio::time::sleep(SUPERVISED_EVERY).await;
            }
        });
        let (settings, url) = (Mutex::new(settings), String::new());
        let mut installation = Self { layout, settings, processes, supervising, url };
        for (name, parts) in ROLES {
            installation.add(name, parts)?;
        }
        let port = installation.port("doors")?;
        installation.url = format!("http://127.0.0.1:{port}");
        installation.at_work().await?;
        installation.warm().await?;
        Ok(installation)
    }

    /// Writes until a message is decided at once: what is slow only at first is not under test.
    async fn warm(&self) -> anyhow::Result<()> {
        let until = Instant::now() + WORKING_WITHIN;
        let api = Api::new(&self.url);
        for n in 0.. {
            let asked = Instant::now();
            let decided = api.decide(&format!("W{n}"), "oi").await.is_ok();
            if decided && asked.elapsed() < WARM || Instant::now() > until {
                break;
            }
        }
        Ok(())
    }

    /// Adds a process and starts it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn add(&self, name: &str, parts: &[&'static str]) -> anyhow::Result<()> {
        let data_dir = self.layout.root.join(name);
        std::fs::create_dir_all(&data_dir)?;
        // Copied with its mode: keys that others may read are refused.
        std::fs::copy(self.layout.root.join("keys.toml"), data_dir.join("keys.toml"))?;
        let role = Role {
            name: name.to_owned(),
            parts: parts.to_vec(),
            data_dir,
            port: free_port()?,
            settings: self.settings.lock().clone(),
        };
        let mut process = Process::new(role);
        process.start()?;
        self.processes.lock().insert(name.to_owned(), process);
        Ok(())
    }

    /// Sets a setting of every process, from its next start on.
    pub fn set(&self, key: &str, value: &str) {
        let set = (key.to_owned(), value.to_owned());
        for process in self.processes.lock().values_mut() {
            process.role.settings.push(set.clone());
        }
        self.settings.lock().push(set);
    }

    /// Runs the binary beside the processes, in the directory of one of them, to its end.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub async fn run(&self, name: &str, args: &[&str]) -> anyhow::Result<()> {
        let data_dir = self.layout.root.join(name).display().to_string();
        let args = args.iter().copied().chain(["--data-dir", &data_dir]).map(str::to_owned);
        let (settings, args): (_, Vec<String>) = (self.settings.lock().clone(), args.collect());
        tokio::task::spawn_blocking(move || once(&settings, args)).await?
    }

    /// Kills a process and forgets it; what it said stays on disk.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn remove(&self, name: &str) -> anyhow::Result<()> {
        self.processes.lock().remove(name).map_or(Ok(()), |mut process| process.kill())
    }

    /// Everybody who belongs here runs, and nobody else: whatever a fault left behind that did not
    /// end.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn reset(&self) -> anyhow::Result<()> {
        let mut processes = self.processes.lock();
        processes.retain(|name, _| ROLES.iter().any(|(role, _)| role == name));
        for process in processes.values_mut() {
            process.start()?;
            process.signal(Signal::Continue)?;
        }
        Ok(())
    }

    /// Started next, the process ends at this failpoint; started again after that, it does not.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn arm(&self, name: &str, point: &str) -> anyhow::Result<()> {
        self.with(name, |process| {
            process.armed = Some(point.to_owned());
            Ok(())
        })
    }

    /// From its next start on the process called `name` reads a clock that is ahead by so much, or behind.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn set_clock(&self, name: &str, ahead_ms: i64) -> anyhow::Result<()> {
        self.with(name, |process| {
            process.clock_ahead_ms = ahead_ms;
            Ok(())
        })
    }

    /// How a process ended each time nobody had asked for that.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn deaths(&self, name: &str) -> anyhow::Result<Vec<ExitStatus>> {
        self.with(name, |process| Ok(process.ended_by_itself.clone()))
    }

    /// Asks all of `names` to stop, then waits for each as [`Self::stop`] does.
    ///
    /// # Errors
    /// When one does not run.
    pub async fn stop_all(&self, names: &[&str], within: Duration) -> anyhow::Result<()> {
        for name in names {
            self.signal(name, Signal::Term)?;
        }
        for name in names {
            self.stopped(name, within).await?;
        }
        Ok(())
    }

    fn with<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Process) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let mut processes = self.processes.lock();
        act(processes.get_mut(name).with_context(|| format!("there is no process {name}"))?)
    }

    pub(super) fn port(&self, name: &str) -> anyhow::Result<u16> {
        self.with(name, |process| Ok(process.role.port))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn kill(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, Process::kill)
    }

    /// Starts one that was ended.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn restart(&self, name: &str) -> anyhow::Result<()> {
        self.with(name, Process::start)
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When it does not run.
    pub fn signal(&self, name: &str, signal: Signal) -> anyhow::Result<()> {
        self.with(name, |process| process.signal(signal))
    }

    /// Asks one to stop; gives how long it took and whether it ended well. Killed when it takes
    /// longer than `within`.
    ///
    /// # Errors
    /// When it does not run.
    pub async fn stop(&self, name: &str, within: Duration) -> anyhow::Result<(Duration, bool)> {
        self.signal(name, Signal::Term)?;
        self.stopped(name, within).await
    }

    async fn stopped(&self, name: &str, within: Duration) -> anyhow::Result<(Duration, bool)> {
        let told = Instant::now();
        while told.elapsed() < within {
            if let Some(status) = self.with(name, Process::ended)? {
                return Ok((told.elapsed(), status.success()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.kill(name)?;
        Ok((told.elapsed(), false))
    }

    /// Waits until every process is ready and every partition of every part is held once.
    ///
    /// # Errors
    /// When that does not come to be; with who holds what.
    pub async fn at_work(&self) -> anyhow::Result<()> {
        let until = Instant::now() + WORKING_WITHIN;
        loop {
            let held = self.held().await;
            let all = HOLDERS.iter().all(|part| held.get(*part).is_some_and(all_held));
            if all && Api::new(&self.url).get("/readyz").await.is_ok_and(|told| told.status == 200)
            {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "not all partitions are at work: {held:?}; {}",
                self.last_words()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    fn last_words(&self) -> String {
        let processes = self.processes.lock();
        let words = processes.values().map(|process| {
            let said = std::fs::read_to_string(process.log()).unwrap_or_default();
            let last: Vec<&str> = said.lines().rev().take(8).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            format!("{} said last:\n{}", process.role.name, last.join("\n"))
        });
        words.collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.supervising.abort();
        // The supervisor may hold them a moment longer.
        for process in self.processes.lock().values_mut() {
            let _ = process.kill();
        }
    }
}

#[allow(clippy::ptr_arg)] // the shape is_some_and wants
fn all_held(partitions: &Vec<u64>) -> bool {
    partitions.iter().sum::<u64>() == PARTITIONS
}

fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Runs the binary to its end.
fn once(
    settings: &[(String, String)],
    args: impl IntoIterator<Item = String>,
) -> anyhow::Result<()> {
    let args: Vec<String> = args.into_iter().collect();
    let mut command = Command::new(binary()?);
    command.args(&args);
    for (key, value) in settings {
        command.env(format!("CORRENTEZA__{key}"), value);
    }
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "correnteza {} failed: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
