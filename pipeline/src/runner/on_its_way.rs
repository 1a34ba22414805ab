//! What is on its way, publications and commits: reading and processing go on beside it.

use std::collections::VecDeque;
use std::future::pending;
use std::time::{Duration, Instant};

use futures::FutureExt as _;

use crate::log::{Confirmation, LogError};

/// How something ended, and how long it was on its way.
pub(super) type Ended = (Result<(), LogError>, Duration);

/// One thing at most, and since when it is on its way.
#[derive(Default)]
pub(super) struct OnItsWay(Option<(Confirmation, Instant)>);

impl OnItsWay {
    /// What has begun just now.
    pub(super) fn begun(what: Confirmation) -> Self {
        Self::since(Instant::now(), what)
    }

    /// What began then.
    pub(super) fn since(since: Instant, what: Confirmation) -> Self {
        Self(Some((what, since)))
    }

    /// Whether there is anything.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Its end; never, while there is nothing. May be dropped while it waits.
    pub(super) async fn end(&mut self) -> Ended {
        let Some((what, since)) = &mut self.0 else { return pending().await };
        let (done, took) = (what.await, since.elapsed());
        self.0 = None;
        (done, took)
    }

    /// Its end; `None`, while there is nothing.
    pub(super) async fn finish(&mut self) -> Option<Ended> {
        if self.is_some() { Some(self.end().await) } else { None }
    }
}

/// Publications on their way, oldest first.
#[derive(Default)]
pub(super) struct Publications(VecDeque<OnItsWay>);

impl Publications {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// One more, handed over since then.
    pub(super) fn push(&mut self, publication: OnItsWay) {
        self.0.push_back(publication);
    }

    /// The end of the oldest; never, while there is none. May be dropped while it waits.
    pub(super) async fn end(&mut self) -> Ended {
        let Some(oldest) = self.0.front_mut() else { return pending().await };
        let ended = oldest.end().await;
        self.0.pop_front();
        ended
    }

    /// The end of the oldest, if it has ended by now.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        self.end().now_or_never()
    }
}
