//! Buffers that one thread reuses from message to message.

use super::index::{HEADS, Rows, Slot};
use crate::calibrate::judge::Judgement;
use crate::context::Shift;
use crate::features::grams::{Gram, GramKind};
use crate::score::reading::Reading;
use crate::text::tokens::Tokens;

/// Working memory of scoring: make one a thread and pass it to every call. Once it has grown to the
/// longest message, scoring allocates nothing.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) tokens: Tokens,
    pub(crate) grams: Vec<Gram>,
    pub(crate) slots: Vec<Slot>,
    /// Known words, pairs, concepts: what several heads may know.
    pub(crate) word_hits: Vec<Hit>,
    /// Known character n-grams.
    pub(crate) char_hits: Vec<Hit>,
    pub(crate) seen: Seen,
    pub(crate) heads: [HeadScratch; HEADS],
    /// What was known beside the text: shifts of the intent head's prior.
    pub(crate) shifts: Vec<Shift>,
    /// Buffers for the clauses of a text that may hold two intents.
    pub(crate) by_clause: Option<Box<Scratch>>,
    /// What each of these clauses holds by itself.
    pub(crate) clauses: Vec<Judgement>,
}

impl Scratch {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

/// One distinct known n-gram of the message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hit {
    /// Entry of the index.
    pub(crate) entry: u32,
    /// Its rows; for character n-grams that of the first head alone.
    pub(crate) rows: Rows,
    pub(crate) count: u32,
    pub(crate) kind: GramKind,
}

/// Results of one head.
#[derive(Debug, Default)]
pub(crate) struct HeadScratch {
    /// Features and values, not yet of unit length.
    pub(crate) values: Vec<(u32, f64)>,
    /// Scores `[classes + 1]`.
    pub(crate) scores: Vec<f64>,
    /// Calibrated probabilities `[classes]`.
    pub(crate) probabilities: Vec<f64>,
    pub(crate) reading: Reading,
    /// What was decided by these.
    pub(crate) judged: Judgement,
    /// The factor that made the feature values unit length; 1 without.
    pub(crate) unit: f64,
}

/// Which entries the message has met already: a small hash table, emptied by counting up an epoch.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    epoch: u32,
    /// Epoch, entry, place in the list of hits; a power of two of them.
    slots: Vec<(u32, u32, u32)>,
}

impl Seen {
    /// Forgets everything and makes room for `most` entries.
    pub(crate) fn clear(&mut self, most: usize) {
        let wanted = (most * 2).next_power_of_two().max(64);
        self.epoch = self.epoch.wrapping_add(1);
        if self.slots.len() < wanted || self.epoch == 0 {
            self.slots.clear();
            self.slots.resize(wanted, (0, 0, 0));
            self.epoch = 1;
        }
    }

    /// The place of an entry met before; else remembers it at `next`.
    #[inline]
    pub(crate) fn meet(&mut self, entry: u32, next: u32) -> Option<u32> {
        let mask = self.slots.len().wrapping_sub(1);
        let mut at = (entry.wrapping_mul(0x9E37_79B1) >> 8) as usize & mask;
        loop {
            let slot = self.slots.get_mut(at)?;
            if slot.0 != self.epoch {
                *slot = (self.epoch, entry, next);
                return None;
            }
            if slot.1 == entry {
                return Some(slot.2);
            }
            at = (at + 1) & mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_met_once_a_message() {
        let mut seen = Seen::default();
        for _ in 0..3 {
            seen.clear(100);
            for slot in 0..100 {
                assert_eq!(seen.meet(slot * 64, slot), None);
            }
            for slot in 0..100 {
                assert_eq!(seen.meet(slot * 64, 7), Some(slot));
            }
        }
    }
}
