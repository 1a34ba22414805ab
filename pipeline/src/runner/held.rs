//! A partition a runner holds: how far it has come, whose outputs it has seen, and what of it the log
//! does not know yet. What each stage remembers of it is the link's.

use std::sync::Arc;

use super::chain::Post;
use super::{RunError, pins, scoped};
use crate::log::{Lease, PartitionUnit, Restored};
use crate::record::Offset;
use crate::watermarks::Watermarks;

pub(super) struct Held {
    pub(super) lease: Lease,
    pub(super) position: Offset,
    pub(super) watermarks: Watermarks,
    /// The log knows of the versions the links have pinned.
    pin_committed: bool,
    /// Up to here a predecessor may have published with the versions pinned then.
    replay_until: Offset,
    /// Something was taken since the last commit.
    touched: bool,
}

impl Held {
    pub(super) fn restore(
        lease: Lease,
        restored: Restored,
        posts: &mut [Post],
        hot_keys_max: usize,
    ) -> Result<Self, RunError> {
        let partition = lease.partition;
        let left = pins::read(&restored.pins, posts)?;
        // Only a span that may have been read before needs the versions it was read with.
        let replays = restored.position < restored.end;
        let alone = posts.len() == 1;
        let mut pin_committed = true;
        for (post, left) in posts.iter_mut().zip(&left) {
            let link = &mut post.link;
            let state = match alone {
                true => Arc::clone(&restored.state),
                false => scoped::reader(&restored.state, link.name()),
            };
            let pin = left.as_deref().filter(|_| replays);
            link.restore(partition, state, pin, hot_keys_max)?;
            let pinned = link.pinned(partition);
            // A side input without versions has nothing to commit.
            pin_committed &= pinned.is_empty() || Some(pinned) == left.as_deref();
        }
        Ok(Self {
            lease,
            position: restored.position,
            watermarks: restored.watermarks,
            pin_committed,
            replay_until: restored.end,
            touched: false,
        })
    }

    /// The record before the new position has been taken account of.
    pub(super) fn advance(&mut self, position: Offset) {
        self.position = position;
        self.touched = true;
    }

    /// Whether any link has news it may take up: none while a span is being replayed.
    pub(super) fn may_take_up(&self, posts: &[Post]) -> bool {
        self.position >= self.replay_until
            && posts.iter().any(|post| post.link.is_behind(self.lease.partition))
    }

    /// Takes up what there is of newer side inputs for what follows, if it may.
    pub(super) fn take_up(&mut self, posts: &mut [Post]) {
        if self.may_take_up(posts) {
            posts.iter_mut().for_each(|post| post.link.take_up(self.lease.partition));
            self.pin_committed = false;
        }
    }

    /// Whether the log must be told before the next record is taken.
    pub(super) fn must_commit_pin(&self) -> bool {
        !self.pin_committed
    }

    /// What the next commit changes here, of all links at once; `None`: nothing.
    pub(super) fn unit(&mut self, posts: &mut [Post]) -> Result<Option<PartitionUnit>, RunError> {
        if !self.touched && self.pin_committed {
            return Ok(None);
        }
        self.touched = false;
        self.pin_committed = true;
        let partition = self.lease.partition;
        let alone = posts.len() == 1;
        let mut changes = Vec::new();
        for post in &mut *posts {
            let of_link = post.link.take_changes(partition)?;
            if alone {
                changes = of_link;
            } else {
                let name = post.link.name();
                changes
                    .extend(of_link.into_iter().map(|(key, row)| (scoped::key(name, &key), row)));
            }
        }
        Ok(Some(PartitionUnit {
            lease: self.lease,
            position: self.position,
            watermarks: self.watermarks.clone(),
            pins: pins::write(posts, partition),
            changes,
        }))
    }
}
