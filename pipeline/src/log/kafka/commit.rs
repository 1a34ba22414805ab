//! Commits, on a thread of their own: states, watermarks and positions in one transaction, fenced by
//! the group's generation; with transactional delivery the outputs too.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use data_encoding::BASE64_NOPAD;
use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::cache::{Cache, Mark};
use super::changelog::Left;
use super::client::{Clients, log_error};
use super::consume::Heard;
use super::registry::Registry;
use super::transaction::Transactions;
use super::wire::number;
use crate::clock::{Clock, SystemClock};
use crate::log::{Confirmation, Group, LogError, Unit};
use crate::record::Record;

/// How long the thread may take: longer than all steps of a transaction together. A client that never
/// comes back is left behind, and its transaction times out on the brokers.
const ANSWERED_WITHIN: Duration = Duration::from_secs(45);

type Reply = oneshot::Sender<Result<(), LogError>>;

/// What the thread is asked for.
enum Asked {
    /// Outputs that become visible with the next commit.
    Write(Vec<Record>, Reply),
    Commit(Unit, Reply),
}

/// Caches of the partitions held.
pub(super) type Caches = Arc<Mutex<HashMap<u32, Arc<Cache>>>>;

/// Commits on a thread of its own.
pub(super) struct Committer {
    asked: Sender<Asked>,
}

/// What the thread works with.
struct Work {
    consumer: Arc<BaseConsumer<Heard>>,
    group: Group,
    input: String,
    caches: Caches,
    /// Without a changelog, and with outputs published at once, offsets are all there is to commit.
    transactions: Option<Transactions>,
}

impl Committer {
    /// Starts the thread. `outputs`: they go through the transaction.
    pub(super) fn start(
        clients: &Clients,
        consumer: Arc<BaseConsumer<Heard>>,
        group: &Group,
        member: &str,
        (caches, outputs): (Caches, bool),
        registry: Option<Arc<Registry>>,
    ) -> Result<Self, LogError> {
        let transactions = if group.state.is_some() || outputs {
            Some(Transactions::new(clients, group, member, registry)?)
        } else {
            None
        };
        let input = clients.topic_name(group.input);
        let work = Work { consumer, group: group.clone(), input, caches, transactions };
        let (asked, requests) = channel();
        std::thread::Builder::new()
            .name(format!("{}-commit", group.name))
            .spawn(move || work.run(&requests))
            .map_err(|error| LogError::Fatal(format!("no thread to commit on: {error}")))?;
        Ok(Self { asked })
    }

    pub(super) fn commit(&self, unit: Unit) -> Confirmation {
        self.ask(|reply| Asked::Commit(unit, reply))
    }

    pub(super) fn write(&self, outputs: Vec<Record>) -> Confirmation {
        self.ask(|reply| Asked::Write(outputs, reply))
    }

    fn ask(&self, what: impl FnOnce(Reply) -> Asked) -> Confirmation {
        let (reply, answer) = oneshot::channel();
        let gone = || LogError::Redeliver("the committing thread has ended".to_owned());
        let asked = self.asked.send(what(reply)).map_err(|_| gone());
        Box::pin(async move {
            asked?;
            match timeout(ANSWERED_WITHIN, answer).await {
                Ok(answer) => answer.map_err(|_| gone())?,
                Err(_) => Err(LogError::Redeliver(format!(
                    "the client did not come back from a commit within {} s",
                    ANSWERED_WITHIN.as_secs()
                ))),
            }
        })
    }
}

impl Work {
    fn run(mut self, requests: &Receiver<Asked>) {
        while let Ok(asked) = requests.recv() {
            let (done, reply) = match asked {
                Asked::Commit(unit, reply) => (self.commit(&unit), reply),
                Asked::Write(outputs, reply) => (self.write(outputs), reply),
            };
            let _ = reply.send(done);
        }
    }

    fn write(&mut self, outputs: Vec<Record>) -> Result<(), LogError> {
        match &mut self.transactions {
            Some(transactions) => transactions.write(outputs),
            None => Err(LogError::Fatal("outputs outside a transaction".to_owned())),
        }
    }

    fn commit(&mut self, unit: &Unit) -> Result<(), LogError> {
        // The generation first: were the partitions taken away after it was read, the broker would
        // know it for an old one.
        let generation = self.consumer.group_metadata();
        let epochs = &self.consumer.context().epochs;
        if unit.partitions.iter().any(|part| !epochs.holds(part.lease)) {
            if let Some(transactions) = &mut self.transactions {
                transactions.abort();
            }
            return Err(LogError::Fenced { group: self.group.name.to_string() });
        }
        let Some(transactions) = &mut self.transactions else {
            return offsets(&self.input, unit, true)
                .and_then(|list| self.consumer.commit(&list, CommitMode::Sync))
                .map_err(|error| log_error("commit offsets", &error));
        };
        let generation = generation.ok_or_else(|| {
            LogError::Redeliver("the group's generation is not known yet".to_owned())
        })?;
        let list = offsets(&self.input, unit, self.group.state.is_none())
            .map_err(|error| log_error("commit", &error))?;
        let ends = transactions.commit(unit, &list, &generation)?;
        self.remember(unit, &ends)
    }

    /// Brings the caches up to what the changelog has now; `ends`: where it ends, by partition.
    fn remember(&self, unit: &Unit, ends: &HashMap<u32, u64>) -> Result<(), LogError> {
        let caches = self.caches.lock();
        for part in &unit.partitions {
            let partition = part.lease.partition;
            let (Some(cache), Some(end)) = (caches.get(&partition), ends.get(&partition)) else {
                continue;
            };
            let mark = Mark { applied: *end, time_ms: SystemClock.now_ms(), left: Left::of(part) };
            cache.apply(part.changes.iter().map(|(key, row)| (key, row.as_ref())), &mark)?;
        }
        Ok(())
    }
}

/// Positions as the broker takes them. Without a changelog the rest of what is to be remembered goes
/// into the offset's metadata.
fn offsets(input: &str, unit: &Unit, with_left: bool) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(unit.partitions.len());
    for part in &unit.partitions {
        let mut element = list.add_partition(input, number(part.lease.partition));
        element.set_offset(KafkaOffset::Offset(part.position.cast_signed()))?;
        if with_left {
            element.set_metadata(BASE64_NOPAD.encode(&Left::of(part).to_bytes()));
        }
    }
    Ok(list)
}

/// Reads what [`offsets`] put into the metadata.
pub(super) fn left_in(metadata: &str) -> Option<Left> {
    Left::from_bytes(&BASE64_NOPAD.decode(metadata.as_bytes()).ok()?)
}
