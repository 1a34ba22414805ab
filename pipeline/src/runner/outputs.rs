//! What one batch gives, on its way out. Every output carries its origin; the index runs over all
//! that all links of a chain make of one record, so origins only rise, in whatever topic they are read.

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
}

impl Outputs {
    pub(super) fn new(maker: SmolStr, room: usize, record_bytes_max: usize) -> Self {
        let records = Vec::with_capacity(room);
        Self { records, record_bytes_max, maker, partition: 0, offset: 0, index: 0 }
    }

    /// What follows is made from `record`.
    pub(super) fn begin(&mut self, record: &Stored) {
        (self.partition, self.offset, self.index) = (record.partition, record.offset, 0);
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

    /// The output at `at` as the next link reads it, when it is in that link's input: the place is
    /// that of the record the chain took.
    pub(super) fn inner(&self, at: usize, input: Topic) -> Option<Stored> {
        let output = self.records.get(at).filter(|output| output.topic == input)?;
        Some(Stored {
            topic: input,
            partition: self.partition,
            offset: self.offset,
            key: output.key.clone(),
            value: output.value.clone(),
            headers: output.headers.clone(),
            time_ms: output.time_ms,
        })
    }
}
