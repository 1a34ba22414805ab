//! The one clock of the runner, replaceable in tests. Stages have none.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;

/// Tells the time (Unix, ms).
pub trait Clock: Send + Sync {
    /// Now.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The machine's clock, but for that it never goes back: set back, it goes on from where it was until
/// the machine's has caught up. So what waits for a time does not wait for it twice.
#[derive(Debug)]
pub struct SteadyClock {
    /// A time it has told, and when that was.
    told: Mutex<(i64, Instant)>,
}

impl SteadyClock {
    /// Begins at the machine's time, or at `not_before_ms` where that is later.
    #[must_use]
    pub fn not_before(not_before_ms: i64) -> Self {
        let begin_ms = SystemClock.now_ms().max(not_before_ms);
        Self { told: Mutex::new((begin_ms, Instant::now())) }
    }

    fn at(&self, machine_ms: i64, now: Instant) -> i64 {
        let mut told = self.told.lock();
        let passed = now.saturating_duration_since(told.1).as_millis();
        let steady_ms = told.0.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        if machine_ms > steady_ms {
            *told = (machine_ms, now);
        }
        machine_ms.max(steady_ms)
    }
}

impl Clock for SteadyClock {
    fn now_ms(&self) -> i64 {
        self.at(SystemClock.now_ms(), Instant::now())
    }
}

/// A clock that stands until it is told to move.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// Stands at `now_ms`.
    #[must_use]
    pub fn at(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves to `now_ms`, also backwards.
    pub fn set(&self, now_ms: i64) {
        self.0.store(now_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_goes_on_from_where_it_was() {
        let begun = Instant::now();
        let clock = SteadyClock { told: Mutex::new((1_000, begun)) };
        let at = |machine_ms, passed| clock.at(machine_ms, begun + Duration::from_millis(passed));
        assert_eq!(at(1_010, 10), 1_010);
        assert_eq!(at(9_020, 20), 9_020, "set forward it is believed");
        assert_eq!(at(1_030, 30), 9_030, "set back it is not");
        assert_eq!(at(9_050, 40), 9_050, "until it has caught up");
    }

    #[test]
    fn it_does_not_begin_before_what_is_known() {
        let later = SystemClock.now_ms() + 7_200_000;
        let told = SteadyClock::not_before(later).now_ms();
        assert!((later..later + 60_000).contains(&told), "{told}");
        assert!(SteadyClock::not_before(0).now_ms() < later);
    }
}
