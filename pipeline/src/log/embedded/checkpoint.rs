//! Checkpoints: the write-ahead log's pages go back into the database, mostly on a thread of their
//! own, so that the writer seldom waits for the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use rusqlite::Connection;

use super::files;
use super::shared::Shared;
use crate::log::LogError;

/// When pages go back into the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointPolicy {
    /// Record bytes after which a checkpoint is begun beside the writer.
    pub beside_bytes: usize,
    /// Commits after which it is.
    pub beside_commits: usize,
    /// Pages (4 KiB) in the write-ahead log at which the writer itself finishes the checkpoint, so
    /// that the file can begin anew.
    pub pages_max: i64,
}

impl Default for CheckpointPolicy {
    fn default() -> Self {
        Self { beside_bytes: 4 << 20, beside_commits: 1_000, pages_max: 8_192 }
    }
}

/// The writer's side.
pub(super) struct Checkpoints {
    policy: CheckpointPolicy,
    shared: Arc<Shared>,
    wake: SyncSender<()>,
    /// Set by the thread when the write-ahead log has grown too long.
    too_long: Arc<AtomicBool>,
    bytes: usize,
    commits: usize,
}

/// The thread's side.
pub(super) struct Checkpointer {
    policy: CheckpointPolicy,
    shared: Arc<Shared>,
    wake: Receiver<()>,
    too_long: Arc<AtomicBool>,
}

pub(super) fn pair(shared: &Arc<Shared>, policy: CheckpointPolicy) -> (Checkpoints, Checkpointer) {
    let (wake, receiver) = sync_channel(1);
    let too_long = Arc::new(AtomicBool::new(false));
    (
        Checkpoints {
            policy,
            shared: Arc::clone(shared),
            wake,
            too_long: Arc::clone(&too_long),
            bytes: 0,
            commits: 0,
        },
        Checkpointer { policy, shared: Arc::clone(shared), wake: receiver, too_long },
    )
}

impl Checkpoints {
    pub(super) fn after_commit(&mut self, connection: &Connection, bytes: usize) {
        self.bytes += bytes;
        self.commits += 1;
        if self.too_long.swap(false, Ordering::Relaxed) {
            // Almost all pages are back already; what is left is quick. Without this the file would
            // grow as long as there is always something to write.
            checkpoint(&self.shared, connection, "RESTART");
        }
        if self.bytes >= self.policy.beside_bytes || self.commits >= self.policy.beside_commits {
            (self.bytes, self.commits) = (0, 0);
            let _ = self.wake.try_send(());
        }
    }

    /// Leaves a database that needs no recovery.
    pub(super) fn finish(&self, connection: &Connection) {
        checkpoint(&self.shared, connection, "TRUNCATE");
    }
}

impl Checkpointer {
    /// Works until the writer is gone.
    pub(super) fn run(self) -> Result<(), LogError> {
        let connection = files::writer(&self.shared.database)?;
        while self.wake.recv().is_ok() {
            let pages = checkpoint(&self.shared, &connection, "PASSIVE");
            if pages.is_some_and(|pages| pages > self.policy.pages_max) {
                self.too_long.store(true, Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

/// A checkpoint of kind `mode`; gives the pages in the write-ahead log. None is made after the disk has
/// failed: SQLite would count pages as safe whose sync went wrong, and begin the log anew over them.
fn checkpoint(shared: &Shared, connection: &Connection, mode: &str) -> Option<i64> {
    let _alone = shared.checkpointing.lock();
    if shared.failure.why().is_some() {
        return None;
    }
    let pragma = format!("PRAGMA wal_checkpoint({mode})");
    connection
        .query_row(&pragma, [], |row| row.get(1))
        .map_err(|error| shared.failure.note("a checkpoint", &error))
        .ok()
}
