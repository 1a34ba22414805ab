//! A reader outside any group, on a thread of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use schemas::topics::Topic;
use tokio::sync::mpsc;

use super::changelog::{LEFT, is_passing};
use super::client::log_error;
use super::resume::resume;
use super::waiting::{Place, Taken, Waiting};
use super::{Shared, wire};
use crate::log::{From, LogError, Tail};
use crate::record::Stored;

/// Batches on their way, and records in one.
const BATCHES_MAX: usize = 4;
const BATCH_MAX: usize = 512;

pub(super) struct KafkaTail {
    batches: mpsc::Receiver<Result<Vec<Stored>, LogError>>,
    stop: Arc<AtomicBool>,
}

impl KafkaTail {
    pub(super) fn open(shared: &Shared, topics: &[Topic], from: &From) -> Result<Self, LogError> {
        let failed = |error| log_error("follow topics", &error);
        let consumer: BaseConsumer = shared.clients.reader().create().map_err(failed)?;
        let names: HashMap<String, Topic> =
            topics.iter().map(|topic| (shared.clients.topic_name(*topic), *topic)).collect();
        let mut list = TopicPartitionList::new();
        for (name, topic) in &names {
            for partition in 0..shared.partitions {
                let (low, high) = shared.ends(name, partition)?;
                let at = match from {
                    From::Now => high,
                    From::Start => low,
                    From::Positions(at) => at.get(&(*topic, partition)).copied().unwrap_or(low),
                };
                let at = KafkaOffset::Offset(at.cast_signed());
                list.add_partition_offset(name, wire::number(partition), at).map_err(failed)?;
            }
        }
        consumer.assign(&list).map_err(failed)?;
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let following = Following {
            consumer,
            names,
            batches: sender,
            stop: Arc::clone(&stop),
            waiting: Waiting::new(shared.registry.clone()),
        };
        std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || following.run())
            .map_err(|error| LogError::Fatal(format!("no thread to follow on: {error}")))?;
        Ok(Self { batches, stop })
    }
}

/// What the thread reads, and who hears of it.
struct Following {
    consumer: BaseConsumer,
    /// Topics as the brokers know them.
    names: HashMap<String, Topic>,
    batches: mpsc::Sender<Result<Vec<Stored>, LogError>>,
    stop: Arc<AtomicBool>,
    waiting: Waiting,
}

impl Following {
    fn run(mut self) {
        let mut batch = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            self.look_again(&mut batch);
            let read = match self.consumer.poll(self.waiting.poll_within(&batch)) {
                Some(Ok(message)) => {
                    let topic = self.names.get(message.topic()).copied();
                    let own = wire::header(&message, LEFT).is_none();
                    Some(topic.filter(|_| own).map(|topic| wire::stored(topic, &message)))
                }
                Some(Err(error)) if is_passing(&error) => {
                    tracing::warn!(%error, "following goes on");
                    None
                }
                Some(Err(error)) => {
                    let _ = self.batches.blocking_send(Err(log_error("follow topics", &error)));
                    return;
                }
                None => None,
            };
            if let Some(record) = read {
                batch.extend(record.and_then(|record| self.take(record)));
                if batch.len() < BATCH_MAX {
                    continue;
                }
            }
            let full = std::mem::take(&mut batch);
            if !full.is_empty() && self.batches.blocking_send(Ok(full)).is_err() {
                return;
            }
        }
    }

    /// Takes a record in; one whose schema is not known yet stops its partition.
    fn take(&mut self, record: Stored) -> Option<Stored> {
        let place = (record.topic, record.partition);
        match self.waiting.take(record) {
            Taken::Ready(record) => return Some(record),
            Taken::Waits { first: false } => {}
            Taken::Waits { first: true } => {
                if let Err(error) = self.consumer.pause(&self.one(place)) {
                    tracing::warn!(%error, "a partition could not be stopped");
                }
            }
        }
        None
    }

    /// Hands on what need not wait any longer, and has its partitions read again.
    fn look_again(&mut self, batch: &mut Vec<Stored>) {
        if self.waiting.is_empty() {
            return;
        }
        let (ready, done) = self.waiting.ready();
        batch.extend(ready);
        for place in done {
            if let Err(error) = resume(&self.consumer, &self.one(place)) {
                tracing::warn!(%error, "a partition could not be gone on with");
            }
        }
    }

    fn one(&self, (topic, partition): Place) -> TopicPartitionList {
        let name = self.names.iter().find(|(_, known)| **known == topic);
        name.map_or_else(TopicPartitionList::new, |(name, _)| wire::partitions(name, [partition]))
    }
}

#[async_trait]
impl Tail for KafkaTail {
    async fn next(&mut self) -> Result<Vec<Stored>, LogError> {
        let gone = || LogError::Fatal("the thread that follows topics has ended".to_owned());
        self.batches.recv().await.ok_or_else(gone)?
    }
}

impl Drop for KafkaTail {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
