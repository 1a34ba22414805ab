//! The log on Apache Kafka, through librdkafka.
//!
//! Outputs are published at once by an idempotent producer, each with its origin; states, watermarks
//! and positions are committed beside the path, in one transaction on the changelog that is fenced by
//! the group's generation. Consumers are polled on threads of their own; every blocking call of the
//! client is made off the async workers.

mod append;
mod apply;
mod cache;
mod changelog;
mod client;
mod commit;
mod complaints;
mod consume;
mod ends;
mod flight;
mod lag;
mod look;
mod member;
mod options;
mod parcel;
mod peek;
mod polled;
mod produce;
mod publish;
mod registry;
mod resume;
mod secret;
mod security;
#[cfg(test)]
mod settings_tests;
mod tail;
mod topology;
#[cfg(test)]
mod torn_tests;
mod transaction;
mod waiting;
mod wire;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
#[cfg(feature = "testkit")]
use parking_lot::Mutex;
use schemas::topics::{Topic, TopicSpec};

use self::append::Appender;
pub use self::apply::Applied;
use self::client::Clients;
use self::ends::Ends;
use self::member::KafkaMember;
pub use self::options::{Delivery, Options, Protocol};
use self::registry::Registry;
pub use self::registry::RegistryOptions;
pub use self::secret::Secret;
pub use self::security::{SaslMechanism, Security, SecurityProtocol};
use self::tail::KafkaTail;
pub use self::topology::{Difference, How};
use super::{AppendError, Durable, From, Group, Log, LogError, Member, Tail};
use crate::record::{Record, Stored};

/// How long a request to the brokers may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(15);

/// A log on Kafka. Clones share its connections.
#[derive(Clone)]
pub struct KafkaLog {
    shared: Arc<Shared>,
}

struct Shared {
    clients: Clients,
    partitions: u32,
    registry: Option<Arc<Registry>>,
    appender: Appender,
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
        let partitions = options.partitions;
        let dir = options.state_dir.as_deref();
        let registry = options
            .registry
            .as_ref()
            .map(|registry| Registry::open(registry, &options.prefix, dir))
            .transpose()?;
        let clients = Clients::new(options)?;
        let appender = Appender::new(&clients, registry.clone())?;
        let ends = Ends::new(&clients)?;
        Ok(Self {
            shared: Arc::new(Shared {
                clients,
                partitions,
                registry,
                appender,
                ends,
                cluster: OnceLock::new(),
                #[cfg(feature = "testkit")]
                freezers: Mutex::default(),
            }),
        })
    }

    /// How the brokers' topics differ from `topics`. Changes nothing.
    ///
    /// # Errors
    /// [`LogError`] when the brokers do not say.
    pub async fn describe(&self, topics: &[TopicSpec]) -> Result<Vec<Difference>, LogError> {
        apply::describe(&self.shared, topics).await
    }

    /// Creates what is missing of `topics`, changes the settings that can be changed without moving
    /// a key (how long records are kept, how many replicas must have them), and tells what is left.
    /// Records that are too old by a shorter retention are dropped by the brokers.
    ///
    /// # Errors
    /// [`LogError`]; what was changed before it stays changed.
    pub async fn apply(&self, topics: &[TopicSpec]) -> Result<Applied, LogError> {
        apply::apply(&self.shared, topics).await
    }

    /// What `topic` holds at present, partition by partition, in memory: for topics that are small.
    ///
    /// # Errors
    /// [`LogError`].
    pub async fn peek(&self, topic: Topic) -> Result<Vec<Stored>, LogError> {
        let shared = Arc::clone(&self.shared);
        blocking(move || peek::all(&shared, topic)).await
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
        apply::ensure(&self.shared, topics).await?;
        let Some(registry) = self.shared.registry.clone() else { return Ok(()) };
        let topics = topics.to_vec();
        blocking(move || registry.conform(&topics)).await
    }

    fn partitions(&self) -> u32 {
        self.shared.partitions
    }

    fn record_bytes_max(&self) -> usize {
        self.shared.clients.options().record_bytes_max
    }

    async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        self.shared.appender.append(records).await
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
