//! The changelog: states by key and, beside them, where the partition was left. Reading it to its
//! end is what a restore is; its position is the authority.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rdkafka::Message;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Header, OwnedHeaders};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use super::cache::{Cache, Mark};
use super::client::{Clients, log_error};
use super::registry::Registry;
use super::{Shared, wire};
use crate::clock::{Clock, SystemClock};
use crate::log::{Group, LogError, PartitionUnit, StateRow};
use crate::record::Offset;
use crate::watermarks::Watermarks;

/// Header that tells a state's deadline (Unix, ms), and the one that marks where a partition was left.
pub(super) const WAKE_AT: &str = "wake-at";
pub(super) const LEFT: &str = "left";
/// How long a restore may go without a record before the brokers are given up on.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// How often a restore looks whether it has come to the end, and tells people where it is.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const TELL_EVERY: Duration = Duration::from_secs(1);
/// Keys written to the cache at once.
const WRITE_KEYS: usize = 20_000;

/// Where a partition was left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) position: Offset,
    pub(super) watermarks: Watermarks,
    pub(super) pins: Bytes,
}

impl Left {
    pub(super) fn of(unit: &PartitionUnit) -> Self {
        Self {
            position: unit.position,
            watermarks: unit.watermarks.clone(),
            pins: unit.pins.clone(),
        }
    }

    /// Position, length of the pins, pins, watermarks; numbers little endian.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.position.to_le_bytes().to_vec();
        bytes.extend(u32::try_from(self.pins.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&self.pins);
        bytes.extend(self.watermarks.to_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (position, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (pins, watermarks) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        Some(Self {
            position: Offset::from_le_bytes(*position),
            watermarks: Watermarks::from_bytes(watermarks)?,
            pins: Bytes::copy_from_slice(pins),
        })
    }
}

/// The key of the record that says where `group` left a partition.
pub(super) fn left_key(group: &Group) -> String {
    format!("{LEFT}/{}", group.name)
}

/// The headers of a state's record, where it waits for a deadline.
pub(super) fn state_headers(row: Option<&StateRow>) -> Option<OwnedHeaders> {
    let at = row?.wake_at_ms?.to_string();
    Some(OwnedHeaders::new_with_capacity(1).insert(Header { key: WAKE_AT, value: Some(&at) }))
}

/// Reads partitions of changelogs, one after the other, by one client, which is made when it is first
/// needed.
#[derive(Default)]
pub(super) struct Reader(Option<BaseConsumer>);

impl Reader {
    /// The client, reading `partition` of the topic `name` from `from` on and nothing else.
    fn at(
        &mut self,
        clients: &Clients,
        name: &str,
        partition: u32,
        from: i64,
    ) -> Result<&BaseConsumer, LogError> {
        let consumer = match &mut self.0 {
            Some(made) => made,
            none => none.insert(clients.restorer().create().map_err(|error| failed(&error))?),
        };
        let mut assignment = TopicPartitionList::new();
        assignment
            .add_partition_offset(name, wire::number(partition), KafkaOffset::Offset(from))
            .and_then(|()| consumer.assign(&assignment))
            .map_err(|error| failed(&error))?;
        Ok(consumer)
    }
}

fn failed(error: &KafkaError) -> LogError {
    log_error("restore from the changelog", error)
}

/// Reads a partition's changelog to the end it has now, from where the cache on this machine was
/// left. Transactions still open at that point, a zombie's above all, are waited for: the broker ends
/// them within the transaction time-out.
pub(super) fn restore(
    shared: &Shared,
    reader: &mut Reader,
    group: &Group,
    changelog: schemas::topics::Topic,
    partition: u32,
) -> Result<(Left, Arc<Cache>), LogError> {
    let name = shared.clients.topic_name(changelog);
    let (low, end) = shared.ends(&name, partition)?;
    let directory = shared.clients.state_dir(group);
    let cache = Cache::open(directory.as_deref(), partition, shared.cluster()?)?;
    let mark = cache.mark((low, end), SystemClock.now_ms())?;
    let from = mark.as_ref().map_or(low, |mark| mark.applied);
    let mut reading = Reading {
        group,
        registry: shared.registry.as_deref(),
        cache: &cache,
        mark: mark.unwrap_or_default(),
        changes: HashMap::new(),
        progress: Progress::new(format!("{name}/{partition}"), from, end),
    };
    if from < end {
        let (from, end) = (from.cast_signed(), end.cast_signed());
        let consumer = reader.at(&shared.clients, &name, partition, from)?;
        reading.to(consumer, partition, from, end)?;
    }
    reading.flush(end)?;
    let left = reading.mark.left;
    Ok((left, Arc::new(cache)))
}

/// A changelog being read into a cache.
struct Reading<'a> {
    group: &'a Group,
    registry: Option<&'a Registry>,
    cache: &'a Cache,
    mark: Mark,
    /// What was read since the cache was last written: the latest of each key.
    changes: HashMap<Bytes, Option<StateRow>>,
    progress: Progress,
}

impl Reading<'_> {
    /// Reads `partition`, which `consumer` reads from `from` on, to `end`.
    fn to(
        &mut self,
        consumer: &BaseConsumer,
        partition: u32,
        from: i64,
        end: i64,
    ) -> Result<(), LogError> {
        let number = wire::number(partition);
        let left_key = left_key(self.group);
        let mut heard = Instant::now();
        loop {
            match consumer.poll(LOOK_EVERY) {
                None if reached(consumer, from)? >= end => return Ok(()),
                None if heard.elapsed() > SILENCE_MAX => {
                    let what =
                        format!("the changelog {} cannot be read to its end", self.progress.what);
                    return Err(LogError::Redeliver(what));
                }
                None => {}
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(failed(&error)),
                // Of the one that was read before.
                Some(Ok(message)) if message.partition() != number => {}
                Some(Ok(message)) => {
                    heard = Instant::now();
                    self.take(&message, &left_key)?;
                    if message.offset() + 1 >= end {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn take(&mut self, message: &BorrowedMessage<'_>, left_key: &str) -> Result<(), LogError> {
        let key = message.key().unwrap_or_default();
        let payload = message.payload();
        let next = message.offset().unsigned_abs() + 1;
        self.progress.at(next);
        if wire::header(message, LEFT).is_some() {
            if key == left_key.as_bytes() {
                self.mark.left = payload.and_then(Left::from_bytes).ok_or_else(|| {
                    LogError::Fatal("where a partition was left cannot be read".to_owned())
                })?;
            }
        } else {
            let row = match payload.map(Bytes::copy_from_slice) {
                None => None,
                Some(value) => Some(StateRow {
                    value: self.registry.map_or(Ok(value.clone()), |all| all.read_now(&value))?,
                    wake_at_ms: wire::header(message, WAKE_AT).and_then(|at| at.parse().ok()),
                }),
            };
            self.changes.insert(Bytes::copy_from_slice(key), row);
        }
        if self.changes.len() >= WRITE_KEYS { self.flush(next) } else { Ok(()) }
    }

    /// Everything below `applied` is in the cache.
    fn flush(&mut self, applied: Offset) -> Result<(), LogError> {
        let changes = std::mem::take(&mut self.changes);
        self.mark.applied = applied;
        self.mark.time_ms = SystemClock.now_ms();
        self.cache.apply(changes.iter().map(|(key, row)| (key, row.as_ref())), &self.mark)
    }
}

/// Tells people how far a long restore is.
struct Progress {
    what: String,
    from: Offset,
    end: Offset,
    told: Instant,
}

impl Progress {
    fn new(what: String, from: Offset, end: Offset) -> Self {
        Self { what, from, end, told: Instant::now() }
    }

    fn at(&mut self, next: Offset) {
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            let (done, all) = (next.saturating_sub(self.from), self.end - self.from);
            tracing::info!(changelog = %self.what, done, all, "restoring state");
        }
    }
}

/// How far the reader has come, control records included.
pub(super) fn reached(consumer: &BaseConsumer, low: i64) -> Result<i64, LogError> {
    let positions =
        consumer.position().map_err(|error| log_error("tell how far a restore is", &error))?;
    Ok(positions
        .elements()
        .first()
        .and_then(|element| match element.offset() {
            KafkaOffset::Offset(at) => Some(at),
            _ => None,
        })
        .unwrap_or(low))
}

/// A broker that is gone for a moment is no reason to give up.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    use rdkafka::types::RDKafkaErrorCode as Code;
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::BrokerTransportFailure
                | Code::AllBrokersDown
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
        )
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_partition_was_left_round_trips() {
        let mut watermarks = Watermarks::default();
        watermarks.advance(&crate::record::Origin {
            stage: "turns".into(),
            partition: 1,
            offset: 2,
            index: 3,
        });
        let left = Left { position: 77, watermarks, pins: "m-1".into() };
        assert_eq!(Left::from_bytes(&left.to_bytes()), Some(left));
        assert_eq!(Left::from_bytes(b"short"), None);
    }
}
