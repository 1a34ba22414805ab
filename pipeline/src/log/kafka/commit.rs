//! Commits: states, watermarks and positions in one transaction, fenced by the group's generation.
//!
//! Two stalls of 100 ms hide in the client and are avoided here: rust-rdkafka's `flush`, which
//! `commit_transaction` calls, waits out its deadline when anything is in flight, so the queue is
//! drained first; and AddOffsetsToTxn right behind a commit is refused until the markers are written
//! and tried again after `retry.backoff.ms`, which is set short.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use data_encoding::BASE64_NOPAD;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};
use tokio::sync::oneshot;

use super::changelog::{self, LEFT, Left};
use super::client::{Clients, is_fenced, log_error};
use super::consume::Heard;
use crate::log::{Group, LogError, Unit};

/// How long a step of a transaction may take.
const STEP_WITHIN: Duration = Duration::from_secs(10);
/// Pause between two looks at whether everything has been delivered.
const DRAIN_PAUSE: Duration = Duration::from_micros(200);

type Asked = (Unit, oneshot::Sender<Result<(), LogError>>);

/// Commits on a thread of its own.
pub(super) struct Committer {
    asked: Sender<Asked>,
}

/// What the thread works with.
struct Work {
    consumer: Arc<BaseConsumer<Heard>>,
    group: Group,
    input: String,
    changelog: Option<Changelog>,
}

struct Changelog {
    topic: String,
    producer: BaseProducer,
    begun_once: bool,
}

impl Committer {
    pub(super) fn start(
        clients: &Clients,
        consumer: Arc<BaseConsumer<Heard>>,
        group: &Group,
        member: &str,
    ) -> Result<Self, LogError> {
        let changelog = match group.state {
            None => None,
            Some(topic) => Some(Changelog {
                topic: clients.topic_name(topic),
                producer: clients
                    .committer(group, member)
                    .create()
                    .map_err(|error| log_error("make a committing producer", &error))?,
                begun_once: false,
            }),
        };
        let input = clients.topic_name(group.input);
        let work = Work { consumer, group: group.clone(), input, changelog };
        let (asked, requests) = channel();
        std::thread::Builder::new()
            .name(format!("{}-commit", group.name))
            .spawn(move || work.run(&requests))
            .map_err(|error| LogError::Fatal(format!("no thread to commit on: {error}")))?;
        Ok(Self { asked })
    }

    pub(super) async fn commit(&self, unit: Unit) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        let gone = || LogError::Redeliver("the committing thread has ended".to_owned());
        self.asked.send((unit, reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Work {
    fn run(mut self, requests: &Receiver<Asked>) {
        while let Ok((unit, reply)) = requests.recv() {
            let done = self.commit(&unit);
            let _ = reply.send(done);
        }
    }

    fn commit(&mut self, unit: &Unit) -> Result<(), LogError> {
        let epochs = &self.consumer.context().epochs;
        if unit.partitions.iter().any(|part| !epochs.holds(part.lease)) {
            return Err(LogError::Fenced { group: self.group.name.to_string() });
        }
        match &mut self.changelog {
            Some(changelog) => {
                transaction(changelog, &self.consumer, &self.group, &self.input, unit)
            }
            None => offsets_only(&self.consumer, &self.input, unit),
        }
    }
}

/// Positions as the broker takes them. Without a changelog the rest of what is to be remembered goes
/// into the offset's metadata.
fn offsets(input: &str, unit: &Unit, with_left: bool) -> Result<TopicPartitionList, KafkaError> {
    let mut list = TopicPartitionList::with_capacity(unit.partitions.len());
    for part in &unit.partitions {
        let partition = i32::try_from(part.lease.partition).unwrap_or(i32::MAX);
        let mut element = list.add_partition(input, partition);
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

fn offsets_only(consumer: &BaseConsumer<Heard>, input: &str, unit: &Unit) -> Result<(), LogError> {
    offsets(input, unit, true)
        .and_then(|list| consumer.commit(&list, CommitMode::Sync))
        .map_err(|error| log_error("commit offsets", &error))
}

fn transaction(
    changelog: &mut Changelog,
    consumer: &BaseConsumer<Heard>,
    group: &Group,
    input: &str,
    unit: &Unit,
) -> Result<(), LogError> {
    let failed = |error: KafkaError| log_error("commit", &error);
    if !changelog.begun_once {
        changelog.producer.init_transactions(STEP_WITHIN).map_err(failed)?;
        changelog.begun_once = true;
    }
    let generation = consumer
        .group_metadata()
        .ok_or_else(|| LogError::Redeliver("the group's generation is not known yet".to_owned()))?;
    let producer = &changelog.producer;
    producer.begin_transaction().map_err(failed)?;
    let done = write(producer, &changelog.topic, group, unit)
        .and_then(|()| drain(producer))
        .and_then(|()| offsets(input, unit, false))
        .and_then(|list| {
            retried(|| producer.send_offsets_to_transaction(&list, &generation, STEP_WITHIN))
        })
        .and_then(|()| retried(|| producer.commit_transaction(STEP_WITHIN)));
    done.map_err(|error| {
        // What was begun is undone; a fenced producer cannot even do that, and need not.
        if !is_fenced(&error)
            || matches!(&error, KafkaError::Transaction(e) if e.txn_requires_abort())
        {
            let _ = producer.abort_transaction(STEP_WITHIN);
        }
        failed(error)
    })
}

/// Writes the states and where the partitions are left.
fn write(
    producer: &BaseProducer,
    topic: &str,
    group: &Group,
    unit: &Unit,
) -> Result<(), KafkaError> {
    let left_key = changelog::left_key(group);
    for part in &unit.partitions {
        let partition = i32::try_from(part.lease.partition).unwrap_or(i32::MAX);
        for (key, row) in &part.changes {
            let mut record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
                .partition(partition)
                .key(&key[..])
                .timestamp(unit.time_ms)
                .headers(changelog::state_headers(row.as_ref()));
            if let Some(row) = row {
                record = record.payload(&row.value[..]);
            }
            send(producer, record)?;
        }
        let left = Left::of(part).to_bytes();
        let marked = OwnedHeaders::new().insert(Header { key: LEFT, value: Some("1") });
        let record: BaseRecord<'_, [u8], [u8]> = BaseRecord::to(topic)
            .partition(partition)
            .key(left_key.as_bytes())
            .payload(&left[..])
            .timestamp(unit.time_ms)
            .headers(marked);
        send(producer, record)?;
    }
    Ok(())
}

fn send(producer: &BaseProducer, record: BaseRecord<'_, [u8], [u8]>) -> Result<(), KafkaError> {
    let mut record = record;
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((
                KafkaError::MessageProduction(rdkafka::types::RDKafkaErrorCode::QueueFull),
                back,
            )) => {
                producer.poll(DRAIN_PAUSE);
                record = back;
            }
            Err((error, _)) => return Err(error),
        }
    }
}

/// Waits until everything is delivered, looking often instead of waiting out a deadline.
fn drain(producer: &BaseProducer) -> Result<(), KafkaError> {
    let until = Instant::now() + STEP_WITHIN;
    while producer.in_flight_count() > 0 {
        if Instant::now() > until {
            return Err(KafkaError::MessageProduction(
                rdkafka::types::RDKafkaErrorCode::OperationTimedOut,
            ));
        }
        producer.poll(Duration::ZERO);
        std::thread::sleep(DRAIN_PAUSE);
    }
    Ok(())
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
