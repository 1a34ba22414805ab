//! When messages were due and when they were done: how late, and how far behind, over time.
//!
//! Invariant: counts from when messages were due, whatever became of those before.

use std::time::Duration;

use serde_json::Value;

use crate::histogram;

/// Points of a curve.
const POINTS: u32 = 120;

/// When messages were due and done, in the order in which they were due; from the same moment.
pub struct Times(pub Vec<(Duration, Option<Duration>)>);

impl Times {
    /// The first moment from `since` on at which everything is done that was due `slack` before.
    /// `None`: there is none before the last message.
    #[must_use]
    pub fn cleared(&self, since: Duration, slack: Duration) -> Option<Duration> {
        let mut all_done = Duration::ZERO;
        let following = self.0.iter().skip(1);
        for ((_, done), (due, _)) in self.0.iter().zip(following) {
            all_done = all_done.max((*done)?);
            if all_done >= since && *due + slack > all_done {
                return Some(all_done);
            }
        }
        None
    }

    /// How many messages due by `at` are not done by then.
    #[must_use]
    pub fn behind(&self, at: Duration) -> usize {
        let due = self.0.iter().filter(|(due, _)| *due <= at);
        due.filter(|(_, done)| done.is_none_or(|done| done > at)).count()
    }

    /// When the first one was done from `since` on.
    #[must_use]
    pub fn first(&self, since: Duration) -> Option<Duration> {
        self.0.iter().filter_map(|(_, done)| *done).filter(|done| *done >= since).min()
    }

    /// Percentiles from due to done, of those due from `from` to `to`.
    ///
    /// # Errors
    /// No histogram can be made: a mistake here.
    pub fn latency(&self, from: Duration, to: Duration) -> anyhow::Result<Value> {
        let mut times = histogram::of_micros()?;
        for (due, done) in self.0.iter().filter(|(due, _)| *due >= from && *due < to) {
            let Some(done) = done else { continue };
            let took = done.saturating_sub(*due).as_micros();
            times.saturating_record(u64::try_from(took).unwrap_or(u64::MAX));
        }
        Ok(histogram::figures(&times))
    }

    /// How many are behind at moments between `from` and `to`, in seconds from `zero`.
    #[must_use]
    pub fn curve(&self, from: Duration, to: Duration, zero: Duration) -> Vec<(f64, usize)> {
        let step = to.saturating_sub(from) / POINTS;
        let moments = (0..=POINTS).map(|n| from + step * n);
        moments.map(|at| (at.as_secs_f64() - zero.as_secs_f64(), self.behind(at))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// One a second; the worker is away from 2.5 to 6, and needs half a second for each afterwards.
    fn times() -> Times {
        let done = [0.1, 1.1, 2.1, 6.5, 7.0, 7.5, 8.0, 8.5, 9.0, 9.5, 10.1];
        let due = (0..11).map(f64::from);
        Times(due.zip(done).map(|(due, done)| (s(due), Some(s(done)))).collect())
    }

    #[test]
    fn lag_is_cleared_when_everything_due_is_done() {
        let times = times();
        // At 8.5 message 7 is done, but 8 was due at 8.0; at 9.0 that is done, and 9 due just now.
        assert_eq!(times.cleared(s(6.0), s(0.1)), Some(s(9.0)));
        assert_eq!(times.cleared(s(6.0), s(0.6)), Some(s(8.5)), "with more slack a step before");
        assert_eq!(times.cleared(s(9.8), s(0.1)), None, "the end of the sending clears nothing");
        assert_eq!((times.behind(s(6.0)), times.behind(s(2.5))), (4, 0));
        assert_eq!(times.first(s(6.0)), Some(s(6.5)));
    }

    #[test]
    fn what_is_lost_is_never_cleared() {
        let mut times = times();
        times.0[3].1 = None;
        assert_eq!(times.cleared(s(6.0), s(0.1)), None);
        assert_eq!(times.behind(s(10.5)), 1);
    }

    #[test]
    fn latency_counts_from_when_it_was_due() {
        let figures = times().latency(s(3.0), s(4.0)).unwrap();
        assert_eq!(figures["count"], 1);
        assert!((figures["p50"].as_f64().unwrap() - 3500.0).abs() < 5.0, "{figures}");
    }

    #[test]
    fn the_curve_is_told_from_the_start_of_the_worker() {
        let curve = times().curve(s(6.0), s(9.0), s(6.0));
        assert_eq!((curve[0], curve[120]), ((0.0, 4), (3.0, 1)));
    }
}
