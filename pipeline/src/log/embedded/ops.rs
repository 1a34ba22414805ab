//! What the writer is asked to do, and how it answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use schemas::topics::Topic;
use tokio::sync::oneshot;

use super::barrier::Waiter;
use super::shared::size_of;
use crate::ledger::{Claim, LedgerError, OnceKey};
use crate::log::{AppendError, Durable, Group, LogError, Unit};
use crate::record::Record;

pub(super) type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// What the writer is asked to do.
pub(super) enum Op {
    /// Durable before it answers.
    Append { records: Vec<Record>, since: Instant, reply: Reply<Durable, AppendError> },
    /// Visible before it answers.
    Publish { records: Vec<Record>, whose: Published },
    /// Visible before it answers.
    Commit { group: Group, epoch: u64, unit: Unit, reply: Reply<(), LogError> },
    /// Durable before it answers.
    Claim { key: OnceKey, reply: Reply<Claim, LedgerError> },
    /// Durable before it answers.
    Settle { key: OnceKey, outcome: Option<Vec<u8>>, reply: Reply<(), LedgerError> },
    /// Drops the oldest records of a topic, a portion at a time; answers how many went.
    Forget { topic: Topic, before_ms: i64, records_max: usize, reply: Reply<usize, LogError> },
    /// Ends the thread after what was queued before it.
    Stop,
}

impl Op {
    /// What it holds of the queue's budget.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Append { records, .. } => size_of(records),
            _ => 0,
        }
    }
}

/// Tells whoever asked that it was not done.
pub(super) fn fail<T, E: Failure>(reply: Reply<T, E>, why: &str) {
    let _ = reply.send(Err(E::because(why.to_owned())));
}

/// What an answer says of something that was not done.
pub(super) trait Failure {
    fn because(why: String) -> Self;
}

impl Failure for AppendError {
    fn because(why: String) -> Self {
        Self::Failed(why)
    }
}

impl Failure for LogError {
    fn because(why: String) -> Self {
        Self::Redeliver(why)
    }
}

impl Failure for LedgerError {
    fn because(why: String) -> Self {
        Self(why)
    }
}

/// Whoever published, and waits. What it publishes behind something that failed fails too: a reader
/// who saw that would take the first for a repeat when it is published again.
pub(super) struct Published {
    /// Something of it has failed.
    pub(super) broken: Arc<AtomicBool>,
    pub(super) reply: Reply<(), LogError>,
}

impl Published {
    pub(super) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(super) fn fail(self, why: &str) {
        self.broken.store(true, Ordering::Relaxed);
        fail(self.reply, why);
    }
}

/// Answers to give once the transaction has been committed, or has failed.
pub(super) enum Answer {
    Append(Durable, Instant, Reply<Durable, AppendError>),
    Publish(Published),
    Commit(Reply<(), LogError>),
    Claim(Claim, Reply<Claim, LedgerError>),
    Settle(Reply<(), LedgerError>),
    Forget(usize, Reply<usize, LogError>),
}

impl Answer {
    /// Answers those content with visibility; the others wait for the disk.
    pub(super) fn give(self) -> Option<Waiter> {
        match self {
            Self::Append(durable, since, reply) => Some(Waiter::Append(durable, since, reply)),
            Self::Claim(claim, reply) => Some(Waiter::Claim(claim, reply)),
            Self::Settle(reply) => Some(Waiter::Settle(reply)),
            Self::Publish(Published { reply, .. }) | Self::Commit(reply) => {
                let _ = reply.send(Ok(()));
                None
            }
            Self::Forget(records, reply) => {
                let _ = reply.send(Ok(records));
                None
            }
        }
    }

    pub(super) fn fail(self, why: &str) {
        match self {
            Self::Append(_, _, reply) => fail(reply, why),
            Self::Publish(whose) => whose.fail(why),
            Self::Commit(reply) => fail(reply, why),
            Self::Claim(_, reply) => fail(reply, why),
            Self::Settle(reply) => fail(reply, why),
            Self::Forget(_, reply) => fail(reply, why),
        }
    }
}

/// Answers an operation that was not tried.
pub(super) fn refuse(op: Op, why: &str) {
    match op {
        Op::Append { reply, .. } => fail(reply, why),
        Op::Publish { whose, .. } => whose.fail(why),
        Op::Commit { reply, .. } => fail(reply, why),
        Op::Claim { reply, .. } => fail(reply, why),
        Op::Settle { reply, .. } => fail(reply, why),
        Op::Forget { reply, .. } => fail(reply, why),
        Op::Stop => {}
    }
}
