//! The embedded log keeps every promise of a log.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)] // a test fails loudly

use std::sync::Arc;

use async_trait::async_trait;
use pipeline::Log;
use pipeline::ledger::OnceLedger;
use pipeline::log::embedded::{EmbeddedLog, Options};
use pipeline::telemetry::metrics::Metrics;
use pipeline::testkit::conformance::{Harness, topics};

struct Embedded {
    directory: tempfile::TempDir,
    log: Option<EmbeddedLog>,
}

impl Embedded {
    async fn new() -> Self {
        let mut embedded = Self { directory: tempfile::tempdir().unwrap(), log: None };
        embedded.open().await;
        embedded
    }

    async fn open(&mut self) {
        let options = Options { partitions: 4, ..Options::at(self.directory.path()) };
        let log = EmbeddedLog::open(&options, Arc::new(Metrics::new().unwrap())).unwrap();
        log.ensure(topics()).await.unwrap();
        self.log = Some(log);
    }

    fn opened(&self) -> EmbeddedLog {
        self.log.clone().unwrap()
    }
}

#[async_trait]
impl Harness for Embedded {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.opened())
    }

    fn ledger(&self) -> Arc<dyn OnceLedger> {
        Arc::new(self.opened())
    }

    /// The files as they lie there are opened by a second log while the first, as a dead process
    /// would, does nothing more. (A process that really dies is in `tests/`.)
    async fn crash(&mut self) {
        let copy = tempfile::tempdir().unwrap();
        for name in ["log.db", "log.db-wal"] {
            std::fs::copy(self.directory.path().join(name), copy.path().join(name)).unwrap();
        }
        self.log = None;
        self.directory = copy;
        self.open().await;
    }

    async fn fresh(&mut self) {
        self.log = None;
        self.directory = tempfile::tempdir().unwrap();
        self.open().await;
    }

    /// A member that joins fences the one before it.
    async fn expire(&mut self, _: &str, _: u32) {}

    fn members_max(&self) -> usize {
        1
    }
}

pipeline::conformance_suite!(Embedded::new().await);
