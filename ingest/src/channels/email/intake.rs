//! What was read becomes records: the bytes for `raw`, what they tell for `inbound`.

use std::collections::BTreeMap;

use pipeline::Record;
use schemas::Avro;
use schemas::ops::RawRequest;
use schemas::sealed::SealError;
use schemas::topics::RAW;

use super::Event;
use crate::door::Door;

/// Largest mail that is kept whole, in bytes: a log that takes more at once does not take it soon.
const RAW_BYTES_MAX: usize = 4 << 20;
/// What a record needs beside the bytes of the mail.
const ENVELOPE_BYTES: usize = 4 << 10;

/// The mail as it came, for audit and for trying the adapter again; nothing of one that is larger than the
/// log takes.
pub(super) fn raw(
    door: &Door,
    (provider, account): (&str, &str),
    content_type: &str,
    body: &[u8],
) -> Result<Option<Record>, SealError> {
    if body.len() > RAW_BYTES_MAX.min(door.record_bytes_max().saturating_sub(ENVELOPE_BYTES)) {
        tracing::warn!(
            provider,
            account,
            bytes = body.len(),
            "a mail is too large for the raw topic"
        );
        return Ok(None);
    }
    let now_ms = door.now_ms();
    let request = RawRequest {
        provider: provider.to_owned(),
        account: account.to_owned(),
        received_at_ms: now_ms,
        headers: BTreeMap::from([("content-type".to_owned(), content_type.to_owned())]),
        body: body.to_vec(),
    };
    Ok(Some(Record::new(RAW, account.as_bytes().to_vec(), request.to_bytes()?, now_ms)))
}

/// What a mail tells, sealed.
pub(super) fn record(door: &Door, tenant: &str, event: Event) -> Result<Record, SealError> {
    match event {
        Event::Message(message) => Ok(door.seal(tenant, *message)?.2),
        Event::Status(status) => door.seal_status(tenant, *status),
    }
}
