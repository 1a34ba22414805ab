//! What one batch gives, on its way out. Every output carries its origin; the index runs over all
//! that all links of a chain make of one record, so origins only rise, in whatever topic they are read.

use std::any::Any;

use bytes::Bytes;
use schemas::topics::Topic;
use smol_str::SmolStr;

use crate::record::{Headers, Offset, Origin, Record, Stored};

pub(super) struct Outputs {
    pub(super) records: Vec<Record>,
    /// The largest the log takes.
    pub(super) record_bytes_max: usize,
    /// Who makes them: the stage or the chain.
    maker: SmolStr,
    partition: u32,
    offset: Offset,
    index: u32,
    /// Topics that links read.
    inner: Vec<Topic>,
    /// What was made of the record in hand for links further on, by place in `records`.
    values: Vec<(usize, Value)>,
}

/// The content of a record, as the link takes it that reads it.
pub(super) type Value = Box<dyn Any + Send>;

impl Outputs {
    /// `inner`: the topics that links read.
    pub(super) fn new(
        maker: SmolStr,
        room: usize,
        record_bytes_max: usize,
        inner: Vec<Topic>,
    ) -> Self {
        let (records, values) = (Vec::with_capacity(room), Vec::new());
        Self { records, record_bytes_max, maker, partition: 0, offset: 0, index: 0, inner, values }
    }

    /// What follows is made from `record`.
    pub(super) fn begin(&mut self, record: &Stored) {
        (self.partition, self.offset, self.index) = (record.partition, record.offset, 0);
        self.values.clear();
    }

    /// Whether a link reads `topic`.
    pub(super) fn is_inner(&self, topic: Topic) -> bool {
        self.inner.contains(&topic)
    }

    /// The output last added is `value` to the link that reads it.
    pub(super) fn value_is(&mut self, value: Value) {
        self.values.push((self.records.len().saturating_sub(1), value));
    }

    /// Takes back all outputs from `first` on.
    pub(super) fn take_back(&mut self, first: usize) {
        self.records.truncate(first);
        self.values.retain(|(at, _)| *at < first);
    }

    /// The origin of the next output.
    pub(super) fn origin(&mut self) -> Origin {
        let index = self.index;
        self.index += 1;
        Origin { stage: self.maker.clone(), partition: self.partition, offset: self.offset, index }
    }

    /// Adds what a stage emitted for `record`; `None`: under the record's own key.
    pub(super) fn emit(&mut self, record: &Stored, topic: Topic, key: Option<Bytes>, value: Bytes) {
        let key = key.unwrap_or_else(|| record.key.clone());
        let mut output = Record::new(topic, key, value, record.time_ms);
        output.headers = Headers {
            origin: Some(self.origin()),
            trace: record.headers.trace,
            replay_of: record.headers.replay_of.clone(),
        };
        self.records.push(output);
    }

    /// The output at `at` as the next link reads it, when it is in that link's input, with its content
    /// where that was handed on: the place is that of the record the chain took.
    pub(super) fn inner(&mut self, at: usize, input: Topic) -> Option<(Stored, Option<Value>)> {
        let output = self.records.get(at).filter(|output| output.topic == input)?;
        let record = Stored {
            topic: input,
            partition: self.partition,
            offset: self.offset,
            key: output.key.clone(),
            value: output.value.clone(),
            headers: output.headers.clone(),
            time_ms: output.time_ms,
        };
        let found = self.values.iter().position(|(of, _)| *of == at);
        Some((record, found.map(|found| self.values.swap_remove(found).1)))
    }
}
