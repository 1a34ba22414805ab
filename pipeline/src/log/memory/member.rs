//! A member of a group of the memory log.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use super::Shared;
use super::group::MemberId;
use crate::log::{Confirmation, Event, Group, Lease, Limit, LogError, Member, Restored, Unit};
use crate::record::{Headers, Offset, Record, Stored};

/// How long a member may take to give up partitions.
const REVOKE_DEADLINE: Duration = Duration::from_secs(5);

pub(super) struct MemoryMember {
    shared: Arc<Shared>,
    group: Group,
    id: MemberId,
    /// Next record to hand out, by held partition.
    cursors: BTreeMap<u32, Offset>,
    revoked: bool,
    changed: watch::Receiver<u64>,
}

impl MemoryMember {
    pub(super) fn join(shared: Arc<Shared>, group: &Group) -> Self {
        let changed = shared.changed.subscribe();
        let id = shared.inner.lock().groups.entry(group.name.clone()).or_default().add_member();
        shared.touch();
        Self { shared, group: group.clone(), id, cursors: BTreeMap::new(), revoked: false, changed }
    }

    fn fenced(&self) -> LogError {
        LogError::Fenced { group: self.group.name.to_string() }
    }

    /// The next event there is already.
    fn poll(&mut self, limit: Limit) -> Result<Option<Event>, LogError> {
        let mut inner = self.shared.inner.lock();
        let partitions = self.shared.partitions;
        let state = inner.groups.entry(self.group.name.clone()).or_default();
        if !state.is_member(self.id) {
            drop(inner);
            return Err(self.fenced());
        }
        if self.revoked {
            self.revoked = false;
            if state.release_revoked(self.id) {
                self.shared.touch();
            }
        }
        let leases = state.revoke(self.id);
        if !leases.is_empty() {
            self.revoked = true;
            leases.iter().for_each(|lease| {
                self.cursors.remove(&lease.partition);
            });
            return Ok(Some(Event::Revoked { leases, deadline: REVOKE_DEADLINE }));
        }
        let leases = state.assign(self.id, partitions);
        if !leases.is_empty() {
            for lease in &leases {
                self.cursors.insert(lease.partition, state.position(lease.partition));
            }
            return Ok(Some(Event::Assigned(leases)));
        }
        let mut records: Vec<Stored> = Vec::new();
        let mut bytes = 0;
        for (partition, cursor) in &mut self.cursors {
            for record in inner.read(self.group.input, *partition, *cursor) {
                if records.len() >= limit.records_max || bytes >= limit.bytes_max {
                    break;
                }
                *cursor = record.offset + 1;
                bytes += record.size();
                records.push(record.clone());
            }
        }
        Ok((!records.is_empty()).then_some(Event::Records(records)))
    }
}

#[async_trait]
impl Member for MemoryMember {
    async fn next(&mut self, limit: Limit) -> Result<Event, LogError> {
        let until = Instant::now() + limit.wait;
        loop {
            self.changed.mark_unchanged();
            if let Some(event) = self.poll(limit)? {
                return Ok(event);
            }
            if timeout_at(until, self.changed.changed()).await.is_err() {
                return Ok(Event::Idle);
            }
        }
    }

    async fn restore(&mut self, lease: Lease) -> Result<Restored, LogError> {
        let inner = self.shared.inner.lock();
        let state = inner.groups.get(&self.group.name).ok_or_else(|| self.fenced())?;
        let committed = state.committed(lease.partition);
        Ok(Restored {
            position: committed.position,
            end: inner.end(self.group.input, lease.partition),
            watermarks: committed.watermarks.clone(),
            pins: committed.pins.clone(),
            state: Arc::new(committed),
        })
    }

    async fn seek(&mut self, lease: Lease, position: Offset) -> Result<(), LogError> {
        if let Some(cursor) = self.cursors.get_mut(&lease.partition) {
            *cursor = position;
        }
        Ok(())
    }

    async fn hand_over(&mut self, outputs: Vec<Record>) -> Result<Confirmation, LogError> {
        let mut inner = self.shared.inner.lock();
        self.shared.append(&mut inner, outputs);
        drop(inner);
        self.shared.touch();
        Ok(Box::pin(std::future::ready(Ok(()))))
    }

    fn commit(&mut self, unit: Unit) -> Confirmation {
        Box::pin(std::future::ready(self.commit_now(unit)))
    }

    async fn leave(self: Box<Self>) {}
}

impl MemoryMember {
    fn commit_now(&self, unit: Unit) -> Result<(), LogError> {
        let mut inner = self.shared.inner.lock();
        let state = inner.groups.get(&self.group.name).ok_or_else(|| self.fenced())?;
        if !state.may_commit(self.id, unit.partitions.iter().map(|part| part.lease)) {
            drop(inner);
            return Err(self.fenced());
        }
        let changelog = self.group.state.map(|topic| changes_of(topic, &unit)).unwrap_or_default();
        self.shared.append(&mut inner, changelog);
        if let Some(state) = inner.groups.get_mut(&self.group.name) {
            unit.partitions.into_iter().for_each(|part| state.commit(part));
        }
        drop(inner);
        self.shared.touch();
        Ok(())
    }
}

/// The changelog's records of a commit.
fn changes_of(topic: schemas::topics::Topic, unit: &Unit) -> Vec<Record> {
    unit.partitions
        .iter()
        .flat_map(|part| {
            part.changes.iter().map(|(key, row)| Record {
                topic,
                partition: Some(part.lease.partition),
                key: key.clone(),
                value: row.as_ref().map(|row| row.value.clone()),
                headers: Headers::default(),
                time_ms: unit.time_ms,
            })
        })
        .collect()
}

impl Drop for MemoryMember {
    fn drop(&mut self) {
        if let Some(state) = self.shared.inner.lock().groups.get_mut(&self.group.name) {
            state.remove_member(self.id);
        }
        self.shared.touch();
    }
}
