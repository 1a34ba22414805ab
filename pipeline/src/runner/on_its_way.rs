//! The commit on its way: reading, processing and publishing go on beside it.

use std::future::pending;
use std::time::{Duration, Instant};

use crate::log::{Committing, LogError};

/// One commit at most, and since when it is on its way.
#[derive(Default)]
pub(super) struct OnItsWay(Option<(Committing, Instant)>);

impl OnItsWay {
    /// A commit that has begun.
    pub(super) fn begun(commit: Committing) -> Self {
        Self(Some((commit, Instant::now())))
    }

    /// Whether there is one.
    pub(super) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Its end, and how long it took; never, while there is none. May be dropped while it waits.
    pub(super) async fn end(&mut self) -> (Result<(), LogError>, Duration) {
        let Some((commit, since)) = &mut self.0 else { return pending().await };
        let (done, took) = (commit.await, since.elapsed());
        self.0 = None;
        (done, took)
    }
}
