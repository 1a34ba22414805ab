//! What providers tell, on its way into the log: sealed, beside the request as it came.

use bytes::Bytes;
use pipeline::Record;
use pipeline::log::AppendError;
use schemas::Avro;
use schemas::ops::{DeadLetter, DeadLetterReason, RawRequest};
use schemas::sealed::{Keyring, SealError};
use schemas::topics::{DEAD_LETTERS, RAW};

use super::{AcceptError, Door, HeardMessage, HeardStatus, normalize};

/// Something a provider tells.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A message of a customer, or of ours sent by hand.
    Message(Box<HeardMessage>),
    /// A message whose files came with it: `media::Intake` keeps them first.
    Enclosing(Box<HeardMessage>, Vec<Enclosed>),
    /// What became of a message of ours.
    Status(Box<HeardStatus>),
    /// About the account, not about a customer.
    Notice(Notice),
}

impl Event {
    /// What it tells operators.
    #[must_use]
    pub fn notice(&self) -> Option<&Notice> {
        match self {
            Self::Notice(notice) => Some(notice),
            _ => None,
        }
    }
}

/// What a provider tells operators: logged and counted, in no topic. Holds codes and our own names, nothing of a
/// customer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What kind of thing, such as `template_paused`: a label of a metric.
    pub what: String,
    /// More of it, in the provider's words and codes.
    pub detail: String,
}

/// A file that came with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosed {
    /// Which of the message's attachments, from 0.
    pub part: usize,
    /// All of it.
    pub bytes: Bytes,
}

/// Bytes that are not what the provider documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed: {0}")]
pub struct Malformed(
    /// Where and how, without customer data.
    pub String,
);

impl Malformed {
    /// Of JSON: the library's own words quote values, which may be the customer's.
    #[must_use]
    pub fn json(error: &serde_json::Error) -> Self {
        let (kind, line, column) = (error.classify(), error.line(), error.column());
        Self(format!("not JSON of this channel: {kind:?} error at {line}:{column}"))
    }
}

/// Who writes a dead letter of a door.
const STAGE: &str = "door";

/// Largest request that is kept as it came, in bytes: a log that waits for room takes no more at once.
const RAW_BYTES_MAX: usize = 4 << 20;

/// The records of `events`, in their order; notices are in none. No bytes of a file are in them: files that
/// were not kept before (`media::Intake`) are told to have failed.
///
/// # Errors
/// [`SealError`].
pub fn sealed(
    keyring: &Keyring,
    tenant: &str,
    events: Vec<Event>,
    now_ms: i64,
) -> Result<Vec<Record>, SealError> {
    let keys = keyring.of(tenant)?;
    let record = |event| match event {
        Event::Message(message) | Event::Enclosing(message, _) => {
            Some(normalize::message(keys, tenant, *message, now_ms).map(|(_, _, record)| record))
        }
        Event::Status(status) => Some(normalize::status(keys, tenant, *status, now_ms)),
        Event::Notice(_) => None,
    };
    events.into_iter().filter_map(record).collect()
}

impl Door {
    /// Appends a request as it came and everything it tells, and waits until that is durable.
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn accept(
        &self,
        tenant: &str,
        request: &RawRequest,
        events: Vec<Event>,
    ) -> Result<(), AcceptError> {
        self.is_open_to(tenant)?;
        let records = self.records(tenant, request, events).await?;
        Ok(self.append(records).await?)
    }

    /// The records of a request and of everything it tells. Its files are kept when this returns; a request
    /// that is larger than the log takes stands in `raw` without its body.
    ///
    /// # Errors
    /// [`AcceptError`], but for the log's.
    pub async fn records(
        &self,
        tenant: &str,
        request: &RawRequest,
        events: Vec<Event>,
    ) -> Result<Vec<Record>, AcceptError> {
        let now_ms = self.now_ms();
        let fits = request.body.len() <= RAW_BYTES_MAX.min(self.record_bytes_max() / 2);
        let mut records = vec![if fits { raw(request)? } else { raw(&without_body(request))? }];
        let events = self.shared.intake.kept(tenant, events, now_ms).await?;
        records.extend(sealed(self.keyring(), tenant, events, now_ms)?);
        Ok(records)
    }

    /// Sets aside a request that came from the provider and makes no sense: people look at it, and a
    /// better adapter may read it (`raw replay`).
    ///
    /// # Errors
    /// [`AcceptError`].
    pub async fn set_aside(
        &self,
        request: &RawRequest,
        why: &Malformed,
    ) -> Result<(), AcceptError> {
        let log = self.shared.log.as_ref();
        let kept = raw(request)?;
        let (key, value) = (kept.key.clone(), kept.value.clone());
        let places = log.append(vec![kept]).await?.0;
        let missing = || AppendError::Failed("the log told no place".to_owned());
        let (partition, offset) = places.first().copied().ok_or_else(missing)?;
        let letter = DeadLetter {
            stage: STAGE.to_owned(),
            reason: DeadLetterReason::Undecodable,
            detail: why.to_string(),
            topic: RAW.to_string(),
            partition: i32::try_from(partition).unwrap_or(i32::MAX),
            offset: i64::try_from(offset).unwrap_or(i64::MAX),
            key: key.to_vec(),
            value: value.map(|value| value.to_vec()),
            headers: Vec::new(),
            time_ms: request.received_at_ms,
        };
        let letter = letter.to_bytes().map_err(SealError::from)?;
        log.append(vec![Record::new(DEAD_LETTERS, key, letter, request.received_at_ms)]).await?;
        Ok(())
    }
}

fn without_body(request: &RawRequest) -> RawRequest {
    RawRequest {
        provider: request.provider.clone(),
        account: request.account.clone(),
        received_at_ms: request.received_at_ms,
        headers: request.headers.clone(),
        body: Vec::new(),
    }
}

/// The request as it came, for audit and for trying the adapter again.
fn raw(request: &RawRequest) -> Result<Record, SealError> {
    let key = request.account.as_bytes().to_vec();
    Ok(Record::new(RAW, key, request.to_bytes()?, request.received_at_ms))
}
