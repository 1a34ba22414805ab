//! Deadlines of one partition's keys, in the order in which they pass.
//!
//! A deadline is asked for by the time of a record, which is the clock of whoever took it in. Where that
//! clock is ahead of ours the deadline passes as much earlier by ours: what is waited for is the time
//! between the two, not the other clock.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::state::ByKey;

/// Which key waits for what.
#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: ByKey<Waiting>,
    in_order: BTreeSet<(i64, Bytes)>,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    deadline_ms: i64,
    /// When it passes by our clock.
    passes_ms: i64,
}

impl Timers {
    pub(super) fn new(deadlines: Vec<(Bytes, i64)>) -> Self {
        let mut timers = Self::default();
        for (key, deadline_ms) in deadlines {
            timers.set(&key, Some(deadline_ms), 0);
        }
        timers
    }

    /// Replaces what `key` waits for, as a record asks that is `ahead_ms` ahead of our clock. A
    /// deadline that was already ticked is not ticked again.
    pub(super) fn set(&mut self, key: &Bytes, deadline_ms: Option<i64>, ahead_ms: i64) {
        if self.waiting.get(key).map(|waiting| waiting.deadline_ms) == deadline_ms {
            return;
        }
        if let Some(before) = self.waiting.remove(key) {
            self.in_order.remove(&(before.passes_ms, key.clone()));
        }
        if let Some(deadline_ms) = deadline_ms {
            let passes_ms = deadline_ms.saturating_sub(ahead_ms.max(0));
            self.waiting.insert(key.clone(), Waiting { deadline_ms, passes_ms });
            self.in_order.insert((passes_ms, key.clone()));
        }
    }

    /// When the next deadline passes.
    pub(super) fn next(&self) -> Option<i64> {
        self.in_order.first().map(|(passes_ms, _)| *passes_ms)
    }

    /// Deadlines that have passed, each once.
    pub(super) fn due(&mut self, now_ms: i64, most: usize) -> Vec<(Bytes, i64)> {
        let mut due = Vec::new();
        while due.len() < most && self.next().is_some_and(|passes_ms| passes_ms <= now_ms) {
            let Some((_, key)) = self.in_order.pop_first() else { break };
            let deadline_ms = self.waiting.get(&key).map(|waiting| waiting.deadline_ms);
            due.extend(deadline_ms.map(|deadline_ms| (key, deadline_ms)));
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
        timers.set(&b, Some(10), 0);
        assert_eq!(timers.due(15, 9), [], "ticked already; the tick is on its way");
        timers.set(&b, Some(12), 0);
        timers.set(&a, Some(11), 0);
        timers.set(&a, Some(13), 0);
        assert_eq!(timers.due(15, 1), [(b, 12)]);
        assert_eq!(timers.due(15, 9), [(a.clone(), 13)]);
        timers.set(&a, None, 0);
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_record_from_a_clock_that_is_ahead_is_not_waited_for_longer() {
        let (a, b) = (Bytes::from_static(b"a"), Bytes::from_static(b"b"));
        let mut timers = Timers::default();
        timers.set(&a, Some(7_210), 7_200); // asked at 7,203 by the other clock, 3 by ours
        timers.set(&b, Some(12), -7_200); // from a clock that is behind: it asked for too early
        assert_eq!(timers.next(), Some(10));
        assert_eq!(timers.due(9, 9), []);
        assert_eq!(timers.due(10, 9), [(a.clone(), 7_210)], "told by its own name");
        timers.set(&a, Some(7_210), 0);
        assert_eq!(timers.due(11, 9), [], "ticked already");
        assert_eq!(timers.due(12, 9), [(b, 12)]);
        timers.set(&a, Some(7_220), 7_200);
        timers.set(&a, None, 0);
        assert_eq!(timers.next(), None);
    }
}
