//! Training texts as bags of n-gram identifiers, read once for all recipes and folds.
//!
//! Invariant: identifiers are dense and given in order of first appearance, rows in order of the
//! input: the same texts give the same bags.

use crate::features::grams::{self, Gram, GramKind, GramKinds};
use crate::text::tokens::Tokens;
use std::collections::HashMap;

/// How often one n-gram occurs in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) id: u32,
    pub(crate) count: u32,
}

/// One distinct n-gram of the texts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Feature {
    pub(crate) hash: u64,
    pub(crate) kind: GramKind,
}

/// Bags of n-grams `[rows, n-grams]`, sparse.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    /// Where each row's cells end in `cells`.
    ends: Vec<usize>,
    cells: Vec<Cell>,
    features: Vec<Feature>,
}

impl Documents {
    /// Reads every text; `kinds` is the union of what the recipes to try need.
    pub(crate) fn read<'a>(texts: impl Iterator<Item = &'a str>, kinds: GramKinds) -> Self {
        let mut documents = Self::default();
        let mut ids: HashMap<u64, u32> = HashMap::new();
        let (mut tokens, mut grams) = (Tokens::default(), Vec::<Gram>::new());
        let mut row: Vec<u32> = Vec::new();
        for text in texts {
            tokens.read(text);
            grams::read(&tokens, kinds, &mut grams);
            row.clear();
            for gram in &grams {
                let features = &mut documents.features;
                let next = u32::try_from(features.len()).unwrap_or(u32::MAX);
                row.push(*ids.entry(gram.hash).or_insert_with(|| {
                    features.push(Feature { hash: gram.hash, kind: gram.kind });
                    next
                }));
            }
            row.sort_unstable();
            documents.push(&row);
        }
        documents
    }

    /// Appends a row given as sorted identifiers.
    fn push(&mut self, row: &[u32]) {
        for same in row.chunk_by(|a, b| a == b) {
            if let Some(&id) = same.first() {
                let count = u32::try_from(same.len()).unwrap_or(u32::MAX);
                self.cells.push(Cell { id, count });
            }
        }
        self.ends.push(self.cells.len());
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The distinct n-grams, by identifier.
    pub(crate) fn features(&self) -> &[Feature] {
        &self.features
    }

    /// The cells of one row, by rising identifier.
    pub(crate) fn row(&self, row: usize) -> &[Cell] {
        let start = row.checked_sub(1).and_then(|before| self.ends.get(before)).copied();
        let end = self.ends.get(row).copied().unwrap_or_default();
        self.cells.get(start.unwrap_or_default()..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_count_their_grams() {
        let kinds = GramKinds::of(&[GramKind::Word]);
        let documents = Documents::read(["a b a", "", "b"].into_iter(), kinds);
        assert_eq!(documents.len(), 3);
        let counts = |row| documents.row(row).iter().map(|c| (c.id, c.count)).collect::<Vec<_>>();
        assert_eq!(counts(0), [(0, 2), (1, 1)]);
        assert_eq!(counts(1), []);
        assert_eq!(counts(2), [(1, 1)]);
        assert_eq!(counts(3), []);
    }
}
