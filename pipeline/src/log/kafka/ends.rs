//! Where partitions begin and end, and what topics there are.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::Metadata;

use super::client::{Clients, log_error};
use super::complaints::{Complaint, Complaints};
use super::topology::Found;
use super::{REQUEST_WITHIN, Shared};
use crate::log::LogError;
use crate::record::Offset;

/// Pause before a broker that does not know its partitions yet is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long one question for all topics may take, and for how long a refusal may be a broker's that
/// is just starting.
const ASK_WITHIN: Duration = Duration::from_secs(1);
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// Asks brokers for offsets. Its own client: one that reads committed records only is told where the
/// last finished transaction ends, not where the partition does.
pub(super) struct Ends {
    client: BaseConsumer<Complaints>,
    bootstrap: String,
}

impl Ends {
    pub(super) fn new(clients: &Clients) -> Result<Self, LogError> {
        let mut config = clients.reader();
        config.set("isolation.level", "read_uncommitted");
        let client = config
            .create_with_context(Complaints::default())
            .map_err(|error| log_error("make a client that asks for offsets", &error))?;
        Ok(Self { client, bootstrap: clients.options().bootstrap.clone() })
    }

    /// Those of `names` that exist, without their settings. One request, whatever their number; the
    /// first that a start makes, so that it tells why the brokers cannot be reached.
    pub(super) fn topics(
        &self,
        names: &BTreeSet<String>,
    ) -> Result<HashMap<String, Found>, LogError> {
        let mut found = HashMap::new();
        for topic in self.metadata()?.topics().iter().filter(|topic| names.contains(topic.name())) {
            let replicas = topic.partitions().iter().map(|partition| partition.replicas().len());
            let fewest = replicas.min().unwrap_or_default();
            let shape = Found {
                partitions: u32::try_from(topic.partitions().len()).unwrap_or(u32::MAX),
                replication: u32::try_from(fewest).unwrap_or(u32::MAX),
                settings: Vec::new(),
            };
            // Listed without partitions while it is being made or removed.
            if shape.partitions > 0 {
                found.insert(topic.name().to_owned(), shape);
            }
        }
        Ok(found)
    }

    fn metadata(&self) -> Result<Metadata, LogError> {
        let began = Instant::now();
        self.client.context().forget();
        loop {
            let error = match self.client.client().fetch_metadata(None, ASK_WITHIN) {
                Ok(metadata) => return Ok(metadata),
                Err(error) => error,
            };
            // What the library has to complain of, it tells those who poll.
            while self.client.poll(Duration::ZERO).is_some() {}
            let reached = format!("reach the Kafka brokers at {}", self.bootstrap);
            match self.client.context().latest() {
                Some(Complaint { lasting: true, words }) if began.elapsed() > REFUSED_FOR => {
                    return Err(LogError::Fatal(format!("cannot {reached}: {words}")));
                }
                _ if began.elapsed() < REQUEST_WITHIN => {}
                Some(Complaint { words, .. }) => {
                    return Err(LogError::Redeliver(format!("{reached}: {error}: {words}")));
                }
                None => return Err(log_error(&reached, &error)),
            }
        }
    }

    /// The first offset kept and the one behind the last. A topic made a moment ago is waited for.
    pub(super) fn of(&self, topic: &str, partition: u32) -> Result<(Offset, Offset), LogError> {
        let number = i32::try_from(partition).unwrap_or(i32::MAX);
        let until = Instant::now() + REQUEST_WITHIN;
        loop {
            match self.client.fetch_watermarks(topic, number, REQUEST_WITHIN) {
                Ok((low, high)) => return Ok((low.unsigned_abs(), high.unsigned_abs())),
                Err(error) if has_no_leader_yet(&error) && Instant::now() < until => {
                    std::thread::sleep(PAUSE);
                }
                Err(error) => {
                    let what = format!("read the ends of {topic}/{partition}");
                    return Err(log_error(&what, &error));
                }
            }
        }
    }
}

impl Shared {
    /// The first offset of a partition and the one behind its last.
    pub(super) fn ends(&self, topic: &str, partition: u32) -> Result<(Offset, Offset), LogError> {
        self.ends.of(topic, partition)
    }

    /// The brokers' name for themselves.
    pub(super) fn cluster(&self) -> Result<&str, LogError> {
        if let Some(name) = self.cluster.get() {
            return Ok(name);
        }
        let name = self.ends.client.client().fetch_cluster_id(REQUEST_WITHIN).ok_or_else(|| {
            LogError::Redeliver("the brokers do not say which cluster they are".to_owned())
        })?;
        Ok(self.cluster.get_or_init(|| name))
    }
}

fn has_no_leader_yet(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownTopicOrPartition
                | Code::UnknownPartition
                | Code::UnknownTopic
                | Code::OperationTimedOut
        )
    )
}
