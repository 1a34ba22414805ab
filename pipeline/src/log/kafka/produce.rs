//! One idempotent producer: records handed over in order, and what became of each.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, ProducerContext};
use tokio::sync::oneshot;

use super::client::Clients;
use super::complaints::Complaints;
use super::flight::Seat;
use super::polled::Polled;
use super::registry::Registry;
use super::wire::{self, Places};
use crate::log::LogError;
use crate::record::{Offset, Record};

/// Where a record came to lie.
pub(super) type Placed = (u32, Offset);
/// What will become of a record.
pub(super) type Delivery = oneshot::Receiver<Result<Placed, KafkaError>>;

/// What travels with a record and comes back with the brokers' word on it.
pub(super) struct Companion {
    told: oneshot::Sender<Result<Placed, KafkaError>>,
    seat: Option<Seat>,
}

impl ProducerContext for Complaints {
    type DeliveryOpaque = Box<Companion>;

    fn delivery(&self, result: &DeliveryResult<'_>, companion: Box<Companion>) {
        let Companion { told, seat } = *companion;
        let became = match result {
            Ok(message) => {
                Ok((message.partition().unsigned_abs(), message.offset().unsigned_abs()))
            }
            Err((error, _)) => Err(error.clone()),
        };
        if let Some(seat) = seat
            && (became.is_ok() || became.as_ref().is_err_and(is_too_large))
        {
            seat.answered(Instant::now());
        }
        // Whoever appended may have stopped waiting.
        let _ = told.send(became);
    }
}

/// One idempotent producer.
pub(super) struct Producer {
    client: Polled,
    places: Places,
    registry: Option<Arc<Registry>>,
    complaints: Complaints,
}

impl Producer {
    pub(super) fn new(
        clients: &Clients,
        settings: &ClientConfig,
        registry: Option<Arc<Registry>>,
    ) -> Result<Self, LogError> {
        let complaints = Complaints::default();
        let client = Polled::start(settings, &complaints)?;
        Ok(Self { client, places: clients.places(), registry, complaints })
    }

    /// `records` as they go to the brokers.
    pub(super) async fn framed(&self, records: Vec<Record>) -> Result<Vec<Record>, LogError> {
        match &self.registry {
            Some(registry) => registry.framed_all(records).await,
            None => Ok(records),
        }
    }

    /// Hands a record to the client, which keeps a copy of it.
    pub(super) fn send(&self, record: &Record, seat: Option<Seat>) -> Result<Delivery, KafkaError> {
        let (topic, partition) = self.places.of(record);
        let (told, delivery) = oneshot::channel();
        let companion = Box::new(Companion { told, seat });
        let mut message: BaseRecord<'_, [u8], [u8], _> =
            BaseRecord::with_opaque_to(&topic, companion)
                .key(&record.key[..])
                .partition(partition)
                .timestamp(record.time_ms)
                .headers(wire::headers_of(&record.headers));
        if let Some(value) = &record.value {
            message = message.payload(&value[..]);
        }
        self.client.send(message).map(|()| delivery)
    }

    /// What the client complained of, to end a sentence with.
    pub(super) fn complaint(&self) -> String {
        self.complaints.latest().map_or_else(String::new, |said| format!(": {}", said.words))
    }

    /// `error`, with what the client complained of.
    pub(super) fn words(&self, error: &KafkaError) -> String {
        self.complaints.added_to(error)
    }
}

/// What became of a record; a producer that is gone tells no more.
pub(super) async fn delivered(delivery: Delivery) -> Result<Placed, KafkaError> {
    delivery.await.unwrap_or(Err(KafkaError::Canceled))
}

/// Whether nobody takes a record of this size.
pub(super) fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}
