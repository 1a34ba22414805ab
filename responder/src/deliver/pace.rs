//! How fast an account may be spoken to, and how often one customer: providers block who is faster.
//!
//! A process keeps its own pace. A customer's replies are all sent by one process, so that pace is exact;
//! an account's is a share where several processes deliver, and the provider's own answer corrects it.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::sender::SendError;

/// Customers that were spoken to long ago are forgotten after so many sends.
const FORGET_EVERY: u32 = 1_000;

/// The pace of one channel.
pub(super) struct Pace {
    clock: DefaultClock,
    accounts: DefaultKeyedRateLimiter<String>,
    /// By account and recipient.
    recipients: DefaultKeyedRateLimiter<(String, String)>,
    sends: AtomicU32,
}

impl Pace {
    /// At most `per_second` an account, and one in `between` a recipient.
    pub(super) fn new(per_second: NonZeroU32, between: Duration) -> Self {
        let recipient = Quota::with_period(between).unwrap_or(Quota::per_second(per_second));
        Self {
            clock: DefaultClock::default(),
            accounts: DefaultKeyedRateLimiter::keyed(Quota::per_second(per_second)),
            recipients: DefaultKeyedRateLimiter::keyed(recipient),
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
    fn an_account_has_a_pace_of_its_own() {
        let pace = Pace::new(NonZeroU32::new(2).unwrap(), Duration::from_secs(6));
        assert_eq!(pace.take("a", "1"), Ok(()));
        assert_eq!(pace.take("a", "2"), Ok(()));
        assert!(waits(&pace.take("a", "3")).is_some());
        assert_eq!(pace.take("b", "3"), Ok(()));
    }
}
