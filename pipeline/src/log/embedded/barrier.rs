//! The barrier: one fdatasync for all that was committed meanwhile, then everybody who waited for
//! the disk is told. The hops of the line never wait for it.
//!
//! SQLite in WAL mode with `synchronous = NORMAL` appends commits to the write-ahead log without
//! syncing; on recovery it takes the longest valid prefix. So syncing that file makes every commit
//! written to it before durable, in order.

use std::fs::File;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::ops::{Reply, fail};
use super::shared::{Shared, TopicState};
use crate::ledger::{Claim, LedgerError};
use crate::log::{AppendError, Durable};
use crate::record::Offset;

/// What a transaction made visible, and who waits for the disk.
pub(super) struct Committed {
    pub(super) ends: Vec<(Arc<TopicState>, Offset)>,
    pub(super) waiters: Vec<Waiter>,
}

/// Somebody who waits for the disk.
pub(super) enum Waiter {
    Append(Durable, Instant, Reply<Durable, AppendError>),
    Claim(Claim, Reply<Claim, LedgerError>),
    Settle(Reply<(), LedgerError>),
}

impl Waiter {
    fn tell(self, shared: &Shared, failed: Option<&str>) {
        match (self, failed) {
            (Self::Append(durable, since, reply), None) => {
                shared.metrics.log_append(since.elapsed());
                let _ = reply.send(Ok(durable));
            }
            (Self::Append(_, _, reply), Some(why)) => fail(reply, why),
            (Self::Claim(claim, reply), None) => drop(reply.send(Ok(claim))),
            (Self::Claim(_, reply), Some(why)) => fail(reply, why),
            (Self::Settle(reply), None) => drop(reply.send(Ok(()))),
            (Self::Settle(reply), Some(why)) => fail(reply, why),
        }
    }
}

/// Works until the writer is gone. `wal` is `None` when the operating system's word is enough.
pub(super) fn run(shared: &Shared, wal: Option<&File>, commits: &Receiver<Committed>) {
    while let Ok(first) = commits.recv() {
        let mut group = vec![first];
        group.extend(commits.try_iter());
        if let (Some(wal), None) = (wal, shared.failure.why()) {
            let started = Instant::now();
            if let Err(error) = wal.sync_data() {
                shared.failure.note("a sync of the write-ahead log", &error);
            }
            shared.metrics.log_sync(started.elapsed());
        }
        let failed = shared.failure.why();
        for Committed { ends, waiters } in group {
            if failed.is_none() {
                ends.iter().for_each(|(topic, end)| {
                    topic.durable.send_replace(*end);
                });
            }
            waiters.into_iter().for_each(|waiter| waiter.tell(shared, failed.as_deref()));
        }
    }
}
