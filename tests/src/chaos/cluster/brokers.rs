//! The Kafka an installation runs on: one broker, or three that stand in for each other.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::future::try_join_all;

use super::services::{Service, script};

/// How many brokers a cluster has.
const CLUSTER: usize = 3;

/// Brokers, started and ended together or one by one.
#[derive(Debug)]
pub struct Brokers {
    brokers: Vec<Service>,
    /// host:port of all, separated by commas.
    pub address: String,
}

impl Brokers {
    /// One, or three, of our own with their data in `work`.
    ///
    /// # Errors
    /// When they do not start, with what they said; when there are to be another number.
    pub async fn start(work: &Path, brokers: usize) -> anyhow::Result<Self> {
        if brokers == 1 {
            return Ok(Service::kafka(work).await?.into());
        }
        ensure!(brokers == CLUSTER, "there may be 1 broker or {CLUSTER}, not {brokers}");
        std::fs::create_dir_all(work)?;
        let mut starting = Command::new(script("kafka", "cluster.sh"));
        starting.arg(work);
        let said = tokio::task::spawn_blocking(move || starting.output()).await??;
        ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        let address = String::from_utf8(said.stdout)?.trim().to_owned();
        let of = |(n, at): (usize, &str)| Service::started("kafka", &work.join(n.to_string()), at);
        let brokers = (1..).zip(address.split(',')).map(of).collect();
        Ok(Self { brokers, address })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.brokers.len()
    }

    /// One of them, by its number from 1.
    ///
    /// # Errors
    /// When there is none.
    pub fn one(&self, number: usize) -> anyhow::Result<&Service> {
        let at = number.checked_sub(1).and_then(|at| self.brokers.get(at));
        at.with_context(|| format!("there is no broker {number}"))
    }

    /// Ends all as a power cut of their processes would.
    ///
    /// # Errors
    /// When one is not ours, or stays.
    pub async fn kill(&self) -> anyhow::Result<()> {
        try_join_all(self.brokers.iter().map(Service::kill)).await.map(|_| ())
    }

    /// Starts all again with their data, on their ports; returns when they answer.
    ///
    /// # Errors
    /// When one does not come up.
    pub async fn restart(&self) -> anyhow::Result<()> {
        try_join_all(self.brokers.iter().map(Service::restart)).await.map(|_| ())
    }

    /// How many partitions each leads, by its number.
    ///
    /// # Errors
    /// When they do not say.
    pub async fn leads(&self) -> anyhow::Result<BTreeMap<usize, u32>> {
        let mut asking = Command::new(script("kafka", "leaders.sh"));
        asking.arg(&self.address);
        let said = tokio::task::spawn_blocking(move || asking.output()).await??;
        ensure!(said.status.success(), "the brokers do not say who leads what");
        let mut leads = BTreeMap::new();
        for line in String::from_utf8(said.stdout)?.lines() {
            let (broker, partitions) = line.split_once(' ').context("a broker and a number")?;
            leads.insert(broker.parse()?, partitions.parse()?);
        }
        Ok(leads)
    }

    /// Waits until each leads some partitions again; whether it came to that.
    pub async fn balanced(&self, within: Duration) -> bool {
        let until = tokio::time::Instant::now() + within;
        while tokio::time::Instant::now() < until {
            let all = |leads: &BTreeMap<usize, u32>| {
                leads.len() == self.count() && leads.values().all(|partitions| *partitions > 0)
            };
            if self.leads().await.is_ok_and(|leads| all(&leads)) {
                return true;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        false
    }
}

impl From<Service> for Brokers {
    fn from(broker: Service) -> Self {
        Self { address: broker.address.clone(), brokers: vec![broker] }
    }
}
