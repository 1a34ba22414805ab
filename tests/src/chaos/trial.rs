//! A server of one machine under load, with an outside channel, whatever happens to it; in the end it
//! is judged.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::channel::Channel;
use super::customers::{Customers, Load};
use super::gather::gather;
use super::judge::{Violation, judge};
use super::kill9::{answered, at_rest};
use super::planted;
use crate::server::{Options, Server};

/// A server on trial.
pub struct Trial {
    data_dir: PathBuf,
    channel: Channel,
    customers: Customers,
    server: Option<Server>,
    url: String,
    ready: Vec<Duration>,
    ends: u32,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// How often the server was ended, or ended by itself.
    pub ends: u32,
    /// Messages acknowledged.
    pub acknowledged: usize,
    /// Messages the machine answered, by the histories.
    pub answered: usize,
    /// Replies the channel was sent.
    pub sent: usize,
    /// The latest a message was begun after its time.
    pub late_max: Duration,
    /// Time from start to ready, sorted.
    pub ready: Vec<Duration>,
    /// Time from the end of the traffic to everything decided and answered.
    pub rest: Duration,
    /// Planted faults, and those the judge missed.
    pub planted: (usize, Vec<&'static str>),
    /// Kinds of violation found after a loss, a duplicate and a swap were planted in the store.
    pub planted_in_store: Vec<Violation>,
    /// What may not be.
    pub violations: Vec<Violation>,
}

impl Trial {
    /// Starts a server with `options` and customers who write to it.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(options: Options, load: Load) -> anyhow::Result<Self> {
        let channel = Channel::open().await?;
        let data_dir = options.data_dir.clone();
        let options = options.with("DELIVER__CALLBACK_URL", &channel.url);
        let server = Server::start(options).await?;
        let url = server.url();
        let customers = Customers::start(&url, load)?;
        let (ready, ends) = (Vec::new(), 0);
        Ok(Self { data_dir, channel, customers, server: Some(server), url, ready, ends })
    }

    /// Where its doors are, also after a restart.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The server.
    ///
    /// # Errors
    /// When there is none at present.
    pub fn server(&mut self) -> anyhow::Result<&mut Server> {
        self.server.as_mut().context("the server is down")
    }

    /// Ends it as a crash does, also when it has ended already; gives how to start it again.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill(&mut self) -> anyhow::Result<Options> {
        self.ends += 1;
        self.server.take().context("the server is down")?.kill()
    }

    /// Asks it to stop; gives how to start it again.
    ///
    /// # Errors
    /// When it does not stop well.
    pub async fn stop(&mut self) -> anyhow::Result<Options> {
        self.ends += 1;
        Ok(self.server.take().context("the server is down")?.stop().await?.1)
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn again(&mut self, options: Options) -> anyhow::Result<()> {
        let started = Instant::now();
        self.server = Some(Server::start(options).await?);
        self.ready.push(started.elapsed());
        Ok(())
    }

    /// Starts it and waits for nothing.
    ///
    /// # Errors
    /// When there is no binary to start.
    pub fn spawn(&mut self, options: Options) -> anyhow::Result<()> {
        self.server = Some(Server::spawn(options)?);
        Ok(())
    }

    /// The customers stop; what is left is judged, and so is the judge.
    ///
    /// # Errors
    /// When the server does not answer, or a message was never acknowledged.
    pub async fn judged(mut self) -> anyhow::Result<Report> {
        let (journal, pace) = self.customers.finish().await?;
        let ended = Instant::now();
        let server = self.server.take().context("the server is down")?;
        let facts = at_rest(&server.api(), &journal, || self.channel.sent_to(&journal)).await?;
        let rest = ended.elapsed();
        self.ready.sort_unstable();
        let (violations, planted) = (judge(&facts), planted::missed(&facts));
        let (_, again) = server.stop().await?;
        planted::plant_in_store(&self.data_dir, &facts)?;
        let server = Server::start(again).await?;
        let spoilt = gather(&server.api(), &journal, self.channel.sent_to(&journal)).await?;
        Ok(Report {
            ends: self.ends,
            acknowledged: journal.values().map(Vec::len).sum(),
            answered: answered(&facts),
            sent: facts.sent.len(),
            late_max: pace.late_max,
            ready: self.ready,
            rest,
            planted,
            planted_in_store: judge(&spoilt),
            violations,
        })
    }
}

impl Report {
    /// Whether everything is as it must be.
    ///
    /// # Errors
    /// What is not.
    pub fn sound(&self) -> anyhow::Result<()> {
        ensure!(self.planted.1.is_empty(), "the judge missed planted faults: {:?}", self.planted.1);
        let in_store = |is: fn(&Violation) -> bool| self.planted_in_store.iter().any(is);
        ensure!(
            in_store(|v| matches!(v, Violation::Lost(_)))
                && in_store(|v| matches!(v, Violation::Doubled(_)))
                && in_store(|v| matches!(v, Violation::Torn(_) | Violation::DecidedUnseen(_))),
            "faults planted in the store were not all seen: {:?}",
            self.planted_in_store
        );
        let few: Vec<_> = self.violations.iter().take(20).collect();
        ensure!(few.is_empty(), "{} violations, such as {few:?}", self.violations.len());
        ensure!(self.answered > 0 && self.sent > 0, "nothing was answered: the run shows nothing");
        Ok(())
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let at = |share: usize| {
            self.ready
                .get(self.ready.len().saturating_sub(1) * share / 100)
                .copied()
                .unwrap_or_default()
        };
        format!(
            "ended {} times, {} messages acknowledged, {} answered by the machine, {} replies at the channel\n\
             customers at most {:?} late; ready again after {:?} (p50), {:?} (max); at rest {:?} after the end\n\
             {} faults planted, {} missed; {} violations",
            self.ends,
            self.acknowledged,
            self.answered,
            self.sent,
            self.late_max,
            at(50),
            at(100),
            self.rest,
            self.planted.0,
            self.planted.1.len(),
            self.violations.len(),
        )
    }
}
