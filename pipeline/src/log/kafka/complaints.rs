//! What the client library says went wrong with the brokers. Its calls just time out, whether a
//! broker is away, a password wrong or a certificate unknown; only its error events tell which.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::client::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// Keeps the latest complaint. Clones hear the same.
#[derive(Clone, Default)]
pub(super) struct Complaints {
    latest: Arc<Mutex<Option<Complaint>>>,
}

/// A complaint.
#[derive(Clone)]
pub(super) struct Complaint {
    /// No waiting helps.
    pub(super) lasting: bool,
    /// In the library's words, and what to check.
    pub(super) words: String,
    /// How much it explains: a lesser one does not take its place.
    worth: u8,
}

impl Complaints {
    /// The latest complaint.
    pub(super) fn latest(&self) -> Option<Complaint> {
        self.latest.lock().clone()
    }

    /// The latest complaint, to end a sentence with.
    pub(super) fn ending(&self) -> String {
        self.latest().map_or_else(String::new, |said| format!(": {}", said.words))
    }

    /// `error`, with what the library complained of.
    pub(super) fn added_to(&self, error: &KafkaError) -> String {
        match self.latest() {
            Some(Complaint { words, .. }) => format!("{error}: {words}"),
            None => error.to_string(),
        }
    }
}

/// What to check, for what no waiting helps against.
pub(super) fn advice(code: Option<RDKafkaErrorCode>) -> Option<&'static str> {
    match code {
        Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
            Some("check the Kafka user, its password and the SASL mechanism")
        }
        Some(RDKafkaErrorCode::SSL) => Some(
            "check the CA file the brokers' certificates are checked with, the names in them, our \
             certificate and key, and that the port is the encrypted one",
        ),
        _ => None,
    }
}

impl ClientContext for Complaints {
    fn error(&self, error: KafkaError, reason: &str) {
        let advice = advice(error.rdkafka_error_code());
        tracing::warn!(%error, reason, "the Kafka client complains");
        let words = match advice {
            Some(advice) => format!("{reason}; {advice}"),
            None => reason.to_owned(),
        };
        let mut latest = self.latest.lock();
        let worth = match error.rdkafka_error_code() {
            // Follows from a wrong password, a wrong port, a broker that is away: never why.
            Some(RDKafkaErrorCode::AllBrokersDown) => 0,
            _ => 1 + u8::from(advice.is_some()),
        };
        if latest.as_ref().is_none_or(|before| worth >= before.worth) {
            *latest = Some(Complaint { lasting: advice.is_some(), words, worth });
        }
    }
}

impl ConsumerContext for Complaints {}
