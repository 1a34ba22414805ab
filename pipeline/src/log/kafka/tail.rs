//! A reader outside any group, on a thread of its own.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use schemas::topics::Topic;
use tokio::sync::mpsc;

use super::changelog::{LEFT, is_passing};
use super::client::log_error;
use super::{Shared, wire};
use crate::log::{From, LogError, Tail};
use crate::record::Stored;

/// Batches on their way, and records in one.
const BATCHES_MAX: usize = 4;
const BATCH_MAX: usize = 512;
const POLL: Duration = Duration::from_millis(100);

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
                let number = i32::try_from(partition).unwrap_or(i32::MAX);
                let (low, high) = shared.ends(name, partition)?;
                let at = match from {
                    From::Now => high,
                    From::Start => low,
                    From::Positions(at) => at.get(&(*topic, partition)).copied().unwrap_or(low),
                };
                let at = KafkaOffset::Offset(at.cast_signed());
                list.add_partition_offset(name, number, at).map_err(failed)?;
            }
        }
        consumer.assign(&list).map_err(failed)?;
        let (sender, batches) = mpsc::channel(BATCHES_MAX);
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || run(&consumer, &names, &sender, &stopping))
            .map_err(|error| LogError::Fatal(format!("no thread to follow on: {error}")))?;
        Ok(Self { batches, stop })
    }
}

fn run(
    consumer: &BaseConsumer,
    topics: &HashMap<String, Topic>,
    batches: &mpsc::Sender<Result<Vec<Stored>, LogError>>,
    stop: &AtomicBool,
) {
    let mut batch = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let wait = if batch.is_empty() { POLL } else { Duration::ZERO };
        match consumer.poll(wait) {
            Some(Ok(message)) => {
                let topic = topics.get(message.topic()).copied();
                let own = wire::header(&message, LEFT).is_none();
                batch.extend(topic.filter(|_| own).map(|topic| wire::stored(topic, &message)));
                if batch.len() < BATCH_MAX {
                    continue;
                }
            }
            Some(Err(error)) if is_passing(&error) => tracing::warn!(%error, "following goes on"),
            Some(Err(error)) => {
                let _ = batches.blocking_send(Err(log_error("follow topics", &error)));
                return;
            }
            None => {}
        }
        if !batch.is_empty() && batches.blocking_send(Ok(std::mem::take(&mut batch))).is_err() {
            return;
        }
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
