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
//! for until all are handed over. What was published before is always confirmed by then, so that the two
//! never write at the same time.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::timeout;

use super::Shared;
use super::client::log_error;
use super::parcel::Parcel;
use super::produce::Producer;
use crate::log::LogError;
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
}

impl Publisher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, few: None, many: None }
    }

    fn producer(&mut self, records: usize) -> Result<&Producer, LogError> {
        let clients = &self.shared.clients;
        let (producer, settings) = match records {
            ..MANY => (&mut self.few, clients.publisher()),
            MANY.. => (&mut self.many, clients.publisher_of_many()),
        };
        Ok(match producer {
            Some(made) => made,
            none => none.insert(Producer::new(clients, &settings, self.shared.registry.clone())?),
        })
    }

    /// Publishes outputs, each partition's in order.
    pub(super) async fn publish(&mut self, records: Vec<Record>) -> Result<(), LogError> {
        let producer = self.producer(records.len())?;
        let records = producer.framed(records).await?;
        let confirmed = async {
            let parcel = Parcel::of(records.len());
            send_all(producer, &records, &parcel).await?;
            parcel.placed().await
        };
        match timeout(CONFIRMED_WITHIN, confirmed).await {
            Ok(done) => done.map(|_| ()).map_err(|error| failed(&error)),
            Err(_) => Err(LogError::Redeliver(format!(
                "publish: the brokers did not confirm outputs within {} s{}",
                CONFIRMED_WITHIN.as_secs(),
                producer.complaint()
            ))),
        }
    }
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
