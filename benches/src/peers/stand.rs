//! Where runs take place: a broker, a model and what customers write; and workers at work there.
//!
//! Invariant: every run has topics of its own, so that nothing of one is read in another.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use pipeline::Log;
use pipeline::log::kafka::KafkaLog;
use schemas::topics::{Retention, TopicSpec};

use crate::pace::due_at;
use crate::peers::feed::Feed;
use crate::peers::model::{self, Text};
use crate::peers::peer::Peer;
use crate::peers::reader::{Checks, Reader};
use crate::peers::run::READY;
use crate::peers::times::Times;
use crate::peers::{ours, part, records};
use crate::process::Process;
use crate::servers::Server;
use crate::usage::{self, Pids};

/// What all runs share.
pub struct Stand {
    /// The broker.
    pub kafka: Server,
    /// Where the model and what processes say are.
    pub work: PathBuf,
    /// What customers write.
    pub texts: Arc<Vec<Text>>,
    /// How many customers there are.
    pub customers: u64,
}

impl Stand {
    /// Trains the model and starts a broker, unless there is one at `kafka`; all in `work`.
    ///
    /// # Errors
    /// One of them fails.
    pub fn set_up(work: &Path, kafka: Option<&str>, customers: u64) -> anyhow::Result<Self> {
        eprintln!("training the model");
        part::trained(&work.join("model"))?;
        let texts = Arc::new(model::texts(&work.join("model"))?);
        eprintln!("starting the broker");
        let kafka = Server::of("kafka", kafka, &work.join("kafka"))?;
        Ok(Self { kafka, work: work.to_owned(), texts, customers })
    }

    /// Makes the topics of a run of `peer`; gives their prefix and what writes to them.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn topics(&self, peer: Peer) -> anyhow::Result<(String, Arc<Feed>)> {
        let prefix = format!("{}-{}-", peer.name().replace('_', "-"), unique());
        let log = KafkaLog::open(ours::options(&self.kafka.address, &prefix))?;
        let mut topics = records::topics();
        topics.push(TopicSpec {
            topic: ours::STATE,
            record: "",
            retention: Retention::Compacted,
            public: false,
        });
        log.ensure(&topics).await?;
        let (texts, customers) = (Arc::clone(&self.texts), self.customers);
        Ok((prefix, Arc::new(Feed { log: Arc::new(log), texts, customers })))
    }

    /// Starts reading what comes out of messages `0..total`; nobody works yet.
    ///
    /// # Errors
    /// The broker refuses.
    pub async fn begin(
        &self,
        feed: Arc<Feed>,
        total: u64,
        checks: Checks,
    ) -> anyhow::Result<Running> {
        let reader = Reader::start(Arc::clone(&feed), total, checks).await?;
        let broker = self.kafka.pid();
        Ok(Running { workers: Vec::new(), broker, feed, reader, started: Instant::now() })
    }

    /// Starts `peer` on the topics of `prefix`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(&self, peer: Peer, prefix: &str) -> anyhow::Result<Process> {
        let mut command = peer.command(&self.kafka.address, prefix, &self.work)?;
        Process::start(&peer.name(), &mut command, self.work.join(format!("{}.log", peer.name())))
    }
}

/// Workers at work on topics of their own.
pub struct Running {
    /// Who works.
    pub workers: Vec<Process>,
    /// What goes in.
    pub feed: Arc<Feed>,
    /// What comes out.
    pub reader: Reader,
    /// When it began.
    pub started: Instant,
    broker: Option<u32>,
}

impl Running {
    /// Waits until `count` messages are done; refuses when a worker ends, and gives up when nothing
    /// comes out for `patience`.
    ///
    /// # Errors
    /// A worker or the reader has ended.
    pub async fn until(&mut self, count: u64, patience: Duration) -> anyhow::Result<bool> {
        loop {
            if *self.reader.done.borrow_and_update() >= count {
                return Ok(true);
            }
            match tokio::time::timeout(patience, self.reader.done.changed()).await {
                Ok(changed) => changed.context("the reader ended")?,
                Err(_) => return self.all_run().map(|()| false),
            }
        }
    }

    /// Refuses when a worker has ended by itself.
    ///
    /// # Errors
    /// One has; with what it said last.
    pub fn all_run(&mut self) -> anyhow::Result<()> {
        self.workers.iter_mut().try_for_each(Process::runs)
    }

    /// How many messages are done by now.
    #[must_use]
    pub fn done(&self) -> u64 {
        *self.reader.done.borrow()
    }

    /// Its processes; several workers by number.
    #[must_use]
    pub fn pids(&self) -> Pids {
        let alone = self.workers.len() == 1;
        let name = |at: usize| if alone { "app".to_owned() } else { format!("app_{}", at + 1) };
        let workers = self.workers.iter().enumerate().map(|(at, one)| (name(at), one.pid()));
        workers.chain(self.broker.map(|pid| ("broker".to_owned(), pid))).collect()
    }

    /// CPU time of all workers and of the broker by now, in seconds.
    #[must_use]
    pub fn cpu(&self) -> [f64; 2] {
        let mut used = usage::cpu_seconds(&self.pids());
        let broker = used.remove("broker").unwrap_or(f64::NAN);
        [if used.is_empty() { f64::NAN } else { used.values().sum() }, broker]
    }

    /// When the messages behind [`READY`] were due, at `rate` from `began` on, and done.
    #[must_use]
    pub fn times(&self, began: Instant, rate: f64) -> Times {
        let first = usize::try_from(READY).unwrap_or(usize::MAX);
        let done = self.reader.outcome.lock().all_done();
        let done = done.into_iter().skip(first);
        let done = done.map(|done| done.map(|done| done.saturating_duration_since(began)));
        Times((0..).map(|n| due_at(n, rate)).zip(done).collect())
    }

    /// Ends all workers.
    ///
    /// # Errors
    /// One does not stop.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.workers.drain(..).try_for_each(Process::stop)
    }
}

/// Tells the topics of a run from every other's.
fn unique() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("{:x}", since.unwrap_or_default().as_millis())
}
