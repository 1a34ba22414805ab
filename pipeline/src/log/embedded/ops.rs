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

    pub(super) fn fail(self, why: String) {
        self.broken.store(true, Ordering::Relaxed);
        let _ = self.reply.send(Err(LogError::Redeliver(why)));
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
        let why = why.to_owned();
        match self {
            Self::Append(_, _, reply) => drop(reply.send(Err(AppendError::Failed(why)))),
            Self::Publish(whose) => whose.fail(why),
            Self::Commit(reply) => drop(reply.send(Err(LogError::Redeliver(why)))),
            Self::Claim(_, reply) => drop(reply.send(Err(LedgerError(why)))),
            Self::Settle(reply) => drop(reply.send(Err(LedgerError(why)))),
            Self::Forget(_, reply) => drop(reply.send(Err(LogError::Redeliver(why)))),
        }
    }
}

/// Answers an operation that was not tried.
pub(super) fn refuse(op: Op, why: &str) {
    let why = why.to_owned();
    match op {
        Op::Append { reply, .. } => drop(reply.send(Err(AppendError::Failed(why)))),
        Op::Publish { whose, .. } => whose.fail(why),
        Op::Commit { reply, .. } => drop(reply.send(Err(LogError::Redeliver(why)))),
        Op::Claim { reply, .. } => drop(reply.send(Err(LedgerError(why)))),
        Op::Settle { reply, .. } => drop(reply.send(Err(LedgerError(why)))),
        Op::Forget { reply, .. } => drop(reply.send(Err(LogError::Redeliver(why)))),
        Op::Stop => {}
    }
}
