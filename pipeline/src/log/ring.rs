//! The last records of a topic in memory, so that readers that keep up never read the disk.

use std::collections::VecDeque;

use crate::record::{Offset, Stored};

/// The newest records of one topic, in order of offset.
#[derive(Debug)]
pub(crate) struct Ring {
    records: VecDeque<Stored>,
    bytes: usize,
    bytes_max: usize,
    /// Every record at or above this offset is in the ring.
    complete_from: Offset,
}

impl Ring {
    /// A ring of at most `bytes_max` bytes, for records from `complete_from` on.
    pub(crate) fn new(bytes_max: usize, complete_from: Offset) -> Self {
        Self { records: VecDeque::new(), bytes: 0, bytes_max, complete_from }
    }

    /// Adds the newest record.
    pub(crate) fn push(&mut self, record: Stored) {
        self.bytes += record.size();
        self.records.push_back(record);
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes -= oldest.size();
            self.complete_from = oldest.offset + 1;
        }
    }

    /// Records from `from` on and below `end`, at most `records_max` and about `bytes_max` of them;
    /// `None` when the ring does not reach back that far.
    pub(crate) fn read(
        &self,
        from: Offset,
        end: Offset,
        records_max: usize,
        bytes_max: usize,
    ) -> Option<Vec<Stored>> {
        if from < self.complete_from {
            return None;
        }
        let start = self.records.partition_point(|record| record.offset < from);
        let mut bytes = 0;
        let taken = self
            .records
            .range(start..)
            .take_while(|record| record.offset < end)
            .take(records_max)
            .take_while(|record| {
                let first = bytes == 0;
                bytes += record.size();
                first || bytes <= bytes_max
            });
        Some(taken.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use schemas::topics::INBOUND;

    fn record(offset: Offset, bytes: usize) -> Stored {
        Stored {
            topic: INBOUND,
            partition: 0,
            offset,
            key: Bytes::new(),
            value: Some(vec![0; bytes].into()),
            headers: crate::record::Headers::default(),
            time_ms: 0,
        }
    }

    fn offsets(records: Option<Vec<Stored>>) -> Option<Vec<Offset>> {
        records.map(|records| records.iter().map(|record| record.offset).collect())
    }

    #[test]
    fn forgets_the_oldest_and_says_so() {
        let mut ring = Ring::new(1000, 7);
        assert_eq!(offsets(ring.read(7, 100, 10, 1000)), Some(vec![]));
        assert_eq!(ring.read(6, 100, 10, 1000), None, "older records were never here");
        for offset in 7..20 {
            ring.push(record(offset, 136)); // 200 bytes each: five fit
        }
        assert_eq!(ring.read(14, 100, 10, 1000), None);
        assert_eq!(offsets(ring.read(15, 100, 10, 9000)), Some(vec![15, 16, 17, 18, 19]));
        assert_eq!(offsets(ring.read(15, 18, 10, 9000)), Some(vec![15, 16, 17]));
        assert_eq!(offsets(ring.read(15, 100, 2, 9000)), Some(vec![15, 16]));
        assert_eq!(offsets(ring.read(15, 100, 10, 450)), Some(vec![15, 16]));
        assert_eq!(offsets(ring.read(15, 100, 10, 1)), Some(vec![15]), "at least one");
        assert_eq!(offsets(ring.read(20, 100, 10, 1000)), Some(vec![]));
    }
}
