//! Clients of the library, configured once and in one place.

use std::path::PathBuf;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::client::DefaultClientContext;
use rdkafka::config::FromClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use schemas::topics::Topic;

use super::complaints::advice;
use super::topology::ENVELOPE_BYTES;
use super::wire::Places;
use super::{Delivery, Options, Protocol};
use crate::log::{Group, LogError};

/// Bytes that are handed out before the time to gather is over: what a fetch holds of a partition.
const GATHER_BYTES: usize = 1 << 20;
/// How long the first of many records waits for the last to be handed over. The client counts whole
/// milliseconds.
const GATHERED_MS: &str = "1";

/// How long brokers may wait for more than there is when states are restored.
const RESTORE_WAIT_MS: &str = "5";

/// Makes clients.
pub(super) struct Clients {
    options: Options,
    /// The library's words for [`Options::security`].
    security: Vec<(&'static str, String)>,
}

impl Clients {
    pub(super) fn new(options: Options) -> Result<Self, LogError> {
        let security = options.security.settings()?;
        Ok(Self { options, security })
    }

    pub(super) fn options(&self) -> &Options {
        &self.options
    }

    /// The name brokers know a topic by.
    pub(super) fn topic_name(&self, topic: Topic) -> String {
        format!("{}{topic}", self.options.prefix)
    }

    /// Where records go.
    pub(super) fn places(&self) -> Places {
        Places::new(&self.options.prefix, self.options.partitions)
    }

    /// Whether outputs wait for the transaction that covers them.
    pub(super) fn transactional(&self) -> bool {
        self.options.delivery == Delivery::Transactional
    }

    /// Where the state caches of `group` are.
    pub(super) fn state_dir(&self, group: &Group) -> Option<PathBuf> {
        self.options.state_dir.as_ref().map(|dir| dir.join(self.group_name(group)))
    }

    pub(super) fn group_name(&self, group: &Group) -> String {
        format!("{}{}", self.options.prefix, group.name)
    }

    fn base(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.options.bootstrap);
        for (name, value) in &self.security {
            config.set(*name, value);
        }
        for (name, value) in &self.options.client {
            config.set(name, value);
        }
        // Readers need no more: brokers hand out a batch whole, however large.
        let bytes_max = self.options.record_bytes_max + ENVELOPE_BYTES;
        config.set("message.max.bytes", bytes_max.to_string());
        config
    }

    fn create<T: FromClientConfig>(config: &ClientConfig, what: &str) -> Result<T, LogError> {
        config.create().map_err(|error| log_error(what, &error))
    }

    pub(super) fn admin(&self) -> Result<AdminClient<DefaultClientContext>, LogError> {
        Self::create(&self.base(), "make an admin client")
    }

    /// Settings of producers whose records keep their order and are written once: idempotent, all
    /// replicas, nothing waited for on purpose.
    fn producer(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("linger.ms", "0")
            .set("queue.buffering.max.messages", "100000")
            // A broker that is back is found within a second.
            .set("reconnect.backoff.max.ms", "1000");
        config
    }

    /// Settings of the producer of doors: what is not confirmed in time is given up, so that neither
    /// callers nor memory wait for brokers that are away.
    pub(super) fn appender(&self) -> ClientConfig {
        let mut config = self.producer();
        config.set("message.timeout.ms", "4000");
        config
    }

    /// Settings of producers of outputs. None is given up for being late, and one that fails breaks
    /// the producer: nothing behind it is written.
    pub(super) fn publisher(&self) -> ClientConfig {
        let mut config = self.producer();
        config.set("message.timeout.ms", "0").set("enable.gapless.guarantee", "true");
        config
    }

    /// The same for many at a time: the first waits until the others have been handed over.
    pub(super) fn publisher_of_many(&self) -> ClientConfig {
        let mut config = self.publisher();
        config.set("linger.ms", GATHERED_MS);
        config
    }

    /// Settings of the producer that commits. The short back-off is what a commit right behind
    /// another one waits for while the markers of the first are written; the default is 100 ms.
    pub(super) fn committer(&self, group: &Group, member: &str) -> ClientConfig {
        let mut config = self.producer();
        config
            .set("transactional.id", format!("{}-{member}", self.group_name(group)))
            .set("transaction.timeout.ms", "10000")
            .set("message.timeout.ms", "8000")
            // All states of a commit are handed over at once.
            .set("linger.ms", GATHERED_MS)
            .set("retry.backoff.ms", "2")
            .set("retry.backoff.max.ms", "50")
            // The client asks again where a group's coordinator is only when a connection comes or
            // goes, whatever time-out it was given (librdkafka 2.12.1, rdkafka_coord.c). A coordinator
            // that moved while it asked would be waited for until brokers close what is idle: ten
            // minutes.
            .set("connections.max.idle.ms", "5000");
        config
    }

    /// Settings of members of `group`.
    pub(super) fn member(&self, group: &Group) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", self.group_name(group))
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("queued.max.messages.kbytes", "8192")
            // A coordinator that moved away from a broker that is lost is found by asking, otherwise
            // every ten minutes. Ten times as often while there is none.
            .set("coordinator.query.interval.ms", "5000")
            .set("fetch.queue.backoff.ms", "2");
        match self.options.protocol {
            Protocol::Classic => config
                .set("partition.assignment.strategy", "cooperative-sticky")
                .set("session.timeout.ms", "6000")
                .set("heartbeat.interval.ms", "1500"),
            // The brokers assign; session and heartbeat are theirs to set.
            Protocol::Consumer => config.set("group.protocol", "consumer"),
        };
        if !group.gather.is_zero() {
            config
                .set("fetch.min.bytes", GATHER_BYTES.to_string())
                .set("fetch.wait.max.ms", group.gather.as_millis().to_string());
        }
        for (name, value) in &self.options.consumer {
            config.set(name, value);
        }
        config
    }

    /// Settings of readers outside any group.
    pub(super) fn reader(&self) -> ClientConfig {
        let mut config = self.base();
        config
            .set("group.id", format!("{}-", self.options.prefix))
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "false")
            .set("fetch.queue.backoff.ms", "2");
        config
    }

    /// Settings of readers that restore, one partition after the other: what is there is all they want, and
    /// while one request waits for more the client sends no other.
    pub(super) fn restorer(&self) -> ClientConfig {
        let mut config = self.reader();
        config.set("fetch.wait.max.ms", RESTORE_WAIT_MS);
        config
    }

    /// A client that looks at a group without being a member.
    pub(super) fn observer<T: FromClientConfig>(&self, group: &Group) -> Result<T, LogError> {
        let mut config = self.base();
        config.set("group.id", self.group_name(group)).set("enable.auto.commit", "false");
        Self::create(&config, "look at a group")
    }
}

/// What an error of the client means for the caller.
pub(super) fn log_error(what: &str, error: &KafkaError) -> LogError {
    let words = match error {
        // The value may be a password, and the library's words may quote it.
        KafkaError::ClientConfig(_, _, name, _) => {
            format!("{what}: the client library does not take the value set for {name}")
        }
        _ => match advice(error.rdkafka_error_code()) {
            Some(advice) => format!("{what}: {error}; {advice}"),
            None => format!("{what}: {error}"),
        },
    };
    if is_fenced(error) {
        return LogError::Fenced { group: words };
    }
    let fatal = match error {
        KafkaError::Transaction(error) => error.is_fatal(),
        KafkaError::ClientConfig(..) | KafkaError::ClientCreation(_) => true,
        _ => matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::Fatal
                    | RDKafkaErrorCode::TopicAuthorizationFailed
                    | RDKafkaErrorCode::GroupAuthorizationFailed
                    | RDKafkaErrorCode::ClusterAuthorizationFailed
                    | RDKafkaErrorCode::UnknownTopic
                    | RDKafkaErrorCode::MessageSizeTooLarge
            )
        ),
    };
    if fatal { LogError::Fatal(words) } else { LogError::Redeliver(words) }
}

/// Whether somebody else has taken over.
pub(super) fn is_fenced(error: &KafkaError) -> bool {
    use RDKafkaErrorCode as Code;
    let code = match error {
        KafkaError::Transaction(error) => Some(error.code()),
        _ => error.rdkafka_error_code(),
    };
    matches!(
        code,
        Some(
            Code::IllegalGeneration
                | Code::UnknownMemberId
                | Code::FencedInstanceId
                | Code::StaleMemberEpoch
                | Code::FencedMemberEpoch
                | Code::Fenced
                | Code::ProducerFenced
                | Code::InvalidProducerEpoch
                | Code::PollExceeded
        )
    )
}
