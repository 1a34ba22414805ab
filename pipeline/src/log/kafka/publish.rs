//! Publishing outputs: in order, or not at all from some record on.
//!
//! A reader takes what it has seen the origin of, or of anything made later, for a repeat. So no output
//! may fail and one behind it be written: the client never gives up on one by itself
//! ([`Clients::publisher`]), and whoever published begins again from the last commit, with another
//! producer, when the brokers take too long.

use std::sync::Arc;
use std::time::Duration;

use futures::future::try_join_all;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use tokio::time::timeout;

use super::client::{Clients, log_error};
use super::produce::{Delivery, Producer, delivered};
use super::registry::Registry;
use crate::log::LogError;
use crate::record::Record;

/// How long the brokers may take to confirm outputs.
const CONFIRMED_WITHIN: Duration = Duration::from_secs(30);
/// Pause when the client's own queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(2);

/// Outputs of one member.
pub(super) struct Publisher {
    producer: Producer,
}

impl Publisher {
    pub(super) fn new(
        clients: &Clients,
        registry: Option<Arc<Registry>>,
    ) -> Result<Self, LogError> {
        Ok(Self { producer: Producer::new(clients, &clients.publisher(), registry)? })
    }

    /// Publishes outputs in order.
    pub(super) async fn publish(&self, records: Vec<Record>) -> Result<(), LogError> {
        let records = self.producer.framed(records).await?;
        let confirmed = async {
            let sent = self.send_all(&records).await?;
            try_join_all(sent.into_iter().map(delivered)).await
        };
        match timeout(CONFIRMED_WITHIN, confirmed).await {
            Ok(done) => done.map(|_| ()).map_err(|error| failed(&error)),
            Err(_) => Err(LogError::Redeliver(format!(
                "publish: the brokers did not confirm outputs within {} s{}",
                CONFIRMED_WITHIN.as_secs(),
                self.producer.complaint()
            ))),
        }
    }

    /// Hands records over in order, waiting for room.
    async fn send_all(&self, records: &[Record]) -> Result<Vec<Delivery>, KafkaError> {
        let mut sent = Vec::with_capacity(records.len());
        for record in records {
            loop {
                match self.producer.send(record, None) {
                    Ok(delivery) => break sent.push(delivery),
                    Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) => {
                        tokio::time::sleep(FULL_PAUSE).await;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(sent)
    }
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
