//! Where partitions begin and end.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::client::{Clients, log_error};
use super::wire::number;
use super::{REQUEST_WITHIN, Shared};
use crate::log::LogError;
use crate::record::Offset;

/// Pause before a broker that does not know its partitions yet is asked again.
const PAUSE: Duration = Duration::from_millis(50);
/// How long the leader the client knows of may take, before it is asked who leads now.
const LEADER_WITHIN: Duration = Duration::from_secs(3);

/// Asks brokers for offsets. Its own client: one that reads committed records only is told where the
/// last finished transaction ends, not where the partition does.
pub(super) struct Ends(BaseConsumer);

impl Ends {
    pub(super) fn new(clients: &Clients) -> Result<Self, LogError> {
        let mut config = clients.reader();
        config.set("isolation.level", "read_uncommitted");
        config
            .create()
            .map(Self)
            .map_err(|error| log_error("make a client that asks for offsets", &error))
    }

    /// The first offset kept and the one behind the last. A topic made a moment ago is waited for.
    pub(super) fn of(&self, topic: &str, partition: u32) -> Result<(Offset, Offset), LogError> {
        let number = number(partition);
        let until = Instant::now() + REQUEST_WITHIN;
        loop {
            match self.0.fetch_watermarks(topic, number, LEADER_WITHIN) {
                Ok((low, high)) => return Ok((low.unsigned_abs(), high.unsigned_abs())),
                Err(error) if has_no_leader(&error) && Instant::now() < until => {
                    // The client goes on waiting for a leader that is lost until told of the next.
                    let _ = self.0.fetch_metadata(Some(topic), LEADER_WITHIN);
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
        let name = self.ends.0.client().fetch_cluster_id(REQUEST_WITHIN).ok_or_else(|| {
            LogError::Redeliver("the brokers do not say which cluster they are".to_owned())
        })?;
        Ok(self.cluster.get_or_init(|| name))
    }
}

fn has_no_leader(error: &KafkaError) -> bool {
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
                | Code::BrokerTransportFailure
        )
    )
}
