//! Hash → row of each head, in one look-up.
//!
//! Invariant: holds every feature of every head once; open addressing at most half full, so that a
//! look-up ends after a step or two. A slot is eight bytes, so that both a known and an unknown
//! n-gram cost one cache line: 32 bits of the hash beyond those that choose the slot, and the number
//! of the entry. Entry n is row n of the first head (intent), if that head has so many; most entries
//! are character n-grams of the intent head, and need nothing more.

use crate::artifact::model::Model;
use std::collections::HashMap;

/// No such feature in that head.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// Heads a directory can hold.
pub(crate) const HEADS: usize = 4;

/// The rows of one n-gram, by head, or [`NO_ROW`].
pub(crate) type Rows = [u32; HEADS];

/// A slot: tag and entry; entry [`NO_ROW`] for a free one.
pub(crate) type Slot = (u32, u32);

/// The fused index of up to four heads.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// A power of two.
    slots: Vec<Slot>,
    mask: u64,
    /// Rows in the first head: the entries below this number.
    first_rows: u32,
    /// Rows in the other heads, by entry.
    others: Vec<[u32; HEADS - 1]>,
}

impl Index {
    /// Indexes the heads in their places.
    pub(crate) fn build(heads: &[Option<&Model>; HEADS]) -> Self {
        let [first, others @ ..] = heads;
        let hashes =
            |model: &Option<&Model>| model.map(|model| model.hashes.clone()).unwrap_or_default();
        let mut entries: HashMap<u64, u32> = hashes(first).iter().copied().zip(0..).collect();
        let first_rows = u32::try_from(entries.len()).unwrap_or(NO_ROW);
        let mut rows = vec![[NO_ROW; HEADS - 1]; entries.len()];
        for (head, model) in others.iter().enumerate() {
            for (&hash, row) in hashes(model).iter().zip(0u32..) {
                let next = u32::try_from(rows.len()).unwrap_or(NO_ROW);
                let entry = *entries.entry(hash).or_insert(next);
                if entry == next {
                    rows.push([NO_ROW; HEADS - 1]);
                }
                let place = rows.get_mut(entry as usize).and_then(|rows| rows.get_mut(head));
                if let Some(place) = place {
                    *place = row;
                }
            }
        }
        let size = (entries.len() * 2).next_power_of_two().max(16);
        let mut index = Self {
            slots: vec![(0, NO_ROW); size],
            mask: size as u64 - 1,
            first_rows,
            others: rows,
        };
        // In the order of their numbers, so that common n-grams take the better slots.
        let mut sorted: Vec<(u32, u64)> = entries.into_iter().map(|(h, e)| (e, h)).collect();
        sorted.sort_unstable();
        for (entry, hash) in sorted {
            index.insert(hash, entry);
        }
        index
    }

    fn insert(&mut self, hash: u64, entry: u32) {
        let mut at = hash & self.mask;
        while let Some(slot) = usize::try_from(at).ok().and_then(|at| self.slots.get_mut(at)) {
            if slot.1 == NO_ROW {
                *slot = (tag(hash), entry);
                return;
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The slot where the search for `hash` begins: fetched for all n-grams of a text before any is
    /// judged, so that the cache misses overlap.
    #[inline]
    pub(crate) fn first_slot(&self, hash: u64) -> Slot {
        let at = usize::try_from(hash & self.mask).unwrap_or_default();
        self.slots.get(at).copied().unwrap_or((0, NO_ROW))
    }

    /// The entry of a known n-gram, given its [`Index::first_slot`].
    #[inline]
    pub(crate) fn find_from(&self, hash: u64, mut slot: Slot) -> Option<u32> {
        let mut at = hash & self.mask;
        while slot.1 != NO_ROW {
            if slot.0 == tag(hash) {
                return Some(slot.1);
            }
            at = (at + 1) & self.mask;
            slot = *self.slots.get(usize::try_from(at).unwrap_or_default())?;
        }
        None
    }

    /// The entry of a known n-gram.
    pub(crate) fn find(&self, hash: u64) -> Option<u32> {
        self.find_from(hash, self.first_slot(hash))
    }

    /// The row of an entry in the first head, or [`NO_ROW`].
    #[inline]
    pub(crate) fn first_row(&self, entry: u32) -> u32 {
        if entry < self.first_rows { entry } else { NO_ROW }
    }

    /// The rows of an entry in every head.
    #[inline]
    pub(crate) fn rows(&self, entry: u32) -> Rows {
        let others = self.others.get(entry as usize).copied();
        let [second, third, fourth] = others.unwrap_or([NO_ROW; HEADS - 1]);
        [self.first_row(entry), second, third, fourth]
    }
}

/// The upper half of a hash: the lower bits choose the slot.
#[inline]
fn tag(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or_default()
}
