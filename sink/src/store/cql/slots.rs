//! Slots of time, and what this process has written down once already.

use std::collections::{BTreeMap, HashSet};

use parking_lot::Mutex;
use schemas::ids::ConversationId;

use crate::rows::EventRow;

/// Length of a slot: short enough for a partition of `changes` at the highest rate.
const SLOT_MS: i64 = 600_000;
/// Slots in one partition of `slots`: 30 days.
const PERIOD_SLOTS: i64 = 4_320;
/// Partitions of a slot: so many nodes share the writes of a moment.
const SHARDS: u8 = 16;

/// What is remembered at most before all is forgotten; then it is written once more.
const KNOWN_MAX: usize = 100_000;

/// The slot of a moment (Unix, ms).
pub(super) fn slot_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(SLOT_MS)
}

/// When a slot begins (Unix, ms).
pub(super) fn begins_ms(slot: i64) -> i64 {
    slot.saturating_mul(SLOT_MS)
}

/// The period of a slot.
pub(super) fn period_of(slot: i64) -> i32 {
    i32::try_from(slot.div_euclid(PERIOD_SLOTS)).unwrap_or(i32::MAX)
}

/// Where in a slot a conversation is. Its id begins with a keyed hash: any byte of it will do.
pub(super) fn shard_of(id: ConversationId) -> i32 {
    let [first, ..] = id.0;
    i32::from(first % SHARDS)
}

/// A partition of `changes`.
pub(super) type Slot = (String, i64, i32);

/// Rows that are written once, not with every line: which conversation is the contact's latest, and
/// which slots there are. Forgetting costs a write, nothing else; so it is bounded and starts empty.
#[derive(Default)]
pub(super) struct News {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    conversations: HashSet<ConversationId>,
    slots: HashSet<Slot>,
}

/// What is to be written of these lines, with its time to live.
pub(super) struct Found<'a> {
    pub(super) conversations: Vec<(&'a EventRow, i32)>,
    pub(super) slots: BTreeMap<Slot, i32>,
}

impl News {
    pub(super) fn of<'a>(&self, events: &[(&'a EventRow, i32)]) -> Found<'a> {
        let known = self.known.lock();
        let mut found = Found { conversations: Vec::new(), slots: BTreeMap::new() };
        let mut seen = HashSet::new();
        for (row, ttl_s) in events {
            let stand = &row.conversation;
            let id = stand.conversation_id;
            if !known.conversations.contains(&id) && seen.insert(id) {
                found.conversations.push((row, *ttl_s));
            }
            let slot = (stand.tenant.clone(), slot_of(stand.updated_at_ms), shard_of(id));
            if !known.slots.contains(&slot) {
                let longest_s = found.slots.entry(slot).or_default();
                *longest_s = (*longest_s).max(*ttl_s);
            }
        }
        found
    }

    /// All of `found` is in the database.
    pub(super) fn written(&self, found: &Found<'_>) {
        let mut known = self.known.lock();
        if known.conversations.len() > KNOWN_MAX {
            known.conversations.clear();
        }
        if known.slots.len() > KNOWN_MAX {
            known.slots.clear();
        }
        let ids = found.conversations.iter().map(|(row, _)| row.conversation.conversation_id);
        known.conversations.extend(ids);
        known.slots.extend(found.slots.keys().cloned());
    }
}
