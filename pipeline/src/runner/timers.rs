//! Deadlines of one partition's keys, in order.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;

/// Which key waits for what.
#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: HashMap<Bytes, i64>,
    in_order: BTreeSet<(i64, Bytes)>,
}

impl Timers {
    pub(super) fn new(deadlines: Vec<(Bytes, i64)>) -> Self {
        let mut timers = Self::default();
        for (key, deadline_ms) in deadlines {
            timers.set(&key, Some(deadline_ms));
        }
        timers
    }

    /// Replaces what `key` waits for. A deadline that was already ticked is not ticked again.
    pub(super) fn set(&mut self, key: &Bytes, deadline_ms: Option<i64>) {
        if self.waiting.get(key).copied() == deadline_ms {
            return;
        }
        if let Some(before) = self.waiting.remove(key) {
            self.in_order.remove(&(before, key.clone()));
        }
        if let Some(deadline_ms) = deadline_ms {
            self.waiting.insert(key.clone(), deadline_ms);
            self.in_order.insert((deadline_ms, key.clone()));
        }
    }

    /// The next deadline to tick.
    pub(super) fn next(&self) -> Option<i64> {
        self.in_order.first().map(|(deadline_ms, _)| *deadline_ms)
    }

    /// Deadlines that have passed, each once.
    pub(super) fn due(&mut self, now_ms: i64, most: usize) -> Vec<(Bytes, i64)> {
        let mut due = Vec::new();
        while due.len() < most && self.next().is_some_and(|deadline_ms| deadline_ms <= now_ms) {
            let Some((deadline_ms, key)) = self.in_order.pop_first() else { break };
            due.push((key, deadline_ms));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_each_deadline_once_and_in_order() {
        let (a, b) = (Bytes::from_static(b"a"), Bytes::from_static(b"b"));
        let mut timers = Timers::new(vec![(a.clone(), 20), (b.clone(), 10)]);
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.due(15, 9), [(b.clone(), 10)]);
        assert_eq!(timers.due(15, 9), []);
        timers.set(&b, Some(10));
        assert_eq!(timers.due(15, 9), [], "ticked already; the tick is on its way");
        timers.set(&b, Some(12));
        timers.set(&a, Some(11));
        timers.set(&a, Some(13));
        assert_eq!(timers.due(15, 1), [(b, 12)]);
        assert_eq!(timers.due(15, 9), [(a.clone(), 13)]);
        timers.set(&a, None);
        assert_eq!(timers.next(), None);
    }
}
