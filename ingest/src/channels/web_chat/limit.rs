//! How often one visitor may write: so many messages a minute, all at once if they like.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use parking_lot::Mutex;
use schemas::ids::ContactKey;
use tokio::time::Instant;

/// Visitors remembered at once; more than that are not let write.
const VISITORS_MAX: usize = 100_000;
/// Those who may write as much as anybody are forgotten that often, where there are too many.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// The pace of one account's visitors.
pub(super) struct Limit {
    clock: DefaultClock,
    visitors: RateLimiter<ContactKey, HashMapStateStore<ContactKey>, DefaultClock>,
    forgotten_at: Mutex<Option<Instant>>,
}

impl Limit {
    pub(super) fn per_minute(messages: NonZeroU32) -> Self {
        Self {
            clock: DefaultClock::default(),
            visitors: RateLimiter::hashmap(Quota::per_minute(messages)),
            forgotten_at: Mutex::new(None),
        }
    }

    /// Takes a place for one message, or says how long there will be none.
    pub(super) fn take(&self, visitor: ContactKey) -> Result<(), Duration> {
        if self.visitors.len() >= VISITORS_MAX && !self.forget() {
            return Err(FORGET_EVERY);
        }
        let now = self.clock.now();
        self.visitors.check_key(&visitor).map_err(|not| not.wait_time_from(now))
    }

    /// Forgets who has not written for long; whether that made room.
    fn forget(&self) -> bool {
        let mut forgotten_at = self.forgotten_at.lock();
        if forgotten_at.is_some_and(|at| at.elapsed() < FORGET_EVERY) {
            return false;
        }
        *forgotten_at = Some(Instant::now());
        self.visitors.retain_recent();
        self.visitors.len() < VISITORS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_visitor_has_a_pace_and_is_told_when_to_come_back() {
        let limit = Limit::per_minute(NonZeroU32::new(3).unwrap());
        let (ana, bia) = (ContactKey([1; 16]), ContactKey([2; 16]));
        for _ in 0..3 {
            assert_eq!(limit.take(ana), Ok(()));
        }
        let wait = limit.take(ana).unwrap_err();
        assert!(wait > Duration::from_secs(15) && wait <= Duration::from_secs(20), "{wait:?}");
        assert_eq!(limit.take(bia), Ok(()), "another's pace is another's");
    }

    #[test]
    fn memory_is_bounded() {
        let limit = Limit::per_minute(NonZeroU32::new(1).unwrap());
        let key = |n: u32| {
            let mut key = [0; 16];
            key.iter_mut().zip(n.to_be_bytes()).for_each(|(to, from)| *to = from);
            ContactKey(key)
        };
        let most = u32::try_from(VISITORS_MAX).unwrap();
        assert!((0..most).all(|n| limit.take(key(n)).is_ok()));
        assert!((most..most + 100).all(|n| limit.take(key(n)).is_err()));
        assert_eq!(limit.visitors.len(), VISITORS_MAX);
    }
}
