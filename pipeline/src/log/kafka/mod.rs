//! The log on Apache Kafka, through librdkafka.
//!
//! Outputs are published at once by an idempotent producer, each with its origin; states, watermarks
//! and positions are committed beside the path, in one transaction on the changelog that is fenced by
//! the group's generation. Consumers are polled on threads of their own; every blocking call of the
//! client is made off the async workers.

mod append;
mod cache;
mod changelog;
mod client;
mod commit;
mod consume;
mod ends;
mod lag;
mod member;
mod tail;
mod transaction;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "testkit")]
use parking_lot::Mutex;
use rdkafka::admin::{AdminOptions, NewTopic, TopicReplication};
use rdkafka::types::RDKafkaErrorCode;
use schemas::topics::{Retention, Topic, TopicSpec};

use self::append::Publisher;
use self::client::Clients;
use self::ends::Ends;
use self::member::KafkaMember;
use self::tail::KafkaTail;
use super::{AppendError, Durable, From, Group, Log, LogError, Member, Tail};
use crate::record::Record;

/// How long a request to the brokers may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(15);

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

/// How a Kafka log behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// `host:port` of some brokers, comma separated.
    pub bootstrap: String,
    /// Put before every topic, group and transactional id.
    pub prefix: String,
    /// Into how many partitions topics are divided.
    pub partitions: u32,
    /// How many brokers hold each partition.
    pub replication: i32,
    /// How members of a group share its partitions.
    pub protocol: Protocol,
    /// When outputs become visible.
    pub delivery: Delivery,
    /// Where states are kept on this machine, so that a restart need not read whole changelogs;
    /// `None`: in memory only.
    pub state_dir: Option<PathBuf>,
    /// Settings of the client library for every connection: security above all.
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
            protocol: Protocol::Classic,
            delivery: Delivery::AtOnce,
            state_dir: None,
            client: BTreeMap::new(),
            consumer: BTreeMap::new(),
        }
    }
}

/// A log on Kafka. Clones share its connections.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

struct Shared {
    clients: Clients,
    partitions: u32,
    replication: i32,
    publisher: Publisher,
    ends: Ends,
    cluster: OnceLock<String>,
    /// Switches that stop members from polling, by group.
    #[cfg(feature = "testkit")]
    freezers: Mutex<Vec<(smol_str::SmolStr, Arc<std::sync::atomic::AtomicBool>)>>,
}

impl KafkaLog {
    /// Connects as far as a client connects before it is used.
    ///
    /// # Errors
    /// [`LogError::Fatal`] for settings the client library refuses.
    pub fn open(options: Options) -> Result<Self, LogError> {
        let (partitions, replication) = (options.partitions, options.replication);
        let clients = Clients::new(options);
        let publisher = Publisher::new(&clients)?;
        let ends = Ends::new(&clients)?;
        Ok(Self {
            shared: Arc::new(Shared {
                clients,
                partitions,
                replication,
                publisher,
                ends,
                cluster: OnceLock::new(),
                #[cfg(feature = "testkit")]
                freezers: Mutex::default(),
            }),
        })
    }

    /// Stops the present members of `group` from polling, as a process that was paused would, so
    /// that the brokers give their partitions to others.
    #[cfg(feature = "testkit")]
    pub fn freeze(&self, group: &str) {
        for (name, frozen) in self.shared.freezers.lock().iter() {
            if name == group {
                frozen.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
}

/// Runs a blocking call of the client off the async workers.
async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tokio::task::spawn_blocking(call)
        .await
        .map_err(|_| LogError::Fatal("a call of the Kafka client broke down".to_owned()))?
}

#[async_trait]
impl Log for KafkaLog {
    async fn ensure(&self, topics: &[TopicSpec]) -> Result<(), LogError> {
        let shared = &self.shared;
        let admin = shared.clients.admin()?;
        let names: Vec<String> =
            topics.iter().map(|spec| shared.clients.topic_name(spec.topic)).collect();
        let retention: Vec<(&str, String)> =
            topics.iter().map(|spec| kept(spec.retention)).collect();
        let partitions = i32::try_from(shared.partitions).unwrap_or(i32::MAX);
        let new: Vec<NewTopic<'_>> = names
            .iter()
            .zip(&retention)
            .map(|(name, (cleanup, retention_ms))| {
                NewTopic::new(name, partitions, TopicReplication::Fixed(shared.replication))
                    .set("cleanup.policy", cleanup)
                    .set("retention.ms", retention_ms)
            })
            .collect();
        let options = AdminOptions::new().operation_timeout(Some(REQUEST_WITHIN));
        let results = admin
            .create_topics(&new, &options)
            .await
            .map_err(|error| client::log_error("create topics", &error))?;
        for result in results {
            match result {
                Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
                Err((name, code)) => {
                    return Err(LogError::Fatal(format!("cannot create topic {name}: {code}")));
                }
            }
        }
        // Made, but perhaps without leaders yet: nobody is let in before every partition answers.
        let shared = Arc::clone(&self.shared);
        blocking(move || {
            for name in &names {
                for partition in 0..shared.partitions {
                    shared.ends(name, partition)?;
                }
            }
            Ok(())
        })
        .await
    }

    fn partitions(&self) -> u32 {
        self.shared.partitions
    }

    async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        self.shared.publisher.append(records, self.shared.partitions).await
    }

    async fn join(&self, group: &Group) -> Result<Box<dyn Member>, LogError> {
        let (shared, group) = (Arc::clone(&self.shared), group.clone());
        let member = blocking(move || KafkaMember::join(shared, group)).await?;
        Ok(Box::new(member))
    }

    async fn tail(&self, topics: &[Topic], from: From) -> Result<Box<dyn Tail>, LogError> {
        let (shared, topics) = (Arc::clone(&self.shared), topics.to_vec());
        let tail = blocking(move || KafkaTail::open(&shared, &topics, &from)).await?;
        Ok(Box::new(tail))
    }

    async fn lag(&self, group: &Group) -> Result<u64, LogError> {
        let (shared, group) = (Arc::clone(&self.shared), group.clone());
        blocking(move || lag::of(&shared, &group)).await
    }
}

/// The broker's words for how long records are kept: cleanup policy and milliseconds.
fn kept(retention: Retention) -> (&'static str, String) {
    let hours = |hours: u32| (i64::from(hours) * 3_600_000).to_string();
    match retention {
        Retention::Hours(kept) => ("delete", hours(kept)),
        Retention::History => ("delete", "-1".to_owned()),
        Retention::Compacted => ("compact", "-1".to_owned()),
        Retention::CompactedHours(kept) => ("compact,delete", hours(kept)),
    }
}
