//! A producer and the thread on which it tells what became of records.
//!
//! rust-rdkafka's own (`ThreadedProducer`) asks the client for 100 ms at a time. The client counts whole
//! milliseconds, so for the last part of one it is asked again and again without waiting: a hundredth
//! of a core for each producer, busy or not. Asked for longer, that part weighs less.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord};

use super::client::log_error;
use super::complaints::Complaints;
use super::parcel::Label;
use crate::log::LogError;

/// How long the client is asked for at a time; so long a drop may take.
const ASKED_FOR: Duration = Duration::from_millis(500);

/// A producer that tells by itself.
pub(super) struct Polled {
    client: Arc<BaseProducer<Complaints>>,
    over: Arc<AtomicBool>,
    polling: Option<JoinHandle<()>>,
}

impl Polled {
    pub(super) fn start(
        settings: &ClientConfig,
        complaints: &Complaints,
    ) -> Result<Self, LogError> {
        let client: BaseProducer<Complaints> = settings
            .create_with_context(complaints.clone())
            .map_err(|error| log_error("make a producer", &error))?;
        let (client, over) = (Arc::new(client), Arc::new(AtomicBool::new(false)));
        let (polled, ended) = (Arc::clone(&client), Arc::clone(&over));
        let polling = std::thread::Builder::new()
            .name("delivered".to_owned())
            .spawn(move || {
                while !ended.load(Ordering::Relaxed) {
                    polled.poll(ASKED_FOR);
                }
            })
            .map_err(|error| {
                LogError::Fatal(format!("no thread to hear of deliveries: {error}"))
            })?;
        Ok(Self { client, over, polling: Some(polling) })
    }

    /// Hands a record over, with who is to be told of it.
    pub(super) fn send(
        &self,
        record: BaseRecord<'_, [u8], [u8], Box<Label>>,
    ) -> Result<(), KafkaError> {
        self.client.send(record).map_err(|(error, back)| {
            back.delivery_opaque.unsent();
            error
        })
    }
}

impl Drop for Polled {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(polling) = self.polling.take() {
            let _ = polling.join();
        }
    }
}
