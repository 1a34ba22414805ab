//! The member of an embedded group. There is one at a time, and it holds every partition; a new one
//! fences the one before it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::Sender;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use rusqlite::{Connection, OptionalExtension, params};
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::files::{self, sql};
use super::ops::{Op, Published};
use super::shared::{Cold, Shared, TopicState};
use crate::log::{
    Confirmation, Event, Group, Lease, Limit, LogError, Member, NoState, Restored, StateReader,
    StateRow, Unit,
};
use crate::record::{Offset, Record, Stored};
use crate::watermarks::Watermarks;

pub(super) struct EmbeddedMember {
    shared: Arc<Shared>,
    ops: Sender<Op>,
    group: Group,
    epoch: u64,
    input: Arc<TopicState>,
    end: watch::Receiver<Offset>,
    cold: Cold,
    /// Next offset of the topic to read; `None` until every partition is restored.
    cursor: Option<Offset>,
    /// Where each partition begins.
    starts: HashMap<u32, Offset>,
    assigned: bool,
    /// Last offsets of partitions with records no commit covers, and the end they were looked up at.
    uncovered: Option<(Offset, HashMap<u32, Offset>)>,
    /// One of its publications has failed.
    broken: Arc<AtomicBool>,
}

impl EmbeddedMember {
    pub(super) fn join(
        shared: Arc<Shared>,
        ops: Sender<Op>,
        group: &Group,
    ) -> Result<Self, LogError> {
        let input = shared.topic(group.input)?;
        let end =
            if group.durable_only { input.durable.subscribe() } else { input.visible.subscribe() };
        Ok(Self {
            epoch: shared.next_epoch(&group.name),
            cold: Cold::new(shared.database.clone()),
            group: group.clone(),
            shared,
            ops,
            input,
            end,
            cursor: None,
            starts: HashMap::new(),
            assigned: false,
            uncovered: None,
            broken: Arc::default(),
        })
    }

    /// The end of what is visible, and the last offset of each partition that has records behind the
    /// group's lowest position. Looked up once for all partitions.
    fn uncovered(
        &mut self,
        connection: &Connection,
    ) -> Result<&(Offset, HashMap<u32, Offset>), LogError> {
        let found = match self.uncovered.take() {
            Some(found) => found,
            None => {
                let failed = |error: rusqlite::Error| sql("read where partitions end", &error);
                let end = *self.input.visible.borrow();
                let name = self.input.table.topic.0;
                let (known, lowest): (u32, i64) = connection
                    .query_row(
                        "SELECT count(*), ifnull(min(position), 0) FROM positions \
                         WHERE grp = ?1 AND topic = ?2",
                        params![self.group.name.as_str(), name],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )
                    .map_err(failed)?;
                let from = if known < self.shared.partitions { 0 } else { lowest };
                let query = format!(
                    "SELECT partition, max(offset) FROM \"{name}\" WHERE offset >= ?1 GROUP BY partition"
                );
                let lasts = connection
                    .prepare(&query)
                    .and_then(|mut statement| {
                        let rows = statement.query_map([from], |row| {
                            Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned()))
                        })?;
                        rows.collect()
                    })
                    .map_err(failed)?;
                (end, lasts)
            }
        };
        Ok(self.uncovered.insert(found))
    }

    fn ask<T>(
        &self,
        op: impl FnOnce(oneshot::Sender<Result<T, LogError>>) -> Op,
    ) -> Result<oneshot::Receiver<Result<T, LogError>>, LogError> {
        let (reply, answer) = oneshot::channel();
        self.ops.send(op(reply)).map_err(|_| closed())?;
        Ok(answer)
    }

    /// Records there are already.
    fn read(&mut self, limit: Limit) -> Result<Vec<Stored>, LogError> {
        let lowest = || self.starts.values().copied().min().unwrap_or(0);
        let cursor = self.cursor.unwrap_or_else(lowest);
        let end = *self.end.borrow_and_update();
        let mut records =
            self.input.read(&mut self.cold, cursor, end, limit.records_max, limit.bytes_max)?;
        // What lies behind the last record read is still to come; without one, nothing is left.
        self.cursor = Some(records.last().map_or(end.max(cursor), |last| last.offset + 1));
        records.retain(|record| {
            self.starts.get(&record.partition).is_none_or(|start| record.offset >= *start)
        });
        Ok(records)
    }
}

#[async_trait]
impl Member for EmbeddedMember {
    async fn next(&mut self, limit: Limit) -> Result<Event, LogError> {
        if !self.shared.is_current(&self.group.name, self.epoch) {
            return Err(LogError::Fenced { group: self.group.name.to_string() });
        }
        if !self.assigned {
            self.assigned = true;
            let epoch = self.epoch;
            let leases = (0..self.shared.partitions).map(|partition| Lease { partition, epoch });
            return Ok(Event::Assigned(leases.collect()));
        }
        let until = Instant::now() + limit.wait;
        loop {
            let before = self.cursor;
            let records = self.read(limit)?;
            if !records.is_empty() {
                return Ok(Event::Records(records));
            }
            if self.cursor != before && self.cursor < Some(*self.end.borrow()) {
                continue; // a stretch that lies before every partition's start
            }
            match timeout_at(until, self.end.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(closed()),
                Err(_) => return Ok(Event::Idle),
            }
        }
    }

    async fn restore(&mut self, lease: Lease) -> Result<Restored, LogError> {
        let connection = files::reader(&self.shared.database)?;
        let found: Option<(i64, Vec<u8>, Vec<u8>)> = connection
            .query_row(
                "SELECT position, watermarks, pins FROM positions \
                 WHERE grp = ?1 AND topic = ?2 AND partition = ?3",
                params![self.group.name.as_str(), self.group.input.0, lease.partition],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()
            .map_err(|error| sql("read a position", &error))?;
        let (position, watermarks, pins) = found.unwrap_or_default();
        let position = position.cast_unsigned();
        let (visible, lasts) = self.uncovered(&connection)?;
        // A partition without records behind its position has nothing to read again: it neither holds
        // on to the versions it was left with, nor holds up those that have.
        let (start, end) = match lasts.get(&lease.partition) {
            Some(last) if *last >= position => (position, last + 1),
            _ => (position.max(*visible), position),
        };
        self.starts.insert(lease.partition, start);
        let state: Arc<dyn StateReader> = match self.group.state {
            None => Arc::new(NoState),
            Some(topic) => Arc::new(EmbeddedState {
                changelog: self.shared.topic(topic)?,
                partition: lease.partition,
                connection: Mutex::new(connection),
            }),
        };
        Ok(Restored {
            position,
            end,
            watermarks: Watermarks::from_bytes(&watermarks).ok_or_else(|| {
                LogError::Fatal(format!("watermarks of {} are unreadable", self.group.name))
            })?,
            pins: pins.into(),
            state,
        })
    }

    async fn seek(&mut self, lease: Lease, position: Offset) -> Result<(), LogError> {
        self.starts.insert(lease.partition, position);
        self.cursor = None;
        Ok(())
    }

    async fn hand_over(&mut self, records: Vec<Record>) -> Result<Confirmation, LogError> {
        let broken = Arc::clone(&self.broken);
        let told = self.ask(|reply| Op::Publish { records, whose: Published { broken, reply } })?;
        Ok(Box::pin(async move { told.await.map_err(|_| closed())? }))
    }

    fn commit(&mut self, unit: Unit) -> Confirmation {
        let (group, epoch) = (self.group.clone(), self.epoch);
        let asked = self.ask(|reply| Op::Commit { group, epoch, unit, reply });
        Box::pin(async move { asked?.await.map_err(|_| closed())? })
    }

    async fn leave(self: Box<Self>) {}
}

pub(super) fn closed() -> LogError {
    LogError::Fatal("the log has been closed".to_owned())
}

/// Committed state of one partition, read from the changelog's table.
struct EmbeddedState {
    changelog: Arc<TopicState>,
    partition: u32,
    connection: Mutex<Connection>,
}

impl EmbeddedState {
    fn failed(&self, error: &rusqlite::Error) -> LogError {
        sql(&format!("read state of {}", self.changelog.table.topic), error)
    }
}

impl StateReader for EmbeddedState {
    fn get(&self, key: &[u8]) -> Result<Option<StateRow>, LogError> {
        let connection = self.connection.lock();
        let found: rusqlite::Result<Option<(Vec<u8>, Option<i64>)>> =
            connection.prepare_cached(&self.changelog.table.state).and_then(|mut statement| {
                statement
                    .query_row(params![self.partition, key], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()
            });
        let found = found.map_err(|error| self.failed(&error))?;
        Ok(found.map(|(value, wake_at_ms)| StateRow { value: value.into(), wake_at_ms }))
    }

    fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError> {
        let connection = self.connection.lock();
        let rows = || -> rusqlite::Result<Vec<(Bytes, i64)>> {
            let mut statement = connection.prepare(&self.changelog.table.deadlines)?;
            let rows = statement.query_map([self.partition], |row| {
                Ok((Bytes::from(row.get::<_, Vec<u8>>(0)?), row.get(1)?))
            })?;
            rows.collect()
        };
        rows().map_err(|error| self.failed(&error))
    }

    fn rows(&self, after: &[u8], rows_max: usize) -> Result<Vec<(Bytes, StateRow)>, LogError> {
        let connection = self.connection.lock();
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let rows = || -> rusqlite::Result<Vec<(Bytes, StateRow)>> {
            let mut statement = connection.prepare_cached(&self.changelog.table.states)?;
            let rows = statement.query_map(params![self.partition, after, limit], |row| {
                let value = Bytes::from(row.get::<_, Vec<u8>>(1)?);
                let state = StateRow { value, wake_at_ms: row.get(2)? };
                Ok((Bytes::from(row.get::<_, Vec<u8>>(0)?), state))
            })?;
            rows.collect()
        };
        rows().map_err(|error| self.failed(&error))
    }
}
