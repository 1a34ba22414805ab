//! A record no stage could use, whole, on its way to `dead-letters`.

use schemas::ops::{DeadLetter, DeadLetterReason};
use schemas::topics::DEAD_LETTERS;
use schemas::{Avro, CodecError};

use super::RunError;
use crate::panics;
use crate::record::{Headers, Origin, Record, Stored};

/// Why a record is set aside: a closed reason and words without customer data.
pub(super) struct Rejected {
    pub(super) reason: DeadLetterReason,
    pub(super) detail: String,
}

impl From<CodecError> for Rejected {
    fn from(error: CodecError) -> Self {
        let reason = match error {
            CodecError::UnknownSchema { .. } => DeadLetterReason::UnknownSchema,
            _ => DeadLetterReason::Undecodable,
        };
        Self { reason, detail: error.to_string() }
    }
}

/// The dead letter of `record`, keyed as the record so that replay keeps its order.
pub(super) fn write(
    stage: &'static str,
    record: &Stored,
    rejected: Rejected,
    origin: Option<Origin>,
) -> Result<Record, RunError> {
    let letter = DeadLetter {
        stage: stage.to_owned(),
        reason: rejected.reason,
        detail: rejected.detail,
        topic: record.topic.to_string(),
        partition: i32::try_from(record.partition).unwrap_or(i32::MAX),
        offset: i64::try_from(record.offset).unwrap_or(i64::MAX),
        key: record.key.to_vec(),
        value: record.value.as_ref().map(|value| value.to_vec()),
        headers: record.headers.to_bytes(),
        time_ms: record.time_ms,
    };
    let value = letter
        .to_bytes()
        .map_err(|error| RunError::Unwritable { stage, detail: error.to_string() })?;
    let mut record = Record::new(DEAD_LETTERS, record.key.clone(), value, record.time_ms);
    record.headers = Headers { origin, ..Headers::default() };
    Ok(record)
}

/// The words of a panic, as far as they are certainly ours.
pub(super) fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    panics::words_of(panic)
}
