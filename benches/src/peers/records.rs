//! What crosses the topics of the comparison: JSON, the same bytes for everyone.
//!
//! | topic | value |
//! |---|---|
//! | `in` | `{"id", "text"}` |
//! | `auto`, `human` | `{"id", "intent", "confidence", "text"}`: the message, to where it goes |
//! | `decisions` | `{"id", "intent", "confidence", "in_scope", "route"}`: a record of it |
//!
//! All are keyed by the customer, whose messages keep their order.

use schemas::message::Tick;
use schemas::topics::{Retention, Topic, TopicSpec};
use schemas::{Avro, CodecError, Input};
use serde::{Deserialize, Serialize};

/// Messages to classify.
pub const IN: Topic = Topic("in");
/// Those to answer.
pub const AUTO: Topic = Topic("auto");
/// Those for people.
pub const HUMAN: Topic = Topic("human");
/// What was decided.
pub const DECISIONS: Topic = Topic("decisions");

/// Into how many partitions each is divided.
pub const PARTITIONS: u32 = 4;

/// All topics.
pub fn topics() -> Vec<TopicSpec> {
    let retention = Retention::Hours(1);
    let spec = |topic| TopicSpec { topic, record: "", retention, public: false };
    [IN, AUTO, HUMAN, DECISIONS].into_iter().map(spec).collect()
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Its place in the run.
    pub id: u64,
    /// What the customer wrote.
    pub text: String,
}

/// What a reader needs of any output.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Said {
    /// Of which message.
    pub id: u64,
    /// The best intent; none where nobody scored.
    #[serde(default)]
    pub intent: String,
    /// The probability that it is right.
    #[serde(default)]
    pub confidence: f64,
    /// In a decision only: `auto` or `human`.
    pub route: Option<String>,
}

/// JSON in the place of the product's Avro, so that no peer pays for the product's format.
impl Avro for Message {
    const NAME: &'static str = "peers.Message";

    /// Never asked for: both directions are JSON.
    fn codec() -> &'static schemas::codec::Codec {
        Tick::codec()
    }

    fn write(&self, to: &mut Vec<u8>) -> Result<(), CodecError> {
        write_json(self, to)
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        serde_json::from_slice(bytes)
            .map_err(|error| CodecError::Corrupt { name: Self::NAME, detail: error.to_string() })
    }
}

impl Input for Message {}

/// Appends a value as JSON.
pub fn write_json<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<(), CodecError> {
    serde_json::to_writer(to, value).map_err(|error| CodecError::Unwritable {
        name: "a record of the comparison",
        detail: error.to_string(),
    })
}
