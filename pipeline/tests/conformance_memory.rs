//! The memory log keeps every promise of a log, with and without gaps between offsets.
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
use pipeline::log::memory::MemoryLog;
use pipeline::testkit::conformance::Harness;

struct Memory {
    log: MemoryLog,
    stride: u64,
}

impl Memory {
    fn new(stride: u64) -> Self {
        Self { log: MemoryLog::with_gaps(4, stride), stride }
    }
}

#[async_trait]
impl Harness for Memory {
    fn log(&self) -> Arc<dyn Log> {
        Arc::new(self.log.clone())
    }

    fn ledger(&self) -> Arc<dyn OnceLedger> {
        Arc::new(self.log.clone())
    }

    /// Memory has no process to end: members dropped without a word are the crash.
    async fn crash(&mut self) {}

    async fn fresh(&mut self) {
        *self = Self::new(self.stride);
    }

    async fn expire(&mut self, group: &str, partition: u32) {
        self.log.expire(group, partition);
    }

    fn members_max(&self) -> usize {
        3
    }
}

mod dense {
    use super::*;
    pipeline::conformance_suite!(Memory::new(1));
}

mod with_gaps {
    use super::*;
    pipeline::conformance_suite!(Memory::new(3));
}

#[tokio::test]
async fn a_busy_log_says_when_to_come_again() {
    let log = MemoryLog::new(1);
    log.set_busy(true);
    let error = log.append(Vec::new()).await.unwrap_err();
    assert!(
        matches!(error, pipeline::log::AppendError::Busy { retry_after } if !retry_after.is_zero())
    );
    log.set_busy(false);
    assert!(log.append(Vec::new()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_at_the_door_and_set_aside_behind_it() {
    let mut memory = Memory::new(1);
    memory.log.set_record_bytes_max(4_096);
    pipeline::testkit::conformance::what_is_too_large_is_refused_at_the_door_and_set_aside_behind_it(
        &mut memory,
    )
    .await;
}
