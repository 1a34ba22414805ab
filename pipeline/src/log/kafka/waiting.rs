//! Records whose schema is not known yet, in order within their partition. Others go on.
//!
//! Invariant: no record of a partition overtakes one that waits.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use schemas::topics::Topic;

use super::registry::{Read, Registry};
use crate::record::Stored;

/// Longest wait for a message before a thread looks around. A little more than whole milliseconds: the
/// client waits for those, and rust-rdkafka asks it without a pause for the part that is left.
pub(super) const POLL: Duration = Duration::from_micros(100_020);
/// The same, while the schema of a record is asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A partition of a topic.
pub(super) type Place = (Topic, u32);

/// What became of a record that was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It can be handed on.
    Ready(Stored),
    /// It waits; `first` in its partition: nothing more is to be read there.
    Waits {
        /// Whether the partition was not waiting before.
        first: bool,
    },
}

/// The records that wait.
pub(super) struct Waiting {
    registry: Option<Arc<Registry>>,
    places: HashMap<Place, VecDeque<Stored>>,
}

impl Waiting {
    pub(super) fn new(registry: Option<Arc<Registry>>) -> Self {
        Self { registry, places: HashMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How long a thread that reads may wait for a message, with `batch` in hand.
    pub(super) fn poll_within(&self, batch: &[Stored]) -> Duration {
        match (batch.is_empty(), self.is_empty()) {
            (false, _) => Duration::ZERO,
            (true, true) => POLL,
            (true, false) => LOOK_AGAIN,
        }
    }

    /// Takes a record in.
    pub(super) fn take(&mut self, mut record: Stored) -> Taken {
        let place = (record.topic, record.partition);
        if let Some(before) = self.places.get_mut(&place) {
            before.push_back(record);
            return Taken::Waits { first: false };
        }
        if self.read(&mut record) {
            return Taken::Ready(record);
        }
        self.places.insert(place, VecDeque::from([record]));
        Taken::Waits { first: true }
    }

    /// What can be handed on now, and the places where nothing waits any longer.
    pub(super) fn ready(&mut self) -> (Vec<Stored>, Vec<Place>) {
        let mut ready = Vec::new();
        let mut done = Vec::new();
        for (place, mut records) in std::mem::take(&mut self.places) {
            while let Some(record) = records.front_mut() {
                if !self.read(record) {
                    break;
                }
                ready.extend(records.pop_front());
            }
            if records.is_empty() {
                done.push(place);
            } else {
                self.places.insert(place, records);
            }
        }
        (ready, done)
    }

    /// Forgets places that somebody else reads now.
    pub(super) fn retain(&mut self, held: impl Fn(Place) -> bool) {
        if self.places.is_empty() {
            return;
        }
        self.places.retain(|place, _| held(*place));
    }

    /// Puts a record into the words of the stages; whether that could be done now.
    fn read(&self, record: &mut Stored) -> bool {
        let (Some(registry), Some(value)) = (&self.registry, &record.value) else { return true };
        match registry.read(value) {
            Read::Value(value) => {
                record.value = Some(value);
                true
            }
            Read::Waits => false,
        }
    }
}
