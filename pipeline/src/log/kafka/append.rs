//! Appending for doors: bounded in memory, bounded in time, and refused at once while the brokers are
//! silent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::timeout;

use super::client::Clients;
use super::flight::{Flight, Seat};
use super::parcel::Parcel;
use super::produce::{Producer, is_too_large};
use super::registry::Registry;
use crate::log::{AppendError, Durable, LogError};
use crate::record::Record;

/// How long the brokers may take to confirm an append. The client gives its records up a little
/// sooner, but looks only once a second.
const CONFIRMED_WITHIN: Duration = Duration::from_millis(4_500);
/// Pause when the client has no room for a record.
const FULL_PAUSE: Duration = Duration::from_millis(100);

/// Appends of this process.
pub(super) struct Appender {
    producer: Producer,
    flight: Arc<Flight>,
    record_bytes_max: usize,
}

impl Appender {
    pub(super) fn new(
        clients: &Clients,
        registry: Option<Arc<Registry>>,
    ) -> Result<Self, LogError> {
        Ok(Self {
            producer: Producer::new(clients, &clients.appender(), registry)?,
            flight: Arc::default(),
            record_bytes_max: clients.options().record_bytes_max,
        })
    }

    pub(super) async fn append(&self, records: Vec<Record>) -> Result<Durable, AppendError> {
        let sizes: Vec<usize> = records.iter().map(Record::size).collect();
        if sizes.iter().any(|bytes| *bytes > self.record_bytes_max) {
            return Err(AppendError::TooLarge { bytes_max: self.record_bytes_max });
        }
        let busy = |retry_after| AppendError::Busy { retry_after };
        let seats = self.flight.board(&sizes, Instant::now()).map_err(busy)?;
        let records = self
            .producer
            .framed(records)
            .await
            .map_err(|error| AppendError::Failed(format!("nothing was written: {error}")))?;
        let parcel = Parcel::of(records.len());
        let mut seats: Vec<Option<Seat>> = seats.into_iter().map(Some).collect();
        for (before, routed) in self.producer.routed(&records).iter().enumerate() {
            let seat = seats.get_mut(routed.at).and_then(Option::take);
            match self.producer.send(routed, parcel.label(routed.at, seat)) {
                Ok(()) => {}
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) if before == 0 => {
                    return Err(busy(FULL_PAUSE));
                }
                Err(error) => return Err(self.failed(&error)),
            }
        }
        match timeout(CONFIRMED_WITHIN, parcel.placed()).await {
            Ok(Ok(placed)) => Ok(Durable(placed)),
            Ok(Err(error)) => Err(self.failed(&error)),
            Err(_) => Err(AppendError::Failed(format!(
                "the brokers did not confirm it within {} s; it is not known whether they have it{}",
                CONFIRMED_WITHIN.as_secs_f64(),
                self.producer.complaints().ending()
            ))),
        }
    }

    fn failed(&self, error: &KafkaError) -> AppendError {
        if is_too_large(error) {
            return AppendError::TooLarge { bytes_max: self.record_bytes_max };
        }
        AppendError::Failed(self.producer.complaints().added_to(error))
    }
}
