//! One idempotent producer: records handed over in order, and what became of each.

use std::sync::Arc;
use std::time::Instant;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseRecord, ProducerContext};

use super::client::Clients;
use super::complaints::Complaints;
use super::parcel::Label;
use super::polled::Polled;
use super::registry::Registry;
use super::wire::{self, Places, Routed};
use crate::log::LogError;
use crate::record::Record;

impl ProducerContext for Complaints {
    type DeliveryOpaque = Box<Label>;

    fn delivery(&self, result: &DeliveryResult<'_>, mut label: Box<Label>) {
        let became = match result {
            Ok(message) => {
                Ok((message.partition().unsigned_abs(), message.offset().unsigned_abs()))
            }
            Err((error, _)) => Err(error.clone()),
        };
        if let Some(seat) = label.seat.take()
            && (became.is_ok() || became.as_ref().is_err_and(is_too_large))
        {
            seat.answered(Instant::now());
        }
        label.tell(became);
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

    /// Where `records` go, as they are best handed over.
    pub(super) fn routed<'r>(&self, records: &'r [Record]) -> Vec<Routed<'r>> {
        self.places.routed(records)
    }

    /// Hands a record over to the client, which keeps a copy of it.
    pub(super) fn send(&self, routed: &Routed<'_>, label: Box<Label>) -> Result<(), KafkaError> {
        let Routed { topic, partition, record, .. } = routed;
        let mut message: BaseRecord<'_, [u8], [u8], _> = BaseRecord::with_opaque_to(topic, label)
            .key(&record.key[..])
            .partition(*partition)
            .timestamp(record.time_ms)
            .headers(wire::headers_of(&record.headers));
        if let Some(value) = &record.value {
            message = message.payload(&value[..]);
        }
        self.client.send(message)
    }

    /// What the client complains of.
    pub(super) fn complaints(&self) -> &Complaints {
        &self.complaints
    }
}

/// Whether nobody takes a record of this size.
pub(super) fn is_too_large(error: &KafkaError) -> bool {
    error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageSizeTooLarge)
}
