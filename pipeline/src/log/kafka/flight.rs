//! What is on its way to the brokers: how much may be, and whether they answer at all.
//!
//! Invariants: no more bytes and records are on their way than the budget says, but for one append
//! larger than all of it; while the brokers are silent one append at a time finds out whether they
//! still are.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Bytes and records on their way before appends are told to come again. The client's queue takes
/// more records than that.
const BYTES_MAX: usize = 32 << 20;
const RECORDS_MAX: usize = 50_000;
/// How long something may be on its way without anything being confirmed before the brokers count as
/// silent.
const SILENCE_MAX: Duration = Duration::from_secs(2);
/// When it may be worth trying again.
const SOON: Duration = Duration::from_millis(100);
const WHEN_THEY_ANSWER: Duration = Duration::from_secs(1);

/// What is on its way.
#[derive(Debug, Default)]
pub(super) struct Flight(Mutex<Aloft>);

#[derive(Debug, Default)]
struct Aloft {
    bytes: usize,
    records: usize,
    /// Since when something has been sent and nothing confirmed. Failures do not end it: only an
    /// answer tells that somebody is there.
    unheard_since: Option<Instant>,
}

impl Flight {
    /// A seat for each record of an append, by its size; otherwise when to try again.
    pub(super) fn board(
        self: &Arc<Self>,
        sizes: &[usize],
        now: Instant,
    ) -> Result<Vec<Seat>, Duration> {
        let mut aloft = self.0.lock();
        let bytes: usize = sizes.iter().sum();
        if aloft.records > 0 {
            let silent = aloft
                .unheard_since
                .is_some_and(|since| now.saturating_duration_since(since) > SILENCE_MAX);
            if silent {
                return Err(WHEN_THEY_ANSWER);
            }
            if aloft.bytes + bytes > BYTES_MAX || aloft.records + sizes.len() > RECORDS_MAX {
                return Err(SOON);
            }
        }
        aloft.bytes += bytes;
        aloft.records += sizes.len();
        aloft.unheard_since.get_or_insert(now);
        Ok(sizes.iter().map(|bytes| Seat { flight: Arc::clone(self), bytes: *bytes }).collect())
    }

    /// Somebody answered for one of those on their way.
    fn heard(&self, now: Instant) {
        let mut aloft = self.0.lock();
        aloft.unheard_since = (aloft.records > 1).then_some(now);
    }
}

/// A record's place on the way; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    flight: Arc<Flight>,
    bytes: usize,
}

impl Seat {
    /// The brokers answered, whatever it was.
    pub(super) fn answered(self, now: Instant) {
        self.flight.heard(now);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut aloft = self.flight.0.lock();
        aloft.bytes = aloft.bytes.saturating_sub(self.bytes);
        aloft.records = aloft.records.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn silence_lets_one_at_a_time_on_until_somebody_answers() {
        let (flight, start) = (Arc::new(Flight::default()), Instant::now());
        let first = flight.board(&[10], start).unwrap();
        let second = flight.board(&[10], at(start, 1_900)).unwrap();
        assert_eq!(flight.board(&[10], at(start, 2_100)).unwrap_err(), WHEN_THEY_ANSWER);
        drop((first, second));
        // They failed: nobody has answered, so one may try and no other.
        let mut probe = flight.board(&[10, 10], at(start, 4_000)).unwrap();
        assert!(flight.board(&[10], at(start, 4_001)).is_err());
        probe.pop().unwrap().answered(at(start, 4_010));
        let more = flight.board(&[10], at(start, 6_000)).unwrap();
        assert!(flight.board(&[10], at(start, 6_020)).is_err(), "silent again since 4,010");
        probe.into_iter().chain(more).for_each(|seat| seat.answered(at(start, 6_030)));
        // Nothing is on its way: silence is not held against anybody.
        let idle = flight.board(&[10], at(start, 60_000)).unwrap();
        let beside = flight.board(&[10], at(start, 60_001)).unwrap();
        assert_eq!(idle.len() + beside.len(), 2);
    }

    #[test]
    fn no_more_than_the_budget_is_on_its_way() {
        let (flight, now) = (Arc::new(Flight::default()), Instant::now());
        // One larger than all of it has to pass some time.
        let large = flight.board(&[BYTES_MAX + 1], now).unwrap();
        assert_eq!(flight.board(&[1], now).unwrap_err(), SOON);
        drop(large);
        let half = flight.board(&[BYTES_MAX / 2], now).unwrap();
        let rest = flight.board(&[BYTES_MAX / 2], now).unwrap();
        assert_eq!(flight.board(&[1], now).unwrap_err(), SOON);
        drop(half);
        assert!(flight.board(&vec![0; RECORDS_MAX], now).is_err());
        assert!(flight.board(&[1], now).is_ok());
        drop(rest);
    }
}
