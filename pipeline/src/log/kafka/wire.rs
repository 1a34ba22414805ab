//! Our records as Kafka's: headers by name, so that subscribers can read them.

use std::sync::Arc;

use bytes::Bytes;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};
use rdkafka::{Message, TopicPartitionList};
use schemas::topics::Topic;
use smol_str::{SmolStr, format_smolstr};

use crate::partition;
use crate::record::{Headers, Origin, Record, Stored, TraceContext};

/// Where records go, in the brokers' words.
pub(super) struct Places {
    prefix: String,
    partitions: u32,
}

impl Places {
    pub(super) fn new(prefix: &str, partitions: u32) -> Self {
        Self { prefix: prefix.to_owned(), partitions }
    }

    /// Where `records` go, in the order in which they are best handed over: those of one partition
    /// behind one another, each partition's in their order, so that they travel in few requests.
    pub(super) fn routed<'r>(&self, records: &'r [Record]) -> Vec<Routed<'r>> {
        let mut topics: Vec<(Topic, Arc<str>)> = Vec::new();
        let mut routed = Vec::with_capacity(records.len());
        for (at, record) in records.iter().enumerate() {
            let known = topics.iter().position(|(topic, _)| *topic == record.topic);
            let of_topics = known.unwrap_or(topics.len());
            if known.is_none() {
                topics.push((record.topic, format!("{}{}", self.prefix, record.topic).into()));
            }
            let Some((_, topic)) = topics.get(of_topics) else { continue };
            let by_key = || partition::of(&record.key, self.partitions);
            let partition = number(record.partition.unwrap_or_else(by_key));
            routed.push(Routed { topic: Arc::clone(topic), of_topics, partition, at, record });
        }
        routed.sort_by_key(|routed| (routed.of_topics, routed.partition));
        routed
    }
}

/// A record and where it goes, in the brokers' words.
pub(super) struct Routed<'r> {
    pub(super) topic: Arc<str>,
    of_topics: usize,
    pub(super) partition: i32,
    /// Which of the records handed over together it is.
    pub(super) at: usize,
    pub(super) record: &'r Record,
}

/// A partition, as the client counts them.
pub(super) fn number(partition: u32) -> i32 {
    i32::try_from(partition).unwrap_or(i32::MAX)
}

/// Partitions of one topic, as the client takes them.
pub(super) fn partitions(topic: &str, which: impl IntoIterator<Item = u32>) -> TopicPartitionList {
    let mut list = TopicPartitionList::new();
    for partition in which {
        list.add_partition(topic, number(partition));
    }
    list
}

const ORIGIN: &str = "origin";
const TRACE: &str = "traceparent";
const REPLAY_OF: &str = "replay-of";

/// The headers of a record.
pub(super) fn headers_of(headers: &Headers) -> OwnedHeaders {
    let origin = headers.origin.as_ref().map(|Origin { stage, partition, offset, index }| {
        format_smolstr!("{stage}/{partition}/{offset}/{index}")
    });
    let trace = headers.trace.as_ref().map(ToString::to_string);
    let named = [
        (ORIGIN, origin.as_deref()),
        (TRACE, trace.as_deref()),
        (REPLAY_OF, headers.replay_of.as_deref()),
    ];
    let set = named.into_iter().filter_map(|(key, value)| Some((key, value?)));
    set.fold(OwnedHeaders::new_with_capacity(3), |owned, (key, value)| {
        owned.insert(Header { key, value: Some(value) })
    })
}

/// A header's value as text.
pub(super) fn header<'m>(message: &'m BorrowedMessage<'_>, name: &str) -> Option<&'m str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}

fn origin(text: &str) -> Option<Origin> {
    let mut parts = text.rsplitn(4, '/');
    let index = parts.next()?.parse().ok()?;
    let offset = parts.next()?.parse().ok()?;
    let partition = parts.next()?.parse().ok()?;
    Some(Origin { stage: SmolStr::new(parts.next()?), partition, offset, index })
}

/// Reads what [`headers_of`] wrote; others are passed over.
fn read_headers(message: &BorrowedMessage<'_>) -> Headers {
    let mut read = Headers::default();
    for header in message.headers().iter().flat_map(|headers| headers.iter()) {
        let Some(text) = header.value.and_then(|value| std::str::from_utf8(value).ok()) else {
            continue;
        };
        match header.key {
            ORIGIN => read.origin = origin(text),
            TRACE => read.trace = TraceContext::parse(text),
            REPLAY_OF => read.replay_of = Some(SmolStr::new(text)),
            _ => {}
        }
    }
    read
}

/// A message as a record of `topic`.
pub(super) fn stored(topic: Topic, message: &BorrowedMessage<'_>) -> Stored {
    Stored {
        topic,
        partition: message.partition().unsigned_abs(),
        offset: message.offset().unsigned_abs(),
        key: Bytes::copy_from_slice(message.key().unwrap_or_default()),
        value: message.payload().map(Bytes::copy_from_slice),
        headers: read_headers(message),
        time_ms: message.timestamp().to_millis().unwrap_or_default(),
    }
}
