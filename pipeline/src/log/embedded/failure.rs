//! The disk failed to take what it was given. From then on nothing is acknowledged and no page goes
//! back into the database: the kernel may have dropped what it could not write, and a later sync would
//! not say so. The write-ahead log is still whole; a restart recovers from it.

use std::sync::Arc;

use tokio::sync::watch;

/// Set once, for good.
pub(super) struct Failure(watch::Sender<Option<Arc<str>>>);

impl Failure {
    pub(super) fn none() -> Self {
        Self(watch::Sender::new(None))
    }

    /// Notes that `what` failed; the first failure counts.
    pub(super) fn note(&self, what: &str, error: &dyn std::fmt::Display) {
        tracing::error!(what, %error, "the log's disk failed; restart after mending it");
        self.0.send_if_modified(|failed| {
            let first = failed.is_none();
            failed.get_or_insert_with(|| format!("{what}: {error}").into());
            first
        });
    }

    /// Why nothing is acknowledged any more, if so.
    pub(super) fn why(&self) -> Option<Arc<str>> {
        self.0.borrow().clone()
    }

    /// Waits for it.
    pub(super) async fn happened(&self) -> Arc<str> {
        let mut failed = self.0.subscribe();
        let found = failed.wait_for(Option::is_some).await;
        found.ok().and_then(|why| why.clone()).unwrap_or_default()
    }
}
