//! Transactions of one member.
//!
//! Two stalls of 100 ms hide in the client and are avoided here: rust-rdkafka's `flush`, which
//! `commit_transaction` calls, waits out its deadline when anything is in flight, so the queue is
//! drained first; and AddOffsetsToTxn right behind a commit is refused until the markers are written
//! and tried again after `retry.backoff.ms`, which is set short.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::TopicPartitionList;
use rdkafka::client::ClientContext;
use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};

use super::changelog::{self, LEFT, Left};
use super::client::{Clients, is_fenced, log_error};
use super::registry::Registry;
use super::wire::{self, Places, Routed, number};
use crate::log::{Group, LogError, Unit};
use crate::record::Record;

/// How long a step of a transaction may take.
const STEP_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks at whether everything has been delivered.
const DRAIN_PAUSE: Duration = Duration::from_micros(200);

/// Notes where records of the changelog came to lie.
struct Delivered {
    changelog: Option<String>,
    /// Behind the last record delivered, by partition.
    ends: Mutex<HashMap<u32, u64>>,
    failed: Mutex<Option<KafkaError>>,
}

impl ClientContext for Delivered {}

impl ProducerContext for Delivered {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(message) if Some(message.topic()) == self.changelog.as_deref() => {
                let end = message.offset().unsigned_abs() + 1;
                let mut ends = self.ends.lock();
                let known = ends.entry(message.partition().unsigned_abs()).or_default();
                *known = end.max(*known);
            }
            Ok(_) => {}
            Err((error, _)) => *self.failed.lock() = Some(error.clone()),
        }
    }
}

/// The transactions of one member, one after the other.
pub(super) struct Transactions {
    producer: BaseProducer<Delivered>,
    group: Group,
    changelog: Option<String>,
    places: Places,
    registry: Option<Arc<Registry>>,
    initialised: bool,
    open: bool,
}

impl Transactions {
    pub(super) fn new(
        clients: &Clients,
        group: &Group,
        member: &str,
        registry: Option<Arc<Registry>>,
    ) -> Result<Self, LogError> {
        let changelog = group.state.map(|topic| clients.topic_name(topic));
        let delivered = Delivered {
            changelog: changelog.clone(),
            ends: Mutex::default(),
            failed: Mutex::default(),
        };
        Ok(Self {
            producer: clients
                .committer(group, member)
                .create_with_context(delivered)
                .map_err(|error| log_error("make a committing producer", &error))?,
            group: group.clone(),
            changelog,
            places: clients.places(),
            registry,
            initialised: false,
            open: false,
        })
    }

    fn begin(&mut self) -> Result<(), KafkaError> {
        if !self.initialised {
            self.producer.init_transactions(STEP_WITHIN)?;
            self.initialised = true;
        }
        if !self.open {
            self.producer.context().ends.lock().clear();
            *self.producer.context().failed.lock() = None;
            self.producer.begin_transaction()?;
            self.open = true;
        }
        Ok(())
    }

    /// Hands outputs over; they become visible with the next commit, or never.
    pub(super) fn write(&mut self, outputs: Vec<Record>) -> Result<(), LogError> {
        let outputs = match &self.registry {
            Some(registry) => registry.framed_now(outputs)?,
            None => outputs,
        };
        let done = self.begin().and_then(|()| {
            self.places.routed(&outputs).iter().try_for_each(
                |Routed { topic, partition, record, .. }| {
                    let mut message: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
                        .partition(*partition)
                        .key(&record.key[..])
                        .timestamp(record.time_ms)
                        .headers(wire::headers_of(&record.headers));
                    if let Some(value) = &record.value {
                        message = message.payload(&value[..]);
                    }
                    self.send(message)
                },
            )
        });
        done.map_err(|error| self.undo("publish in a transaction", &error))
    }

    /// Commits `unit` and what was written since the last commit. Returns where the changelog ends
    /// now, by partition.
    pub(super) fn commit(
        &mut self,
        unit: &Unit,
        offsets: &TopicPartitionList,
        generation: &ConsumerGroupMetadata,
    ) -> Result<HashMap<u32, u64>, LogError> {
        let framed = match (&self.registry, self.group.state) {
            (Some(registry), Some(changelog)) => Some(registry.framed_unit(changelog, unit)?),
            _ => None,
        };
        let unit = framed.as_ref().unwrap_or(unit);
        let done = self.begin().and_then(|()| {
            self.write_states(unit)?;
            self.drain()?;
            let producer = &self.producer;
            retried(|| producer.send_offsets_to_transaction(offsets, generation, STEP_WITHIN))?;
            retried(|| producer.commit_transaction(STEP_WITHIN))
        });
        match done {
            Ok(()) => {
                self.open = false;
                Ok(std::mem::take(&mut self.producer.context().ends.lock()))
            }
            Err(error) => Err(self.undo("commit", &error)),
        }
    }

    /// What was begun is undone; a fenced producer cannot even do that, and need not.
    fn undo(&mut self, what: &str, error: &KafkaError) -> LogError {
        let abortable =
            matches!(error, KafkaError::Transaction(error) if error.txn_requires_abort());
        if abortable || !is_fenced(error) {
            self.abort();
        }
        self.open = false;
        log_error(what, error)
    }

    /// Undoes what was begun, at once: left open it would hold up every reader until it times out.
    pub(super) fn abort(&mut self) {
        if std::mem::take(&mut self.open) {
            let _ = self.producer.abort_transaction(STEP_WITHIN);
        }
    }

    /// Writes the states and where the partitions are left.
    fn write_states(&self, unit: &Unit) -> Result<(), KafkaError> {
        let Some(topic) = &self.changelog else { return Ok(()) };
        let left_key = changelog::left_key(&self.group);
        for part in &unit.partitions {
            let partition = number(part.lease.partition);
            for (key, row) in &part.changes {
                let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
                    .partition(partition)
                    .key(&key[..])
                    .timestamp(unit.time_ms);
                record.headers = changelog::state_headers(row.as_ref());
                if let Some(row) = row {
                    record = record.payload(&row.value[..]);
                }
                self.send(record)?;
            }
            let left = Left::of(part).to_bytes();
            let marked = OwnedHeaders::new().insert(Header { key: LEFT, value: Some("1") });
            let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
                .partition(partition)
                .key(left_key.as_bytes())
                .payload(&left[..])
                .timestamp(unit.time_ms)
                .headers(marked);
            self.send(record)?;
        }
        Ok(())
    }

    /// Hands one record over, waiting while the client's queue is full.
    fn send(&self, record: BaseRecord<'_, [u8], [u8]>) -> Result<(), KafkaError> {
        let until = Instant::now() + STEP_WITHIN;
        let mut record = record;
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back))
                    if Instant::now() < until =>
                {
                    self.producer.poll(Duration::from_millis(1));
                    record = back;
                }
                Err((error, _)) => return Err(error),
            }
        }
    }

    /// Waits until everything is delivered, looking often instead of waiting out a deadline.
    fn drain(&self) -> Result<(), KafkaError> {
        let until = Instant::now() + STEP_WITHIN;
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > until {
                return Err(KafkaError::MessageProduction(RDKafkaErrorCode::OperationTimedOut));
            }
            self.producer.poll(Duration::ZERO);
            std::thread::sleep(DRAIN_PAUSE);
        }
        match self.producer.context().failed.lock().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }
}

impl Drop for Transactions {
    fn drop(&mut self) {
        self.abort();
    }
}

/// A step the broker asks to be tried again is tried again.
fn retried(step: impl Fn() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    let until = Instant::now() + STEP_WITHIN;
    loop {
        match step() {
            Err(KafkaError::Transaction(error))
                if error.is_retriable() && Instant::now() < until => {}
            done => return done,
        }
    }
}
