//! The one writer: drains the queue, writes what it found in one transaction, shows it, and hands
//! those who wait for the disk to the barrier. No timer: a group is what came while the last one
//! was written.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender};

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use schemas::topics::Topic;

use super::barrier::Committed;
use super::checkpoint::Checkpoints;
use super::files::sql;
use super::ops::{Answer, Op, refuse};
use super::retention;
use super::shared::{Shared, TopicState};
use crate::ledger::{Claim, OnceKey};
use crate::log::{Durable, Group, LogError, StateRow, Unit};
use crate::partition;
use crate::record::{Headers, Offset, Record, Stored};

/// Operations taken into one transaction at most.
const GROUP_OPS_MAX: usize = 1_024;

pub(super) struct Writer {
    shared: Arc<Shared>,
    connection: Connection,
    barrier: Sender<Committed>,
    checkpoints: Checkpoints,
}

/// What a transaction has done so far.
#[derive(Default)]
struct Effected {
    /// By topic: what was written, and the offset behind it.
    written: HashMap<Topic, (Vec<Stored>, Offset)>,
    answers: Vec<Answer>,
    bytes: usize,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        connection: Connection,
        barrier: Sender<Committed>,
        checkpoints: Checkpoints,
    ) -> Self {
        Self { shared, connection, barrier, checkpoints }
    }

    /// Works until it is told to stop or nobody can ask any more.
    pub(super) fn run(mut self, ops: &Receiver<Op>) {
        while let Ok(first) = ops.recv() {
            let mut group = vec![first];
            group.extend(ops.try_iter().take(GROUP_OPS_MAX - 1));
            let stop = group.iter().any(|op| matches!(op, Op::Stop));
            self.write(group);
            if stop {
                break;
            }
        }
        self.checkpoints.finish(&self.connection);
    }

    fn write(&mut self, ops: Vec<Op>) {
        let queued = ops.iter().map(Op::size).sum();
        let mut done = Effected::default();
        let mut failed = None;
        match self.connection.transaction() {
            Err(error) => {
                ops.into_iter().for_each(|op| refuse(op, &error.to_string()));
                self.shared.refund(queued);
                return;
            }
            Ok(transaction) => {
                for op in ops {
                    match &failed {
                        None => {
                            if let Err(error) = apply(&self.shared, &transaction, op, &mut done) {
                                failed = Some(error.to_string());
                            }
                        }
                        Some(why) => refuse(op, why),
                    }
                }
                if failed.is_none() {
                    failed = transaction.commit().err().map(|error| error.to_string());
                }
            }
        }
        self.shared.refund(queued);
        match failed {
            None => self.show(done),
            Some(why) => {
                tracing::error!(
                    why,
                    "the log could not be written; nothing of this group took effect"
                );
                done.answers.into_iter().for_each(|answer| answer.fail(&why));
            }
        }
    }

    /// Tells everybody what the committed transaction did.
    fn show(&mut self, done: Effected) {
        let mut ends = Vec::with_capacity(done.written.len());
        for (topic, (records, end)) in done.written {
            let Ok(state) = self.shared.topic(topic) else { continue };
            state.show(records, end);
            ends.push((state, end));
        }
        let waiters = done.answers.into_iter().filter_map(Answer::give).collect();
        let _ = self.barrier.send(Committed { ends, waiters });
        self.checkpoints.after_commit(&self.connection, done.bytes);
    }
}

/// Writes one operation into the transaction. An error spoils the whole transaction.
fn apply(
    shared: &Shared,
    transaction: &Transaction<'_>,
    op: Op,
    done: &mut Effected,
) -> Result<(), LogError> {
    match op {
        Op::Append { records, since, reply } => {
            let placed = insert(shared, transaction, records, done);
            let (placed, error) = match placed {
                Ok(placed) => (placed, None),
                Err(error) => (Vec::new(), Some(error)),
            };
            done.answers.push(Answer::Append(Durable(placed), since, reply));
            error.map_or(Ok(()), Err)
        }
        Op::Publish { whose, .. } if whose.is_broken() => {
            whose.fail("what was published before it failed");
            Ok(())
        }
        Op::Publish { records, whose } => {
            done.answers.push(Answer::Publish(whose));
            insert(shared, transaction, records, done).map(|_| ())
        }
        Op::Commit { group, epoch, unit, reply } => {
            if !shared.is_current(&group.name, epoch) {
                let _ = reply.send(Err(LogError::Fenced { group: group.name.to_string() }));
                return Ok(());
            }
            done.answers.push(Answer::Commit(reply));
            commit(shared, transaction, &group, unit, done)
        }
        Op::Claim { key, reply } => {
            let claim = claim(transaction, &key).map_err(|error| sql("claim", &error))?;
            done.answers.push(Answer::Claim(claim, reply));
            Ok(())
        }
        Op::Settle { key, outcome, reply } => {
            done.answers.push(Answer::Settle(reply));
            // Without an outcome the claim is taken back.
            let statement = match outcome {
                Some(_) => {
                    "INSERT INTO once (name, outcome) VALUES (?1, ?2) \
                     ON CONFLICT (name) DO UPDATE SET outcome = excluded.outcome"
                }
                None => "DELETE FROM once WHERE name = ?1 AND outcome IS ?2",
            };
            transaction
                .prepare_cached(statement)
                .and_then(|mut statement| statement.execute(params![key.0, outcome]))
                .map(|_| ())
                .map_err(|error| sql("settle", &error))
        }
        Op::Forget { topic, before_ms, records_max, reply } => {
            let table = shared.topic(topic)?;
            let records = retention::forget(transaction, &table.table, before_ms, records_max)?;
            done.answers.push(Answer::Forget(records, reply));
            Ok(())
        }
        Op::Stop => Ok(()),
    }
}

fn insert(
    shared: &Shared,
    transaction: &Transaction<'_>,
    records: Vec<Record>,
    done: &mut Effected,
) -> Result<Vec<(u32, Offset)>, LogError> {
    records
        .into_iter()
        .map(|record| {
            let topic = shared.topic(record.topic)?;
            let partition =
                record.partition.unwrap_or_else(|| partition::of(&record.key, shared.partitions));
            store(&topic, transaction, partition, record, None, done)
        })
        .collect()
}

/// Writes one record, or removes a key of a compacted topic.
fn store(
    topic: &TopicState,
    transaction: &Transaction<'_>,
    partition: u32,
    record: Record,
    wake_at_ms: Option<i64>,
    done: &mut Effected,
) -> Result<(u32, Offset), LogError> {
    let table = &topic.table;
    let failed = |error: rusqlite::Error| sql(&format!("write topic {}", table.topic), &error);
    let (written, next) =
        done.written.entry(table.topic).or_insert_with(|| (Vec::new(), *topic.visible.borrow()));
    let offset = *next;
    *next += 1;
    let headers = record.headers.to_bytes();
    if table.compacted && record.value.is_none() {
        transaction
            .prepare_cached(&table.delete)
            .and_then(|mut statement| statement.execute(params![partition, &record.key[..]]))
            .map_err(failed)?;
        transaction
            .prepare_cached("UPDATE topics SET next_offset_min = ?2 WHERE name = ?1")
            .and_then(|mut s| s.execute(params![table.topic.0, (offset + 1).cast_signed()]))
            .map_err(failed)?;
    } else {
        let mut statement = transaction.prepare_cached(&table.insert).map_err(failed)?;
        let value = record.value.as_deref();
        let headers = (!headers.is_empty()).then_some(headers);
        let offset = offset.cast_signed();
        let key = &record.key[..];
        if table.compacted {
            statement.execute(params![
                offset,
                partition,
                key,
                value,
                headers,
                record.time_ms,
                wake_at_ms
            ])
        } else {
            statement.execute(params![offset, partition, key, value, headers, record.time_ms])
        }
        .map_err(failed)?;
    }
    done.bytes += record.size();
    written.push(Stored {
        topic: table.topic,
        partition,
        offset,
        key: record.key,
        value: record.value,
        headers: record.headers,
        time_ms: record.time_ms,
    });
    Ok((partition, offset))
}

fn commit(
    shared: &Shared,
    transaction: &Transaction<'_>,
    group: &Group,
    unit: Unit,
    done: &mut Effected,
) -> Result<(), LogError> {
    let changelog = group.state.map(|topic| shared.topic(topic)).transpose()?;
    for part in unit.partitions {
        transaction
            .prepare_cached(
                "INSERT INTO positions (grp, topic, partition, position, watermarks, pins) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (grp, topic, partition) DO UPDATE SET \
                 position = excluded.position, watermarks = excluded.watermarks, pins = excluded.pins",
            )
            .and_then(|mut statement| {
                statement.execute(params![
                    group.name.as_str(),
                    group.input.0,
                    part.lease.partition,
                    part.position.cast_signed(),
                    part.watermarks.to_bytes(),
                    &part.pins[..],
                ])
            })
            .map_err(|error| sql("commit a position", &error))?;
        let Some(changelog) = &changelog else { continue };
        for (key, row) in part.changes {
            let (value, wake_at_ms) = match row {
                Some(StateRow { value, wake_at_ms }) => (Some(value), wake_at_ms),
                None => (None, None),
            };
            let record = Record {
                topic: changelog.table.topic,
                partition: Some(part.lease.partition),
                key,
                value,
                headers: Headers::default(),
                time_ms: unit.time_ms,
            };
            store(changelog, transaction, part.lease.partition, record, wake_at_ms, done)?;
        }
    }
    Ok(())
}

fn claim(transaction: &Transaction<'_>, key: &OnceKey) -> rusqlite::Result<Claim> {
    let found: Option<Option<Vec<u8>>> = transaction
        .prepare_cached("SELECT outcome FROM once WHERE name = ?1")?
        .query_row([&key.0], |row| row.get(0))
        .optional()?;
    Ok(match found {
        Some(Some(outcome)) => Claim::Settled(outcome),
        Some(None) => Claim::Open,
        None => {
            transaction.prepare_cached("INSERT INTO once (name) VALUES (?1)")?.execute([&key.0])?;
            Claim::Won
        }
    })
}
