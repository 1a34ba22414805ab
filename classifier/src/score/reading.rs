//! What a text consists of, as one head sees it.

use crate::features::grams::GramKind;

/// N-grams of one sort, by whether the head has seen them in training.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) known: u32,
    pub(crate) unknown: u32,
}

impl Seen {
    fn add(&mut self, count: u32, is_known: bool) {
        if is_known { self.known += count } else { self.unknown += count }
    }

    /// Both together.
    pub(crate) fn all(self) -> u32 {
        self.known + self.unknown
    }

    /// The unknown among all, 0..=1; 1 for none at all.
    pub(crate) fn unknown_share(self) -> f64 {
        if self.all() == 0 { 1.0 } else { f64::from(self.unknown) / f64::from(self.all()) }
    }
}

/// Counts over the n-grams of one text, with repetitions, of the kinds of one head's recipe.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Reading {
    /// N-grams that are features of the head, concepts included.
    pub(crate) known: u32,
    /// All n-grams but concepts (a concept is always known).
    pub(crate) grams: Seen,
    /// Words.
    pub(crate) words: Seen,
    /// Pairs of words.
    pub(crate) pairs: Seen,
    /// Words of other trades.
    pub(crate) foreign: u32,
    /// Sum of the feature values.
    pub(crate) mass: f64,
}

impl Reading {
    /// Counts one n-gram, `count` times.
    #[inline]
    pub(crate) fn add(&mut self, kind: GramKind, count: u32, is_known: bool) {
        self.known += if is_known { count } else { 0 };
        if !kind.is_concept() {
            self.grams.add(count, is_known);
        }
        match kind {
            GramKind::Word => self.words.add(count, is_known),
            GramKind::Pair => self.pairs.add(count, is_known),
            GramKind::Foreign => self.foreign += count,
            _ => {}
        }
    }
}
