//! How far a group is behind.
//!
//! Every transaction leaves a marker behind its records that takes an offset and is nobody's record;
//! in a changelog each also says where its stage left off, which is nobody's input. A group that has
//! read everything would seem to be behind for ever. What is short enough to be nothing else is
//! looked at.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset as KafkaOffset, TopicPartitionList};

use super::changelog::LEFT;
use super::client::log_error;
use super::{REQUEST_WITHIN, Shared, wire};
use crate::log::{Group, LogError};

/// A gap this short may be markers only.
const MARKERS_MAX: u64 = 32;
/// How long looking at short gaps may take.
const LOOK_WITHIN: Duration = Duration::from_millis(500);

/// Records between what `group` has committed and the end, summed over partitions.
pub(super) fn of(shared: &Shared, group: &Group) -> Result<u64, LogError> {
    let consumer: BaseConsumer = shared.clients.observer(group)?;
    let name = shared.clients.topic_name(group.input);
    let asked = wire::partitions(&name, 0..shared.partitions);
    let committed = consumer
        .committed_offsets(asked, REQUEST_WITHIN)
        .map_err(|error| log_error("read committed offsets", &error))?;
    let mut lag = 0;
    let mut short = HashMap::new();
    for element in committed.elements() {
        let (low, high) = shared.ends(&name, element.partition().unsigned_abs())?;
        let at = match element.offset() {
            KafkaOffset::Offset(at) => at.unsigned_abs(),
            _ => low,
        };
        match high.saturating_sub(at) {
            0 => {}
            behind @ 1..=MARKERS_MAX => {
                short.insert(element.partition(), Gap { at, high, behind });
            }
            behind => lag += behind,
        }
    }
    Ok(lag + records_in(shared, &name, short)?)
}

/// A few offsets before the end of a partition.
struct Gap {
    at: u64,
    high: u64,
    behind: u64,
}

/// How many offsets of `gaps` lie behind a record that is somebody's input; the others do not count.
/// A gap that cannot be looked at in time counts whole.
fn records_in(shared: &Shared, topic: &str, mut gaps: HashMap<i32, Gap>) -> Result<u64, LogError> {
    if gaps.is_empty() {
        return Ok(0);
    }
    let failed = |error| log_error("look at what is left to read", &error);
    let reader: BaseConsumer = shared.clients.reader().create().map_err(failed)?;
    let mut list = TopicPartitionList::new();
    for (partition, gap) in &gaps {
        let at = KafkaOffset::Offset(gap.at.cast_signed());
        list.add_partition_offset(topic, *partition, at).map_err(failed)?;
    }
    reader.assign(&list).map_err(failed)?;
    let until = Instant::now() + LOOK_WITHIN;
    let mut lag = 0;
    while !gaps.is_empty() && Instant::now() < until {
        if let Some(Ok(message)) = reader.poll(Duration::from_millis(5))
            && wire::header(&message, LEFT).is_none()
        {
            let found = gaps.remove(&message.partition());
            lag += found.map_or(0, |gap| gap.behind);
        }
        let positions = reader.position().map_err(failed)?;
        for element in positions.elements() {
            let at = match element.offset() {
                KafkaOffset::Offset(at) => at.unsigned_abs(),
                _ => continue,
            };
            if gaps.get(&element.partition()).is_some_and(|gap| at >= gap.high) {
                gaps.remove(&element.partition());
            }
        }
    }
    Ok(lag + gaps.values().map(|gap| gap.behind).sum::<u64>())
}
