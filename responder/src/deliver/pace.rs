//! How fast an account may be spoken to, and how often one customer: providers block who is faster.
//!
//! A process keeps its own pace. A customer's replies are all sent by one process, so that pace is exact;
//! an account's is a share where several processes deliver, and the provider's own answer corrects it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::sender::SendError;

/// Customers that were spoken to long ago are forgotten after so many sends.
const FORGET_EVERY: u32 = 1_000;

type Keyed<K, C> =
    RateLimiter<K, DefaultKeyedStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// The pace of one channel.
pub(super) struct Pace<C: Clock = DefaultClock> {
    clock: C,
    accounts: Keyed<String, C>,
    /// By account and recipient.
    recipients: Keyed<(String, String), C>,
    sends: AtomicU32,
}

impl Pace {
    /// At most `per_second` an account, and one in `between` a recipient.
    pub(super) fn new(per_second: NonZeroU32, between: Duration) -> Self {
        Self::by(DefaultClock::default(), per_second, between)
    }
}

impl<C: Clock + Clone> Pace<C> {
    /// The same, by another clock.
    fn by(clock: C, per_second: NonZeroU32, between: Duration) -> Self {
        let recipient = Quota::with_period(between).unwrap_or(Quota::per_second(per_second));
        let account = Quota::per_second(per_second);
        Self {
            accounts: RateLimiter::new(account, DefaultKeyedStateStore::default(), clock.clone()),
            recipients: RateLimiter::new(
                recipient,
                DefaultKeyedStateStore::default(),
                clock.clone(),
            ),
            clock,
            sends: AtomicU32::new(0),
        }
    }

    /// Takes a place for one message, or says when there will be one. Never waits.
    pub(super) fn take(&self, account: &str, recipient: &str) -> Result<(), SendError> {
        if self.sends.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            self.recipients.retain_recent();
        }
        let now = self.clock.now();
        let wait = |why: &str, for_so_long| SendError::NotAccepted {
            why: why.to_owned(),
            retry_after: Some(for_so_long),
        };
        self.accounts
            .check_key(&account.to_owned())
            .map_err(|not| wait("pace of the account", not.wait_time_from(now)))?;
        self.recipients
            .check_key(&(account.to_owned(), recipient.to_owned()))
            .map_err(|not| wait("pace of the recipient", not.wait_time_from(now)))
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn waits(taken: &Result<(), SendError>) -> Option<Duration> {
        match taken {
            Err(SendError::NotAccepted { retry_after, .. }) => *retry_after,
            _ => None,
        }
    }

    #[test]
    fn one_recipient_waits_and_another_does_not() {
        let pace = Pace::new(NonZeroU32::new(80).unwrap(), Duration::from_secs(6));
        assert_eq!(pace.take("a", "ana"), Ok(()));
        let again = waits(&pace.take("a", "ana")).unwrap();
        assert!(again > Duration::from_secs(5) && again <= Duration::from_secs(6), "{again:?}");
        assert_eq!(pace.take("a", "bia"), Ok(()));
        assert_eq!(pace.take("b", "ana"), Ok(()), "another account is another conversation");
    }

    #[test]
    fn a_recipient_has_room_again_when_it_was_said_and_no_sooner() {
        let clock = FakeRelativeClock::default();
        let between = Duration::from_secs(6);
        let pace = Pace::by(clock.clone(), NonZeroU32::new(80).unwrap(), between);
        assert_eq!(pace.take("a", "ana"), Ok(()));
        for _ in 0..3 {
            let wait = waits(&pace.take("a", "ana")).unwrap();
            clock.advance(wait.checked_sub(Duration::from_millis(1)).unwrap());
            assert!(pace.take("a", "ana").is_err(), "a moment too early");
            clock.advance(Duration::from_millis(1));
            assert_eq!(pace.take("a", "ana"), Ok(()), "after {wait:?}");
        }
    }

    #[test]
    fn an_account_has_a_pace_of_its_own() {
        let pace = Pace::new(NonZeroU32::new(2).unwrap(), Duration::from_secs(6));
        assert_eq!(pace.take("a", "1"), Ok(()));
        assert_eq!(pace.take("a", "2"), Ok(()));
        assert!(waits(&pace.take("a", "3")).is_some());
        assert_eq!(pace.take("b", "3"), Ok(()));
    }
}
