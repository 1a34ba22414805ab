//! Who holds what in a group, and what it has committed.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::log::{Lease, LogError, PartitionUnit, StateReader, StateRow};
use crate::record::Offset;
use crate::watermarks::Watermarks;

pub(super) type MemberId = u64;

/// One consumer group.
#[derive(Default)]
pub(super) struct GroupState {
    members: BTreeSet<MemberId>,
    next_member: MemberId,
    holders: BTreeMap<u32, Holder>,
    committed: BTreeMap<u32, Committed>,
}

/// Who holds a partition.
struct Holder {
    member: MemberId,
    epoch: u64,
    /// The member has been told that it holds it.
    announced: bool,
    /// The member has been told that it goes elsewhere.
    revoking: bool,
}

/// Where a partition was left.
#[derive(Clone, Default)]
pub(super) struct Committed {
    pub(super) position: Offset,
    pub(super) watermarks: Watermarks,
    pub(super) pins: Bytes,
    pub(super) states: BTreeMap<Bytes, StateRow>,
    epoch: u64,
}

impl StateReader for Committed {
    fn get(&self, key: &[u8]) -> Result<Option<StateRow>, LogError> {
        Ok(self.states.get(key).cloned())
    }

    fn deadlines(&self) -> Result<Vec<(Bytes, i64)>, LogError> {
        Ok(self
            .states
            .iter()
            .filter_map(|(key, row)| Some((key.clone(), row.wake_at_ms?)))
            .collect())
    }

    fn rows(&self, after: &[u8], rows_max: usize) -> Result<Vec<(Bytes, StateRow)>, LogError> {
        let behind = self.states.iter().filter(|(key, _)| &key[..] > after);
        Ok(behind.take(rows_max).map(|(key, row)| (key.clone(), row.clone())).collect())
    }
}

impl GroupState {
    pub(super) fn add_member(&mut self) -> MemberId {
        self.next_member += 1;
        self.members.insert(self.next_member);
        self.next_member
    }

    /// The member is gone: what it held is free at once.
    pub(super) fn remove_member(&mut self, member: MemberId) {
        self.members.remove(&member);
        self.holders.retain(|_, holder| holder.member != member);
    }

    pub(super) fn expire_holder_of(&mut self, partition: u32) {
        if let Some(member) = self.holders.get(&partition).map(|holder| holder.member) {
            self.remove_member(member);
        }
    }

    pub(super) fn is_member(&self, member: MemberId) -> bool {
        self.members.contains(&member)
    }

    /// Who should hold `partition`: members share evenly, in order.
    fn rightful(&self, partition: u32) -> Option<MemberId> {
        let count = self.members.len();
        self.members.iter().nth(partition as usize % count.max(1)).copied()
    }

    /// Partitions `member` must give up and has not been told of; marks them as told.
    pub(super) fn revoke(&mut self, member: MemberId) -> Vec<Lease> {
        let wrong: Vec<u32> = self
            .holders
            .iter()
            .filter(|(partition, holder)| {
                holder.member == member
                    && holder.announced
                    && !holder.revoking
                    && self.rightful(**partition) != Some(member)
            })
            .map(|(partition, _)| *partition)
            .collect();
        wrong
            .into_iter()
            .filter_map(|partition| {
                let holder = self.holders.get_mut(&partition)?;
                holder.revoking = true;
                Some(Lease { partition, epoch: holder.epoch })
            })
            .collect()
    }

    /// `member` has finished with what it was told to give up.
    pub(super) fn release_revoked(&mut self, member: MemberId) -> bool {
        let before = self.holders.len();
        self.holders.retain(|_, holder| !(holder.member == member && holder.revoking));
        self.holders.len() != before
    }

    /// Gives `member` the free partitions that are rightfully its own.
    pub(super) fn assign(&mut self, member: MemberId, partitions: u32) -> Vec<Lease> {
        let mut leases = Vec::new();
        for partition in 0..partitions {
            let free = !self.holders.contains_key(&partition);
            if free && self.rightful(partition) == Some(member) {
                let committed = self.committed.entry(partition).or_default();
                committed.epoch += 1;
                let epoch = committed.epoch;
                self.holders
                    .insert(partition, Holder { member, epoch, announced: true, revoking: false });
                leases.push(Lease { partition, epoch });
            }
        }
        leases
    }

    pub(super) fn committed(&self, partition: u32) -> Committed {
        self.committed.get(&partition).cloned().unwrap_or_default()
    }

    pub(super) fn position(&self, partition: u32) -> Offset {
        self.committed.get(&partition).map_or(0, |committed| committed.position)
    }

    fn holds(&self, member: MemberId, lease: Lease) -> bool {
        self.holders
            .get(&lease.partition)
            .is_some_and(|holder| holder.member == member && holder.epoch == lease.epoch)
    }

    /// Whether `member` may still commit under every one of `leases`.
    pub(super) fn may_commit(
        &self,
        member: MemberId,
        leases: impl IntoIterator<Item = Lease>,
    ) -> bool {
        self.is_member(member) && leases.into_iter().all(|lease| self.holds(member, lease))
    }

    pub(super) fn commit(&mut self, unit: PartitionUnit) {
        let committed = self.committed.entry(unit.lease.partition).or_default();
        committed.position = unit.position;
        committed.watermarks = unit.watermarks;
        committed.pins = unit.pins;
        for (key, row) in unit.changes {
            match row {
                Some(row) => committed.states.insert(key, row),
                None => committed.states.remove(&key),
            };
        }
    }
}
