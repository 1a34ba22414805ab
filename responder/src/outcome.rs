//! How effects tell the line what came of their work: a record back into `inbound`.

use bytes::Bytes;
use pipeline::{Outcome, Record};
use schemas::Avro;
use schemas::line::{Inbound, InboundBody};
use schemas::topics::INBOUND;

/// Writes `body` down under the key of the record it came from.
pub(crate) fn told(key: &Bytes, body: InboundBody, now_ms: i64) -> Outcome {
    match (Inbound { body }).to_bytes() {
        Ok(bytes) => Outcome::Done(vec![Record::new(INBOUND, key.clone(), bytes, now_ms)]),
        Err(error) => Outcome::Reject(error.to_string()),
    }
}
