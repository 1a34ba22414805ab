//! How a Kafka log behaves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{RegistryOptions, Security};

/// How members of a group share its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Members agree among themselves, and keep what they have (cooperative-sticky).
    Classic,
    /// The brokers assign (KIP-848); Kafka 4.0 and later.
    Consumer,
}

/// When outputs become visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// At once; readers drop repeats by origin.
    AtOnce,
    /// With the commit that covers them, for readers of committed records that know no origins.
    Transactional,
}

impl Delivery {
    /// Time between two commits of a member. Each is a transaction over all its partitions: twice a
    /// second costs the brokers little, and is little to do again. Outputs that wait for it are not
    /// kept waiting so long.
    #[must_use]
    pub fn commit_every(self) -> Duration {
        match self {
            Self::AtOnce => Duration::from_millis(500),
            Self::Transactional => Duration::from_millis(100),
        }
    }
}

/// How a Kafka log behaves.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// `host:port` of some brokers, comma separated.
    pub bootstrap: String,
    /// Put before every topic, group and transactional id.
    pub prefix: String,
    /// Into how many partitions topics are divided.
    pub partitions: u32,
    /// How many brokers hold each partition.
    pub replication: i32,
    /// How many of them must have a record before it is acknowledged; `None`: 2 of 3 or more,
    /// otherwise 1.
    pub min_insync: Option<u32>,
    /// How long topics of history are kept; `None`: for ever.
    pub history_days: Option<u32>,
    /// Largest record, in bytes of key and value: topics are made for it.
    pub record_bytes_max: usize,
    /// How members of a group share its partitions.
    pub protocol: Protocol,
    /// When outputs become visible.
    pub delivery: Delivery,
    /// Where states are kept on this machine, so that a restart need not read whole changelogs;
    /// `None`: in memory only.
    pub state_dir: Option<PathBuf>,
    /// How the brokers are spoken to, and who we are.
    pub security: Security,
    /// Where schemas are registered; `None`: records carry their schema's fingerprint instead.
    pub registry: Option<RegistryOptions>,
    /// Further settings of the client library for every connection. They win over [`Self::security`];
    /// what a promise of the log rests on is set whatever they say.
    pub client: BTreeMap<String, String>,
    /// Settings of the client library for members of groups.
    pub consumer: BTreeMap<String, String>,
}

impl Options {
    /// The defaults, at `bootstrap`.
    #[must_use]
    pub fn at(bootstrap: &str) -> Self {
        Self {
            bootstrap: bootstrap.to_owned(),
            prefix: String::new(),
            partitions: 12,
            replication: 1,
            min_insync: None,
            history_days: None,
            record_bytes_max: 4 << 20,
            protocol: Protocol::Classic,
            delivery: Delivery::AtOnce,
            state_dir: None,
            security: Security::default(),
            registry: None,
            client: BTreeMap::new(),
            consumer: BTreeMap::new(),
        }
    }
}

/// Without the values of the library's settings: some of them are passwords.
impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("bootstrap", &self.bootstrap)
            .field("prefix", &self.prefix)
            .field("partitions", &self.partitions)
            .field("replication", &self.replication)
            .field("min_insync", &self.min_insync)
            .field("history_days", &self.history_days)
            .field("record_bytes_max", &self.record_bytes_max)
            .field("protocol", &self.protocol)
            .field("delivery", &self.delivery)
            .field("state_dir", &self.state_dir)
            .field("security", &self.security)
            .field("registry", &self.registry)
            .field("client", &self.client.keys())
            .field("consumer", &self.consumer.keys())
            .finish()
    }
}
