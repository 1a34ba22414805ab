//! Records handed over together, and what becomes of them.
//!
//! Invariant: whoever waits hears once: when the brokers have all of them, or as soon as one has failed.

use std::sync::Arc;

use parking_lot::Mutex;
use rdkafka::error::KafkaError;
use tokio::sync::Notify;

use super::flight::Seat;
use crate::record::Offset;

/// Where a record came to lie.
pub(super) type Placed = (u32, Offset);

/// Records handed over together.
pub(super) struct Parcel {
    became: Mutex<Became>,
    settled: Notify,
}

struct Became {
    placed: Vec<Placed>,
    /// Records nothing is known of yet.
    open: usize,
    failed: Option<KafkaError>,
}

impl Parcel {
    pub(super) fn of(records: usize) -> Arc<Self> {
        let became = Became { placed: vec![(0, 0); records], open: records, failed: None };
        Arc::new(Self { became: Mutex::new(became), settled: Notify::new() })
    }

    /// What goes with record `at` and comes back with the brokers' word on it.
    pub(super) fn label(self: &Arc<Self>, at: usize, seat: Option<Seat>) -> Box<Label> {
        Box::new(Label { parcel: Arc::clone(self), at, seat, answered: false })
    }

    /// Where all of them came to lie.
    pub(super) async fn placed(&self) -> Result<Vec<Placed>, KafkaError> {
        loop {
            {
                let mut became = self.became.lock();
                if let Some(error) = became.failed.take() {
                    return Err(error);
                }
                if became.open == 0 {
                    return Ok(std::mem::take(&mut became.placed));
                }
            }
            self.settled.notified().await;
        }
    }

    fn tell(&self, at: usize, what: Result<Placed, KafkaError>) {
        let mut became = self.became.lock();
        became.open = became.open.saturating_sub(1);
        match what {
            Ok(place) => became.placed.get_mut(at).into_iter().for_each(|lies| *lies = place),
            Err(error) => became.failed = Some(error),
        }
        if became.open == 0 || became.failed.is_some() {
            self.settled.notify_one();
        }
    }
}

/// What travels with a record. One that is dropped on the way counts as failed.
pub(super) struct Label {
    parcel: Arc<Parcel>,
    at: usize,
    pub(super) seat: Option<Seat>,
    answered: bool,
}

impl Label {
    /// The brokers answered, or the client gave the record up.
    pub(super) fn tell(mut self, what: Result<Placed, KafkaError>) {
        self.answered = true;
        self.parcel.tell(self.at, what);
    }

    /// The client did not take the record: it may be handed over again.
    pub(super) fn unsent(mut self) {
        self.answered = true;
    }
}

impl Drop for Label {
    fn drop(&mut self) {
        if !self.answered {
            self.parcel.tell(self.at, Err(KafkaError::Canceled));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_hears_when_all_lie_somewhere() {
        let parcel = Parcel::of(2);
        let (first, second) = (parcel.label(0, None), parcel.label(1, None));
        let waiting = tokio::spawn({
            let parcel = Arc::clone(&parcel);
            async move { parcel.placed().await }
        });
        second.tell(Ok((1, 8)));
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished(), "one is still on its way");
        first.tell(Ok((0, 7)));
        assert_eq!(waiting.await.unwrap(), Ok(vec![(0, 7), (1, 8)]));
        assert_eq!(Parcel::of(0).placed().await, Ok(Vec::new()), "nothing to wait for");
    }

    #[tokio::test]
    async fn one_that_fails_or_is_dropped_ends_the_wait() {
        let parcel = Parcel::of(3);
        let _under_way = parcel.label(0, None);
        parcel.label(1, None).tell(Err(KafkaError::NoMessageReceived));
        assert_eq!(parcel.placed().await, Err(KafkaError::NoMessageReceived));
        parcel.label(2, None).unsent();
        parcel.label(2, None).tell(Ok((0, 0)));
        drop(parcel.label(2, None));
        assert_eq!(parcel.placed().await, Err(KafkaError::Canceled));
    }
}
