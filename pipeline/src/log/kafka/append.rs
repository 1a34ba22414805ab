//! Publishing: an idempotent producer, in order, acknowledged by all replicas.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::{Delivery, DeliveryFuture};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::client::{Clients, log_error};
use super::complaints::Complaints;
use super::registry::Registry;
use super::wire::{self, Places};
use crate::log::{AppendError, Durable, LogError};
use crate::record::Record;

/// Pause when the client's own queue is full, and how long an append puts up with it.
const FULL_PAUSE: Duration = Duration::from_millis(2);
const FULL_WITHIN: Duration = Duration::from_millis(500);

/// One idempotent producer.
pub(super) struct Publisher {
    producer: FutureProducer<Complaints>,
    places: Places,
    registry: Option<Arc<Registry>>,
    complaints: Complaints,
}

impl Publisher {
    pub(super) fn new(
        clients: &Clients,
        registry: Option<Arc<Registry>>,
    ) -> Result<Self, LogError> {
        let complaints = Complaints::default();
        let producer = clients
            .producer()
            .create_with_context(complaints.clone())
            .map_err(|error| log_error("make a producer", &error))?;
        Ok(Self { producer, places: clients.places(), registry, complaints })
    }

    /// `records` as they go to the brokers.
    async fn framed(&self, records: Vec<Record>) -> Result<Vec<Record>, LogError> {
        match &self.registry {
            Some(registry) => registry.framed_all(records).await,
            None => Ok(records),
        }
    }

    /// Hands a record to the client; gives it back when the client's queue is full.
    fn send(&self, record: &Record) -> Result<DeliveryFuture, KafkaError> {
        let (topic, partition) = self.places.of(record);
        let mut message: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic)
            .key(&record.key[..])
            .partition(partition)
            .timestamp(record.time_ms)
            .headers(wire::headers_of(&record.headers));
        if let Some(value) = &record.value {
            message = message.payload(&value[..]);
        }
        self.producer.send_result(message).map_err(|(error, _)| error)
    }

    /// Hands records over in order, waiting for room; `None` when there was none for too long and
    /// nothing was handed over.
    async fn send_all(
        &self,
        records: &[Record],
        within: Option<Duration>,
    ) -> Result<Option<Vec<DeliveryFuture>>, KafkaError> {
        let started = tokio::time::Instant::now();
        let mut sent = Vec::with_capacity(records.len());
        for record in records {
            loop {
                match self.send(record) {
                    Ok(delivery) => break sent.push(delivery),
                    Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                        let waited = started.elapsed();
                        if sent.is_empty() && within.is_some_and(|within| waited > within) {
                            return Ok(None);
                        }
                        tokio::time::sleep(FULL_PAUSE).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(Some(sent))
    }

    /// Appends; `Busy` when the brokers do not keep up.
    pub(super) async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        let failed = |error: KafkaError| AppendError::Failed(self.complaints.added_to(&error));
        let records = self
            .framed(records)
            .await
            .map_err(|error| AppendError::Failed(format!("nothing was written: {error}")))?;
        let sent = self.send_all(&records, Some(FULL_WITHIN)).await.map_err(failed)?;
        let Some(sent) = sent else {
            return Err(AppendError::Busy { retry_after: FULL_WITHIN });
        };
        let mut placed = Vec::with_capacity(sent.len());
        for delivery in join_all(sent).await {
            let Delivery { partition, offset, .. } = delivered(delivery).map_err(failed)?;
            placed.push((partition.unsigned_abs(), offset.unsigned_abs()));
        }
        Ok(Durable(placed))
    }

    /// Publishes outputs in order.
    pub(super) async fn publish(&self, records: Vec<Record>) -> Result<(), LogError> {
        let failed = |error: KafkaError| log_error("publish", &error);
        let records = self.framed(records).await?;
        let sent = self.send_all(&records, None).await.map_err(failed)?;
        for delivery in join_all(sent.unwrap_or_default()).await {
            delivered(delivery).map_err(failed)?;
        }
        Ok(())
    }
}

type Delivered = <DeliveryFuture as Future>::Output;

/// A time-out of the client is an error like any other: whoever published does it again.
fn delivered(delivery: Delivered) -> Result<Delivery, KafkaError> {
    match delivery {
        Ok(Ok(delivery)) => Ok(delivery),
        Ok(Err((error, _))) => Err(error),
        Err(_) => Err(KafkaError::Canceled),
    }
}
