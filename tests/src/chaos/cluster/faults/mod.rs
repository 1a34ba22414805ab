//! The faults there are, and how each is done to an installation under load.

mod brokers;
mod clock;
mod layout;
mod members;
mod outages;
mod points;
mod poison;
mod processes;
mod webhooks;

use std::time::{Duration, Instant};

use clap::ValueEnum;

pub(super) use self::webhooks::account;
use super::brokers::Brokers;
use super::installation::Installation;
use super::proxy::Proxy;
use super::registry::FakeRegistry;
use super::services::Service;
use crate::chaos::channel::Channel;
use crate::chaos::customers::{Journal, mix};

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// Processes are killed at random moments, one or two at once, and started again.
    Kill9,
    /// Processes are asked to stop, one after the other.
    Sigterm,
    /// The process of the stages stands still while another takes over, then goes on.
    Zombie,
    /// The broker is killed and started again at once.
    BrokerKill,
    /// The store is down.
    StoreDown,
    /// The store is well, and out of reach.
    StoreCut,
    /// The broker is down.
    BrokerDown,
    /// One broker of three is killed, and back after the outage.
    BrokerLoss,
    /// One broker of three is asked to stop, and comes back.
    LeaderMove,
    /// Requests no program should send.
    Poison,
    /// Stage processes join, four in all, and leave again.
    Members,
    /// A stage process joins and leaves every two seconds.
    Storm,
    /// The stages become one chain, and each its own again.
    Layout,
    /// A provider delivers each webhook several times, late and out of order, and processes die meanwhile.
    Webhooks,
    /// The channel refuses, fails, and takes replies without saying so.
    Channel,
    /// The store is slow, and loses answers.
    SlowStore,
    /// The schema registry is away, and processes begin meanwhile.
    RegistryDown,
    /// Clocks are hours wrong, not all of them at once, and right again.
    Clock,
    /// Every part of the line ends its process at every named point of its work.
    Failpoints,
}

impl Fault {
    /// All that can be done to so many brokers, with a schema registry or without, in the order they are
    /// tried.
    #[must_use]
    pub fn all(brokers: usize, registry: bool) -> Vec<Self> {
        let all = Self::value_variants().iter().copied();
        let can = |fault: &Self| {
            (brokers > 1 || !fault.needs_cluster()) && (registry || !fault.needs_registry())
        };
        all.filter(can).collect()
    }

    /// Whether it needs brokers that stand in for one another.
    #[must_use]
    pub fn needs_cluster(self) -> bool {
        matches!(self, Self::BrokerLoss | Self::LeaderMove)
    }

    /// Whether it needs a schema registry.
    #[must_use]
    pub fn needs_registry(self) -> bool {
        self == Self::RegistryDown
    }

    /// How often it is done when nobody says.
    #[must_use]
    pub fn rounds(self) -> u32 {
        match self {
            Self::Kill9 => 8,
            Self::BrokerKill => 3,
            Self::Poison => 2,
            _ => 1,
        }
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> String {
        let named = self.to_possible_value();
        named.map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// Whom it happens to.
pub(super) struct Scene<'a> {
    pub(super) installation: &'a Installation,
    pub(super) kafka: &'a Brokers,
    pub(super) cassandra: &'a Service,
    /// Between the processes and the store.
    pub(super) proxy: &'a Proxy,
    pub(super) channel: &'a Channel,
    pub(super) registry: Option<&'a FakeRegistry>,
    pub(super) rounds: u32,
    pub(super) seed: u64,
    /// How long an outage is.
    pub(super) outage: Duration,
}

impl Scene<'_> {
    /// A number of the seed's for one decision of one round.
    fn dice(&self, round: u32, what: u64) -> u64 {
        mix(mix(self.seed ^ (u64::from(round) << 32)).wrapping_add(what))
    }
}

/// What was done.
#[derive(Debug)]
pub(super) struct Struck {
    /// While something was surely down: no door may acknowledge what it cannot keep.
    pub(super) down: Vec<(Instant, Instant)>,
    /// While enough was there: doors have to go on acknowledging.
    pub(super) acknowledging: Vec<(Instant, Instant)>,
    pub(super) began: Instant,
    pub(super) ended: Instant,
    /// Promises of this fault that were broken.
    pub(super) broken: Vec<String>,
    pub(super) notes: Vec<String>,
    /// What was acknowledged by the way.
    pub(super) journal: Journal,
}

impl Struck {
    fn begins() -> Self {
        let now = Instant::now();
        Self {
            down: Vec::new(),
            acknowledging: Vec::new(),
            began: now,
            ended: now,
            broken: Vec::new(),
            notes: Vec::new(),
            journal: Journal::new(),
        }
    }

    fn ends(mut self) -> Self {
        self.ended = Instant::now();
        self
    }
}

/// Does it.
pub(super) async fn strike(fault: Fault, scene: &Scene<'_>) -> anyhow::Result<Struck> {
    match fault {
        Fault::Kill9 => processes::kill9(scene).await,
        Fault::Sigterm => processes::sigterm(scene).await,
        Fault::Zombie => processes::zombie(scene).await,
        Fault::BrokerKill => outages::broker_killed(scene).await,
        Fault::StoreDown => outages::store_down(scene).await,
        Fault::StoreCut => outages::store_cut(scene).await,
        Fault::BrokerDown => outages::broker_down(scene).await,
        Fault::BrokerLoss => brokers::lost(scene).await,
        Fault::LeaderMove => brokers::moved(scene).await,
        Fault::Poison => poison::poison(scene).await,
        Fault::Members => members::members(scene).await,
        Fault::Storm => members::storm(scene).await,
        Fault::Layout => layout::layout(scene).await,
        Fault::Webhooks => webhooks::webhooks(scene).await,
        Fault::Channel => outages::unkind_channel(scene).await,
        Fault::SlowStore => outages::slow_store(scene).await,
        Fault::RegistryDown => outages::registry_down(scene).await,
        Fault::Clock => clock::clock(scene).await,
        Fault::Failpoints => points::failpoints(scene).await,
    }
}
