//! What a topic holds at present, read once from its beginning to the end it has: for people who look.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use schemas::topics::Topic;

use super::changelog::{is_passing, reached};
use super::client::log_error;
use super::{Shared, wire};
use crate::log::LogError;
use crate::record::{Offset, Stored};

/// How long reading may go without a record, and how often it looks whether it has come to the end.
const SILENCE_MAX: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Every record of `topic`, partition by partition.
pub(super) fn all(shared: &Shared, topic: Topic) -> Result<Vec<Stored>, LogError> {
    let name = shared.clients.topic_name(topic);
    let mut records = Vec::new();
    for partition in 0..shared.partitions {
        let (low, end) = shared.ends(&name, partition)?;
        if low < end {
            read(shared, (topic, &name, partition), (low, end), &mut records)?;
        }
    }
    Ok(records)
}

fn read(
    shared: &Shared,
    (topic, name, partition): (Topic, &str, u32),
    (low, end): (Offset, Offset),
    records: &mut Vec<Stored>,
) -> Result<(), LogError> {
    let what = format!("read {name}/{partition}");
    let failed = |error| log_error(&what, &error);
    let consumer: BaseConsumer = shared.clients.reader().create().map_err(failed)?;
    let (low, end) = (low.cast_signed(), end.cast_signed());
    let mut assignment = TopicPartitionList::new();
    assignment
        .add_partition_offset(name, wire::number(partition), KafkaOffset::Offset(low))
        .map_err(failed)?;
    consumer.assign(&assignment).map_err(failed)?;
    let mut heard = Instant::now();
    loop {
        match consumer.poll(LOOK_EVERY) {
            // Behind the last record there may be marks of transactions only.
            None if reached(&consumer, low)? >= end => return Ok(()),
            None if heard.elapsed() > SILENCE_MAX => {
                return Err(LogError::Redeliver(format!("{what}: it cannot be read to its end")));
            }
            None => {}
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(failed(error)),
            Some(Ok(message)) => {
                heard = Instant::now();
                let mut record = wire::stored(topic, &message);
                let next = record.offset.cast_signed() + 1;
                if let (Some(registry), Some(value)) = (&shared.registry, &record.value) {
                    record.value = Some(registry.read_now(value)?);
                }
                records.push(record);
                if next >= end {
                    return Ok(());
                }
            }
        }
    }
}
