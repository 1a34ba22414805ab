//! Publishing outputs: in order, or not at all from some record on.
//!
//! A reader takes what it has seen the origin of, or of anything made later, for a repeat. So no output
//! may fail and one behind it be written: the client never gives up on one by itself
//! ([`Clients::publisher`]), and whoever published begins again from the last commit, with another
//! producer, when the brokers take too long.
//!
//! Few records and many go by clients of their own. Of few none waits for another: `linger.ms` is 0. Of
//! many the first would then travel alone, and while a partition has more than five records on their way
//! an idempotent client looks without pause whether it may send the next (librdkafka 2.12,
//! `rd_kafka_toppar_producer_serve`): that cost more than all the rest of publishing. So many are waited
//! for until all are handed over, and nothing else is on its way with them: the thread that makes the next
//! batch beside them made no more of them (on two cores), and took a tenth more of CPU time. The two clients
//! never write at the same time.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::Shared as Told;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::client::log_error;
use super::complaints::Complaints;
use super::parcel::Parcel;
use super::produce::Producer;
use crate::log::{Confirmation, LogError, PUBLICATIONS_MAX};
use crate::record::Record;

/// How long the brokers may take to confirm outputs.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(30);
/// Pause when the client's own queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(2);
/// From how many records on they are many.
const MANY: usize = 128;

/// Outputs of one member. Its clients are made when they are first needed.
pub(super) struct Publisher {
    shared: Arc<Shared>,
    few: Option<Producer>,
    many: Option<Producer>,
    /// What is on its way.
    on_their_way: Vec<Told<Confirmation>>,
    /// Whether the client of many has it.
    by_many: bool,
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, few: None, many: None, on_their_way: Vec::new(), by_many: false }
    }

    /// The client for so many records, when they may be handed over: few may follow few.
    async fn producer(&mut self, records: usize) -> Result<&Producer, LogError> {
        let many = records >= MANY;
        if many || self.by_many {
            for before in std::mem::take(&mut self.on_their_way) {
                before.await?;
            }
        }
        self.on_their_way.retain(|publishing| publishing.peek().is_none());
        self.by_many = many;
        let clients = &self.shared.clients;
        let (producer, settings) = if many {
            (&mut self.many, clients.publisher_of_many())
        } else {
            (&mut self.few, clients.publisher())
        };
        Ok(match producer {
            Some(made) => made,
            none => none.insert(Producer::new(clients, &settings, self.shared.registry.clone())?),
        })
    }

    /// How many publications may be on their way at one time.
    pub(super) fn publications_max(&self) -> usize {
        if self.by_many { 1 } else { PUBLICATIONS_MAX }
    }

    /// Hands outputs over, each partition's in order.
    pub(super) async fn hand_over(
        &mut self,
        records: Vec<Record>,
    ) -> Result<Confirmation, LogError> {
        let producer = self.producer(records.len()).await?;
        let records = producer.framed(records).await?;
        let until = Instant::now() + CONFIRMED_WITHIN;
        let parcel = Parcel::of(records.len());
        let complaints = producer.complaints().clone();
        match timeout_at(until, send_all(producer, &records, &parcel)).await {
            Ok(done) => done.map_err(|error| failed(&error))?,
            Err(_) => return Err(late(&complaints)),
        }
        let confirmed: Confirmation = Box::pin(async move {
            match timeout_at(until, parcel.placed()).await {
                Ok(done) => done.map(|_| ()).map_err(|error| failed(&error)),
                Err(_) => Err(late(&complaints)),
            }
        });
        let told = confirmed.shared();
        self.on_their_way.push(told.clone());
        Ok(Box::pin(told))
    }
}

/// What outputs that are not confirmed in time mean, with what the client complained of.
fn late(complaints: &Complaints) -> LogError {
    LogError::Redeliver(format!(
        "publish: the brokers did not confirm outputs within {} s{}",
        CONFIRMED_WITHIN.as_secs(),
        complaints.ending()
    ))
}

/// Hands records over, each partition's in order, waiting for room.
async fn send_all(
    producer: &Producer,
    records: &[Record],
    parcel: &Arc<Parcel>,
) -> Result<(), KafkaError> {
    for routed in producer.routed(records) {
        loop {
            match producer.send(&routed, parcel.label(routed.at, None)) {
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                    tokio::time::sleep(FULL_PAUSE).await;
                }
                done => break done?,
            }
        }
    }
    Ok(())
}

/// What an output that failed means. A producer that has broken takes all behind it along, and a new
/// one begins again from the last commit.
fn failed(error: &KafkaError) -> LogError {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::Fatal | RDKafkaErrorCode::GaplessGuarantee) => {
            LogError::Redeliver(format!("publish: {error}"))
        }
        Some(RDKafkaErrorCode::MessageSizeTooLarge) => LogError::Fatal(format!(
            "publish: {error}; the brokers take less than the topics are made for: see `topics apply`"
        )),
        _ => log_error("publish", error),
    }
}
