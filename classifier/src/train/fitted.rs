//! The published weights of a head and the names of its features.

use super::checks::Checked;
use super::documents::Documents;
use super::linfa_fit::{self, FitError};
use super::sums::ClassSums;
use super::vectors::Vocabulary;
use crate::artifact::write::Content;
use crate::features::grams::{self, Gram, GramKind};
use crate::features::recipe::Recipe;
use crate::score::weights::Weights;
use crate::text::tokens::Tokens;

/// A fit on all rows; features in the order of their hashes.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) recipe: Recipe,
    pub(crate) weights: Weights,
    pub(crate) sums: ClassSums,
    /// As a person reads them `[features]`.
    pub(crate) names: Vec<String>,
    vocabulary: Vocabulary,
    kinds: Vec<GramKind>,
    /// Rows each feature occurs in `[features]`.
    df: Vec<u32>,
}

impl Fitted {
    /// Fits all rows by linfa.
    pub(crate) fn fit(
        checked: &Checked,
        documents: &Documents,
        recipe: Recipe,
    ) -> Result<Self, FitError> {
        let classes = checked.names.len();
        let all: Vec<usize> = (0..documents.len()).collect();
        let vocabulary = Vocabulary::select(documents, &all, &recipe);
        let sums = ClassSums::add_up(documents, &vocabulary, &checked.labels, classes, &all);
        let weights = linfa_fit::weights(&sums, &recipe)?;
        let features = vocabulary.len();
        let mut fitted = Self {
            recipe,
            weights,
            sums,
            names: vec![String::new(); features],
            vocabulary,
            kinds: vec![GramKind::Word; features],
            df: vec![0; features],
        };
        fitted.describe(&checked.texts);
        Ok(fitted)
    }

    /// Reads the texts once more: names, kinds and document frequencies of the features.
    fn describe(&mut self, texts: &[String]) {
        let (mut tokens, mut grams) = (Tokens::default(), Vec::<Gram>::new());
        let mut columns: Vec<usize> = Vec::new();
        for text in texts {
            tokens.read(text);
            grams::read(&tokens, self.recipe.kinds, &mut grams);
            columns.clear();
            for gram in &grams {
                let Ok(column) = self.vocabulary.hashes().binary_search(&gram.hash) else {
                    continue;
                };
                columns.push(column);
                if let Some(name) = self.names.get_mut(column).filter(|name| name.is_empty()) {
                    *name = grams::display(&tokens, *gram);
                }
                if let Some(kind) = self.kinds.get_mut(column) {
                    *kind = gram.kind;
                }
            }
            columns.sort_unstable();
            columns.dedup();
            for column in &columns {
                if let Some(df) = self.df.get_mut(*column) {
                    *df += 1;
                }
            }
        }
    }

    /// What goes into the file.
    pub(crate) fn content(&self) -> Content<'_> {
        Content {
            hashes: self.vocabulary.hashes(),
            scales: self.vocabulary.scales(),
            names: &self.names,
            weights: &self.weights,
            sums: &self.sums,
        }
    }

    /// The words and pairs that speak most for a class: its summed values times how far it is over
    /// the background.
    pub(crate) fn telling(&self, class: usize, k: usize) -> Vec<String> {
        let rows = (0u32..).zip(self.sums.sums.chunks_exact(self.sums.classes.max(1)));
        let background = self.weights.classes();
        let mut scored: Vec<(f64, &str)> = rows
            .zip(self.names.iter().zip(&self.kinds))
            .filter(|(_, (_, kind))| matches!(kind, GramKind::Word | GramKind::Pair))
            .filter_map(|((row, sums), (name, _))| {
                let over = self.weights.weight(row, class) - self.weights.weight(row, background);
                Some((sums.get(class)? * over, name.as_str()))
            })
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        scored.into_iter().take(k).map(|(_, name)| name.to_owned()).collect()
    }

    /// The `k`-th handful of the commonest words, of `n` words.
    pub(crate) fn common_words(&self, k: usize, n: usize) -> Vec<&str> {
        let words = self.names.iter().zip(&self.kinds).zip(&self.df);
        let mut words: Vec<(u32, &str)> = words
            .filter(|((_, kind), _)| **kind == GramKind::Word)
            .map(|((name, _), df)| (*df, name.as_str()))
            .collect();
        words.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(b.1)));
        words.into_iter().skip(k * n).take(n).map(|(_, name)| name).collect()
    }
}
