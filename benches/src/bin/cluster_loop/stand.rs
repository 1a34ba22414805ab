//! Installations and their processes: prepared once for a layout, started anew for every run.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use tests::api::Api;
use tests::server::{binary, models};

use crate::generator::{Generator, Load};
use crate::stored::Notes;
use benches::process::Process;
use benches::servers::Server;
use benches::usage::Pids;

/// How long everything may take to work.
const WORKING_WITHIN: Duration = Duration::from_secs(120);
/// What is sent before anything counts, so that every partition has been through everything.
const WARM_RATE: f64 = 100.0;
const WARM_MESSAGES: u64 = 500;
const LOOK: Duration = Duration::from_millis(20);

/// Whose stages run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stages {
    /// The product's.
    Ours,
    /// Null stages.
    Null,
}

/// How they run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Layout {
    /// Each by itself.
    Separate,
    /// One chain.
    Chained,
}

/// When their outputs become visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Delivery {
    /// At once.
    AtOnce,
    /// With the commit that covers them.
    Transactional,
}

/// What the command line calls it.
pub fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Configuration {
    /// Whose stages run.
    pub stages: Stages,
    /// How they run.
    pub layout: Layout,
    /// When their outputs become visible.
    pub delivery: Delivery,
}

/// Where everything is.
pub struct Stand {
    /// The broker.
    pub kafka: Server,
    /// The database.
    pub cql: Server,
    root: PathBuf,
    /// Tells this run's topics and tables from any other's.
    tag: String,
}

impl Stand {
    /// On these servers, with the processes' directories in `root`.
    pub fn new(kafka: Server, cql: Server, root: &Path) -> Self {
        let tag = format!("b{}", std::process::id());
        Self { kafka, cql, root: root.to_owned(), tag }
    }

    fn tag(&self, configuration: Configuration) -> String {
        let Configuration { stages, layout, .. } = configuration;
        format!("{}{}{}", self.tag, word(&stages), word(&layout))
    }

    fn settings(&self, configuration: Configuration) -> Vec<(&'static str, String)> {
        let tag = self.tag(configuration);
        vec![
            ("KAFKA__BOOTSTRAP", self.kafka.address.clone()),
            ("KAFKA__PREFIX", crate::wiring::prefix(&tag)),
            ("KAFKA__DELIVERY", word(&configuration.delivery)),
            ("SCYLLA__CONTACT_POINTS", self.cql.address.clone()),
            ("SCYLLA__KEYSPACE", tag),
            ("LINE__LAYOUT", word(&configuration.layout)),
            // As it is shipped (grouping does not matter to a caller that waits), but for the demo
            // CRM, which answers at once: its made-up 80 ms would be all there is to see.
            ("CRM__LATENCY_MS_P50", "0".to_owned()),
            ("CRM__ERRORS_PER_MILLE", "0".to_owned()),
            // What is late is measured, not cut off.
            ("DOOR__WAIT_MS", "30000".to_owned()),
        ]
    }

    fn correnteza(&self, configuration: Configuration) -> anyhow::Result<Command> {
        let mut command = Command::new(binary()?);
        for (key, value) in self.settings(configuration) {
            command.env(format!("CORRENTEZA__{key}"), value);
        }
        command.env("CORRENTEZA__MODELS__DIR", models()?);
        Ok(command)
    }

    /// Makes keys, topics and tables, once for stages and layout.
    pub fn prepare(&self, configuration: Configuration) -> anyhow::Result<PathBuf> {
        let dir = self.root.join(self.tag(configuration));
        if dir.exists() {
            return Ok(dir);
        }
        std::fs::create_dir_all(&dir)?;
        let keys = dir.display().to_string();
        let steps: [&[&str]; 3] =
            [&["keys", "make", "--data-dir", &keys], &["topics", "apply"], &["store", "migrate"]];
        for step in steps {
            let done = self.correnteza(configuration)?.args(step).output()?;
            let said = String::from_utf8_lossy(&done.stderr);
            ensure!(done.status.success(), "correnteza {} failed: {said}", step.join(" "));
        }
        Ok(dir)
    }

    /// Starts the processes and waits until a message goes through all of them at once.
    pub async fn start(&self, configuration: Configuration) -> anyhow::Result<Running> {
        let dir = self.prepare(configuration)?;
        let began = Instant::now();
        let mut running = Running {
            processes: Vec::new(),
            url: String::new(),
            metrics_url: None,
            notes: dir.join("notes"),
            first_output: Duration::ZERO,
            tag: self.tag(configuration),
        };
        let doors = self.part(&mut running, configuration, ("doors", &["doors"]))?;
        running.url = doors;
        match configuration.stages {
            Stages::Ours => {
                let parts = ["turns", "classify", "router", "plan"];
                let url = self.part(&mut running, configuration, ("line", &parts))?;
                running.metrics_url = Some(url);
            }
            Stages::Null => self.null(&mut running, configuration)?,
        }
        self.part(&mut running, configuration, ("beside", &["metrics", "act", "deliver"]))?;
        self.store(&mut running)?;
        running.warm(began).await?;
        Ok(running)
    }

    /// A process of the product; gives its address.
    fn part(
        &self,
        running: &mut Running,
        configuration: Configuration,
        (name, parts): (&str, &[&str]),
    ) -> anyhow::Result<String> {
        let prepared = self.prepare(configuration)?;
        let data_dir = prepared.join(name);
        std::fs::create_dir_all(&data_dir)?;
        // Copied with its mode: keys that others may read are refused.
        std::fs::copy(prepared.join("keys.toml"), data_dir.join("keys.toml"))?;
        let address = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = self.correnteza(configuration)?;
        command.arg("run").args(parts).args(["--listen", &address]);
        command.arg("--data-dir").arg(&data_dir);
        let said = data_dir.join("said.log");
        running.processes.push(Process::start(name, &mut command, said)?);
        Ok(format!("http://{address}"))
    }

    fn null(&self, running: &mut Running, configuration: Configuration) -> anyhow::Result<()> {
        let dir = self.root.join(&running.tag);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["null", "--kafka", &self.kafka.address, "--tag", &running.tag]);
        command.args(["--layout", &word(&configuration.layout)]);
        command.args(["--delivery", &word(&configuration.delivery)]);
        command.arg("--states").arg(dir.join("null-states"));
        running.processes.push(Process::start("line", &mut command, dir.join("line.log"))?);
        Ok(())
    }

    fn store(&self, running: &mut Running) -> anyhow::Result<()> {
        let dir = self.root.join(&running.tag);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["store", "--kafka", &self.kafka.address, "--cql", &self.cql.address]);
        command.args(["--tag", &running.tag]).arg("--notes").arg(&running.notes);
        running.processes.push(Process::start("store", &mut command, dir.join("store.log"))?);
        Ok(())
    }
}

/// The processes of one configuration at work.
pub struct Running {
    processes: Vec<Process>,
    /// Where the doors are.
    pub url: String,
    /// Where the product's stages tell their figures.
    pub metrics_url: Option<String>,
    /// What the store's process notes.
    pub notes: PathBuf,
    /// From the start of the processes to the first decision in hand.
    pub first_output: Duration,
    /// Names its topics and tables.
    pub tag: String,
}

impl Running {
    /// Our processes.
    pub fn pids(&self) -> Pids {
        self.processes.iter().map(|process| (process.name.clone(), process.pid())).collect()
    }

    async fn warm(&mut self, began: Instant) -> anyhow::Result<()> {
        let until = began + WORKING_WITHIN;
        let api = Api::new(&self.url);
        while api.get("/readyz").await.map_or(0, |answer| answer.status) != 200 {
            self.look(until)?;
            tokio::time::sleep(LOOK).await;
        }
        while api.decide("first", "oi, bom dia").await.is_err() {
            self.look(until)?;
        }
        self.first_output = began.elapsed();
        let generator = Arc::new(Generator::new(&self.url)?);
        let mut notes = Notes::from_now(self.notes.clone());
        let run = format!("warm-{}", crate::generator::now_us());
        let load = Load { rate: WARM_RATE, count: WARM_MESSAGES, customers: u64::MAX, run };
        let shots = generator.run(&load).await?;
        ensure!(shots.iter().all(|shot| shot.message.is_some()), "the warm-up was refused");
        // A line of each message, and one of its decision.
        let mut missing = 2 * shots.len();
        while missing > 0 {
            missing = missing.saturating_sub(notes.added()?.len());
            self.look(until)?;
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Refuses when one of them has ended, or it is later than `until`.
    fn look(&mut self, until: Instant) -> anyhow::Result<()> {
        self.processes.iter_mut().try_for_each(Process::runs)?;
        ensure!(Instant::now() < until, "not at work in time; see {}", self.notes.display());
        Ok(())
    }

    /// The product's figures, if its stages run.
    pub async fn figures(&self) -> anyhow::Result<Option<String>> {
        let Some(url) = &self.metrics_url else { return Ok(None) };
        let told = Api::new(url).get("/metrics").await.context("the stages tell no figures")?;
        Ok(Some(told.text))
    }

    /// Stops all of them, doors first.
    pub fn stop(self) -> anyhow::Result<()> {
        self.processes.into_iter().try_for_each(Process::stop)
    }
}
