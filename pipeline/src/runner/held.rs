//! A partition a stage holds: where it stands, what it remembers, what it waits for.

use std::sync::Arc;

use super::RunError;
use super::state::{Entry, KeyedState};
use super::timers::Timers;
use crate::broadcast::{Broadcasts, Versioned};
use crate::log::{Lease, PartitionUnit, Restored};
use crate::record::Offset;
use crate::stage::Stage;
use crate::watermarks::Watermarks;

pub(super) struct Held<S: Stage> {
    lease: Lease,
    pub(super) position: Offset,
    pub(super) watermarks: Watermarks,
    pub(super) state: KeyedState<S::State>,
    pub(super) timers: Timers,
    /// Side inputs the records from the last commit on are read with.
    pub(super) pinned: Arc<Versioned<S::Broadcast>>,
    /// The log knows of `pinned`.
    pin_committed: bool,
    /// Up to here a predecessor may have published with the version pinned then.
    replay_until: Offset,
    /// Something was taken since the last commit.
    touched: bool,
}

impl<S: Stage> Held<S> {
    pub(super) fn restore(
        lease: Lease,
        restored: Restored,
        broadcasts: &dyn Broadcasts<S::Broadcast>,
        hot_keys_max: usize,
    ) -> Result<Self, RunError> {
        let timers = Timers::new(restored.state.deadlines()?);
        let pins = std::str::from_utf8(&restored.pins).unwrap_or_default();
        let latest = broadcasts.latest();
        // Only a span that may have been read before needs the version it was read with.
        let replays = restored.position < restored.end && !pins.is_empty();
        let pinned = if replays { broadcasts.at(pins)? } else { latest };
        let pin_committed = pinned.version == pins;
        Ok(Self {
            lease,
            position: restored.position,
            watermarks: restored.watermarks,
            state: KeyedState::new(restored.state, hot_keys_max),
            timers,
            // A side input without versions has nothing to commit.
            pin_committed: pin_committed || pinned.version.is_empty(),
            pinned,
            replay_until: restored.end,
            touched: false,
        })
    }

    /// The record before the new position has been taken account of.
    pub(super) fn advance(&mut self, position: Offset) {
        self.position = position;
        self.touched = true;
    }

    /// Stages what a record left of its key.
    pub(super) fn put(&mut self, key: bytes::Bytes, entry: Option<Entry<S::State>>) {
        let wake_at_ms = entry.as_ref().and_then(|entry| entry.wake_at_ms);
        self.timers.set(&key, wake_at_ms);
        self.state.put(key, entry);
    }

    /// Whether `latest` is news that may be taken up: never while a span is being replayed.
    pub(super) fn may_take_up(&self, latest: &Versioned<S::Broadcast>) -> bool {
        self.position >= self.replay_until && self.pinned.version != latest.version
    }

    /// Takes up `latest` for what follows, if it may.
    pub(super) fn take_up(&mut self, latest: &Arc<Versioned<S::Broadcast>>) {
        if self.may_take_up(latest) {
            self.pinned = Arc::clone(latest);
            self.pin_committed = false;
        }
    }

    /// Whether the log must be told before the next record is taken.
    pub(super) fn must_commit_pin(&self) -> bool {
        !self.pin_committed
    }

    /// What the next commit changes here; `None`: nothing.
    pub(super) fn unit(&mut self) -> Result<Option<PartitionUnit>, RunError> {
        if !self.touched && self.pin_committed {
            return Ok(None);
        }
        self.touched = false;
        self.pin_committed = true;
        Ok(Some(PartitionUnit {
            lease: self.lease,
            position: self.position,
            watermarks: self.watermarks.clone(),
            pins: self.pinned.version.as_bytes().to_vec().into(),
            changes: self.state.take_changes()?,
        }))
    }
}
